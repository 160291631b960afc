#!/usr/bin/env python3
"""Counts the instructions of tier's own objects for fixed workloads, and compares with figures.txt.

    guard.py WORKLOADS FIGURES [--update]

WORKLOADS is the built program. It runs once under callgrind; what counts are instructions inside its
functions measured_NAME (a call of counted_NAME ends each), in objects of the build folder: not OpenBLAS, whose kernels differ between
CPUs, nor libc. A count more than 3 % away from its figure is a failure: more is slower, and less needs
a new figure, so that the next step back is seen. Exits 77 (skipped) where the figures are of another
compiler, or there is no valgrind. --update writes the figures."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

BOUND = 0.03
SKIP = 77


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIP)


def environment():
    """Nothing of the caller's that changes what runs: tier picks OpenBLAS's kernels itself."""
    gone = ("OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "TIER_PLUGIN_PATH", "TIER_DATA",
            "LD_PRELOAD", "MALLOC_PERTURB_")
    return {k: v for k, v in os.environ.items() if k not in gone} | {"LC_ALL": "C"}


def under_valgrind(workloads, options, arguments=()):
    process = subprocess.run(["valgrind", *options, workloads, *arguments], env=environment(),
                             text=True, capture_output=True, timeout=200)
    if process.returncode != 0:
        sys.exit(f"{workloads} fails under valgrind:\n{process.stdout}{process.stderr}")
    return process.stdout


class Dump:
    """The file of one measured function: instructions by object.

    Callgrind's format: "ob=(1) PATH" sets the object of the cost lines that follow ("POSITION COUNT");
    the line after "calls=" has the cost of what was called, which stands there, too."""

    def __init__(self, text, objects):
        self.name = None
        self.counts = {}
        present = None
        called = False
        for line in text.splitlines():
            if match := re.match(r"desc: Trigger: --dump-before=counted_(\w+)", line):
                self.name = match[1]
            elif match := re.match(r"c?ob=\((\d+)\)(?: (.*))?$", line):
                if match[2]:
                    objects[match[1]] = match[2]
                if line.startswith("ob="):
                    present = objects[match[1]]
            elif line.startswith("calls="):
                called = True
            elif re.match(r"[+\-*\d]", line):
                if not called:
                    self.counts[present] = self.counts.get(present, 0) + int(line.split()[1])
                called = False

    def own(self, folder):
        return sum(n for path, n in self.counts.items() if path and path.startswith(folder + "/"))


def build_folder(program):
    for folder in pathlib.Path(program).resolve().parents:
        if (folder / "meson-private").is_dir():
            return str(folder)
    sys.exit(f"{program} is in no build folder of meson")


def count(workloads):
    """{name: instructions}, in order of the workloads."""
    with tempfile.TemporaryDirectory() as scratch:
        under_valgrind(workloads, [
            "--tool=callgrind", f"--callgrind-out-file={scratch}/out", "--dump-before=counted_*",
            "--toggle-collect=measured_*", "--compress-strings=yes", "--quiet"])
        files = sorted(pathlib.Path(scratch).glob("out.*"), key=lambda path: int(path.suffix[1:]))
        objects = {}
        dumps = [Dump(path.read_text(), objects) for path in files]
    folder = build_folder(workloads)
    return {dump.name: dump.own(folder) for dump in dumps if dump.name}


def read_figures(path):
    """What they were counted with, and {name: instructions}."""
    build, figures = "", {}
    for line in pathlib.Path(path).read_text().splitlines():
        if line.startswith("with: "):
            build = line.removeprefix("with: ")
        elif line and not line.startswith("#"):
            name, number = line.split()
            figures[name] = int(number.replace(",", ""))
    return build, figures


def compiler_of(build):
    return build.split(", ")[:2]  # with its optimization level


def write_figures(path, build, counts):
    lines = ["# Instructions of tier's own objects for tests/instructions/workloads.c, by guard.py.",
             "# After a change that is meant: ninja -C BUILD, then ninja -C BUILD update-instructions, and say",
             "# why in the commit.", f"with: {build}"]
    lines += [f"{name:<10} {number:>12,}" for name, number in counts.items()]
    pathlib.Path(path).write_text("\n".join(lines) + "\n")


def compare(counts, figures):
    """Prints a line for each workload; how many are wrong."""
    wrong = 0
    for name in {**figures, **counts}:
        if name not in counts or name not in figures:
            print(f"{name:<10} {'was not run' if name in figures else 'has no figure'}  WRONG")
            wrong += 1
            continue
        change = counts[name] / figures[name] - 1
        bad = abs(change) > BOUND
        wrong += bad
        print(f"{name:<10} {counts[name]:>12,}  figure {figures[name]:>12,}  {100 * change:+6.2f} %"
              f"{'  WRONG' if bad else ''}")
    return wrong


def main():
    workloads, path = sys.argv[1:3]
    update = sys.argv[3:] == ["--update"]
    if shutil.which("valgrind") is None:
        skip("there is no valgrind")
    with_build, figures = read_figures(path)
    # First without Valgrind, which cannot read what some compilers write.
    native = subprocess.run([workloads, "--build"], env=environment(), text=True, check=True,
                            stdout=subprocess.PIPE).stdout.strip()
    if not update and compiler_of(native) != compiler_of(with_build):
        skip(f"the figures are of {with_build}; this is {native}")
    build = under_valgrind(workloads, ["--tool=none", "--quiet"], ["--build"]).strip()
    if not update and build != with_build:
        skip(f"the figures are of {with_build}; this is {build}")
    counts = count(workloads)
    if update:
        write_figures(path, build, counts)
        return
    if compare(counts, figures) > 0:
        sys.exit(f"more than {100 * BOUND:.0f} % off: if that is meant, ninja -C BUILD, then ninja -C "
                 "BUILD update-instructions, and say why in the commit")


if __name__ == "__main__":
    main()
