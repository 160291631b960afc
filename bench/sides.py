"""The two sides as processes that answer commands, one at a time."""

import json
import os
import pathlib
import subprocess

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"  # Debian's, which python3-torch belongs to
# What libraries read to choose threads and kernels.
CHOICES = ("OPENBLAS_", "OMP_", "MKL_", "GOMP_", "GOTO_", "KMP_", "ATEN_", "BLIS_")


class Failure(Exception):
    pass


def environment(**more):
    """Ours without any choice of threads and kernels, and `more`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(CHOICES)}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **more}


class Side:
    """A process of one side. `label` says how many threads it was given."""

    def __init__(self, command, label, env):
        self.label, self.command = label, command
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, env=env, text=True)
        self.expect("ready")

    def answer(self):
        line = self.process.stdout.readline()
        if not line or line.startswith("error:"):
            self.close()
            raise Failure(f"{' '.join(map(str, self.command))}: {line.strip() or 'it died'}")
        return line.strip()

    def expect(self, text):
        if self.answer() != text:
            raise Failure(f"{self.command[0]}: \"{text}\" was expected")

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.answer()

    def run(self, count):
        """Seconds of `count` evaluations."""
        return [float(s) for s in self.ask(f"run {count}").split()]

    def result(self, path):
        self.ask(f"result {path}")
        return np.fromfile(path)

    def facts(self):
        return json.loads(self.ask("facts"))

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self.process.stdin.closed:
            self.close()


def tier_side(build, workload, folder, threads, kernels, sets=()):
    """threads 0 and kernels "": as it comes."""
    command = [build / "tier-bench", workload.task]
    command += [HERE / "manifests" / workload.manifest] if workload.manifest else []
    command += ["--data", folder, "--threads", threads or "all"]
    for s in workload.sets + tuple(sets):
        command += ["--set", s]
    env = environment(OPENBLAS_CORETYPE=kernels) if kernels else environment()
    return Side(command, str(threads or "all"), env)


def torch_side(workload, folder, threads, blas_threads, kernels):
    """threads 0: as it comes."""
    command = [PYTHON, HERE / "peers" / "process.py", workload.peer, workload.problem, folder,
               json.dumps(workload.arguments)]
    if threads == 0:
        return Side(command, "own", environment())
    label = str(threads) if threads == blas_threads else f"{threads}, BLAS {blas_threads}"
    env = environment(OPENBLAS_CORETYPE=kernels, OPENBLAS_NUM_THREADS=str(blas_threads),
                      OMP_NUM_THREADS=str(threads))
    return Side(command + [threads], label, env)


def sgemm_side(build, threads, kernels):
    env = environment(OPENBLAS_CORETYPE=kernels) if kernels else environment()
    return Side([build / "tier-bench", "sgemm", "--threads", threads or "all"],
                str(threads or "all"), env)
