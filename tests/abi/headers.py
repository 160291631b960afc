#!/usr/bin/env python3
"""Every public header compiles alone, without a warning, as C11, C17 and C++17.

    headers.py INCLUDE_DIR

with gcc and clang, as far as they are installed (one C and one C++ compiler must be)."""
import pathlib
import shutil
import subprocess
import sys
import tempfile

LANGUAGES = {
    "c": (["gcc", "clang"], ["c11", "c17"]),
    "cpp": (["g++", "clang++"], ["c++17"]),
}
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]


def write_sources(folder, headers, suffix):
    """One source file a header, which includes it twice: its guard must work."""
    sources = []
    for header in headers:
        source = folder / f"{header.stem}.{suffix}"
        line = f"#include <tier/{header.name}>\n"
        source.write_text(line + line + "extern int avoid_an_empty_unit;\n")
        sources.append(str(source))
    return sources


def compile_all(compiler, standard, include, sources):
    command = [compiler, "-std=" + standard, "-fsyntax-only", *WARNINGS, "-I", str(include)]
    result = subprocess.run(command + sources, capture_output=True, text=True)
    print(f"{compiler} -std={standard}: {'ok' if result.returncode == 0 else 'FAILED'}")
    if result.returncode != 0:
        print(result.stderr)
    return result.returncode == 0


def main():
    include = pathlib.Path(sys.argv[1])
    headers = sorted((include / "tier").glob("*.h"))
    good = bool(headers)
    with tempfile.TemporaryDirectory() as name:
        for suffix, (compilers, standards) in LANGUAGES.items():
            sources = write_sources(pathlib.Path(name), headers, suffix)
            found = [c for c in compilers if shutil.which(c)]
            if not found:
                print(f"none of {', '.join(compilers)} is installed")
                good = False
            for compiler in found:
                for standard in standards:
                    good &= compile_all(compiler, standard, include, sources)
    print(f"{len(headers)} headers")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
