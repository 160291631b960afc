#!/usr/bin/env python3
"""Runs docs/plugins.md: saves its programs, builds them with its command, loads and uses them.

    test_page.py SOURCE_DIR BUILD_DIR LOAD_PROGRAM

LOAD_PROGRAM (test_page_load.c) solves a system with the page's linear solver. The page's commands
for `build/tier` are run if there is one."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", page, flags=re.S | re.M)


def save_programs(page, folder):
    """Each C block names its file in the first line: /* my-plugins/NAME.c: ... */"""
    names = []
    for program in blocks(page, "c"):
        path = re.match(r"/\* (my-plugins/[\w-]+\.c):", program)
        assert path, "a C block of the page does not name its file: " + program[:80]
        (folder / path.group(1)).write_text(program)
        names.append(path.group(1))
    return names


def shell(commands, folder, environment):
    print(commands)
    result = subprocess.run(["sh", "-eu", "-c", commands], cwd=folder, env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print(result.stdout)
    assert result.returncode == 0, f"exit code {result.returncode}"
    return result.stdout


def main():
    source, build, load = (pathlib.Path(p).resolve() for p in sys.argv[1:])
    page = (source / "docs" / "plugins.md").read_text()
    environment = {k: v for k, v in os.environ.items()
                   if k not in ("PKG_CONFIG_PATH", "TIER_PLUGIN_PATH")}
    build_commands, use_commands = blocks(page, "sh")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "build").symlink_to(build)
        (folder / "experiments").symlink_to(source / "experiments")
        (folder / "my-plugins").mkdir()
        assert save_programs(page, folder) == ["my-plugins/log-cosh.c",
                                               "my-plugins/steepest-descent.c"]
        output = shell(build_commands, folder, environment)
        assert "warning" not in output
        shell(f"{load} my-plugins", folder, environment)
        if (build / "tier").exists():
            output = shell(use_commands, folder, environment)
            assert re.search(r"steepest-descent.*\n", output), "the table lacks the new solver"
            assert list((folder / "my-plugins" / "runs").rglob("metrics.jsonl")), "no run was made"
        else:
            print("there is no build/tier yet: its commands were not run")
    return 0


if __name__ == "__main__":
    sys.exit(main())
