#!/usr/bin/env python3
"""The installed headers and tier.pc: installs them into a scratch folder, and builds the programs of
docs/plugins.md against them.

    test_installed.py SOURCE_DIR BUILD_DIR"""
import os
import pathlib
import subprocess
import sys
import tempfile

import test_page


def install(build, folder):
    subprocess.run(["meson", "install", "-C", str(build), "--no-rebuild", "--quiet", "--tags", "devel",
                    "--destdir", str(folder)], check=True)
    found = [p for p in folder.rglob("tier.pc")]
    assert len(found) == 1, f"tier.pc was installed {len(found)} times"
    return found[0]


def pkg_config(pc, folder, *arguments):
    """What pkg-config says where the installation is at its final place below `folder`."""
    environment = {**os.environ, "PKG_CONFIG_LIBDIR": str(pc.parent)}
    prefix = subprocess.run(["pkg-config", "--variable=prefix", "tier"], env=environment, check=True,
                            capture_output=True, text=True).stdout.strip()
    moved = f"--define-variable=prefix={folder}{prefix}"
    return subprocess.run(["pkg-config", moved, *arguments, "tier"], env=environment, check=True,
                          capture_output=True, text=True).stdout.split()


def main():
    source, build = (pathlib.Path(p).resolve() for p in sys.argv[1:])
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        pc = install(build, folder)
        headers = {p.name for p in (source / "include" / "tier").glob("*.h")}
        installed = {p.name for p in folder.rglob("tier/*.h")}
        assert headers == installed, f"include/meson.build lacks {headers - installed}"
        assert pkg_config(pc, folder, "--variable=abi_major") == ["1"]
        assert pkg_config(pc, folder, "--variable=plugindir")[0].endswith("/tier/plugins/1")
        assert pkg_config(pc, folder, "--libs") == [], "there is nothing to link"
        flags = pkg_config(pc, folder, "--cflags")
        assert any(f.startswith(f"-I{folder}") for f in flags), flags
        (folder / "my-plugins").mkdir()
        page = (source / "docs" / "plugins.md").read_text()
        for program in test_page.save_programs(page, folder):
            subprocess.run(["cc", "-std=c17", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
                            "-Wl,-z,defs", *flags, program, "-o", program + ".so"], cwd=folder,
                           check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
