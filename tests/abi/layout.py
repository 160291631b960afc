#!/usr/bin/env python3
"""The layout of the public structs as text, and the rule by which it may grow.

    layout.py print INCLUDE_DIR     structs, members with offset, size and type; constants
    layout.py check OLD NEW         is NEW (text files) a legal growth of OLD?
    layout.py update                writes layout.txt from include/; refuses what breaks version 1.0
    layout.py freeze                copies include/ to v1.0/, once, when version 1.0 is released

The rule: each old struct's member list is a prefix of the new one (same names, offsets, sizes and
types), and constants keep their value. TIER_OP_COUNT and TIER_ABI_MINOR may grow."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
INCLUDE = HERE.parent.parent / "include"
GROWING = {"TIER_OP_COUNT", "TIER_ABI_MINOR"}


# ---- reading headers -----------------------------------------------------------------------------


def strip(text):
    """The header without comments, and with continued lines joined."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    return re.sub(r"\\\n", " ", text)


def constants_of(text):
    """Names of object-like macros TIER_... with a value."""
    found = re.findall(r"^#define (TIER_\w+)[ \t]+(\S.*)$", text, flags=re.M)
    return [name for name, value in found if "__attribute__" not in value and "\\" not in value]


def body_at(text, brace):
    """The text between the brace at that index and its partner, and the index after that."""
    depth = 0
    for i in range(brace, len(text)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if depth == 0:
            return text[brace + 1 : i], i + 1
    raise ValueError("unbalanced braces")


def structs_of(text):
    """(C name of the type, member declarations) of each struct definition."""
    for match in re.finditer(r"\b(typedef\s+)?struct\s+(\w+)\s*\{", text):
        body, end = body_at(text, match.end() - 1)
        members = [re.sub(r"\s+", " ", m).strip() for m in body.split(";")]
        yield "struct " + match.group(2), [m for m in members if m]


def name_of(member):
    pointer = re.search(r"\(\s*\*\s*(\w+)\s*\)\s*\(", member)
    return pointer.group(1) if pointer else re.search(r"(\w+)\s*(\[[^\]]*\])?$", member).group(1)


def without_names(member):
    """The type alone: `int32_t (*f)(void *self, int64_t n)` becomes `int32_t (*)(void *, int64_t)`."""
    pointer = re.search(r"^(.*?)\(\s*\*\s*\w+\s*\)\s*\((.*)\)$", member)
    if not pointer:
        return re.sub(r"\s*\b\w+\s*(\[[^\]]*\])?$", r"\1", member)
    parameters = [re.sub(r"(?<=[\s*])\w+(\[\w*\])?$", r"\1", p.strip()).strip()
                  for p in pointer.group(2).split(",")]
    return f"{pointer.group(1).strip()} (*)({', '.join(parameters)})"


# ---- asking the compiler -----------------------------------------------------------------------


def program(headers, structs, constants):
    lines = ["#include <stddef.h>", "#include <stdio.h>"]
    lines += [f"#include <tier/{h}>" for h in headers]
    lines.append("int main(void) {")
    for struct, members in structs:
        lines.append(f'printf("{struct} %zu\\n", sizeof({struct}));')
        for m in members:
            name, kind = name_of(m), without_names(m)
            size = f"sizeof((({struct} *)0)->{name})"
            lines.append(f'printf("  %zu %zu {name}: {kind}\\n", '
                         f"offsetof({struct}, {name}), {size});")
    for name in constants:
        lines.append(f'printf("constant {name} %lld\\n", (long long)({name}));')
    return "\n".join(lines + ["return 0;", "}", ""])


def layout(include):
    headers = sorted(p.name for p in (pathlib.Path(include) / "tier").glob("*.h"))
    structs, constants = [], []
    for header in headers:
        text = strip((pathlib.Path(include) / "tier" / header).read_text())
        structs += structs_of(text)
        constants += constants_of(text)
    with tempfile.TemporaryDirectory() as folder:
        source, binary = pathlib.Path(folder) / "layout.c", pathlib.Path(folder) / "layout"
        source.write_text(program(headers, structs, constants))
        compiler = os.environ.get("CC", "cc").split()
        subprocess.run([*compiler, "-std=c17", "-I", str(include), str(source), "-o", str(binary)],
                       check=True)
        return subprocess.run([str(binary)], check=True, capture_output=True, text=True).stdout


# ---- the rule ---------------------------------------------------------------------------------------


def parse(text):
    """({struct: [member lines]}, {constant: value})"""
    structs, constants, members = {}, {}, None
    for line in text.splitlines():
        if line.startswith("struct "):
            members = structs.setdefault(line.split()[1], [])
        elif line.startswith("constant "):
            constants[line.split()[1]] = int(line.split()[2])
        elif line.strip():
            members.append(line.strip())
    return structs, constants


def violations(old_text, new_text):
    old_structs, old_constants = parse(old_text)
    new_structs, new_constants = parse(new_text)
    for name, old in old_structs.items():
        new = new_structs.get(name)
        if new is None:
            yield f"struct {name} is gone"
            continue
        for i, member in enumerate(old):
            found = new[i] if i < len(new) else "nothing"
            if found != member:
                yield f"struct {name}: member {i} was ({member}), now ({found})"
    for name, old in old_constants.items():
        new = new_constants.get(name)
        if new is None or (new < old if name in GROWING else new != old):
            yield f"constant {name} was {old}, now {new}"


# ---- commands ------------------------------------------------------------------------------------------


def check(old_text, new_text):
    found = list(violations(old_text, new_text))
    for violation in found:
        print(violation)
    if found:
        print("members are only ever appended, and constants keep their value: include/tier/plugin.h")
    return 1 if found else 0


def update():
    new = layout(INCLUDE)
    frozen = HERE / "v1.0"
    if frozen.is_dir() and check(layout(frozen), new) != 0:
        return 1
    (HERE / "layout.txt").write_text(new)
    return 0


def freeze():
    shutil.rmtree(HERE / "v1.0", ignore_errors=True)
    shutil.copytree(INCLUDE / "tier", HERE / "v1.0" / "tier")
    return update()


def main():
    arguments = sys.argv[1:]
    if len(arguments) == 2 and arguments[0] == "print":
        print(layout(arguments[1]), end="")
        return 0
    if len(arguments) == 3 and arguments[0] == "check":
        return check(*(pathlib.Path(p).read_text() for p in arguments[1:]))
    if arguments == ["update"]:
        return update()
    if arguments == ["freeze"]:
        return freeze()
    print(__doc__)
    return 64


if __name__ == "__main__":
    sys.exit(main())
