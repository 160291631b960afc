"""The PyTorch side of bench/run: answers the same commands on stdin as bench/driver.c.

    process.py TASK PROBLEM FOLDER ARGUMENTS [THREADS]

ARGUMENTS is a JSON object for the task; without THREADS PyTorch keeps its own choice.
"""

import ctypes
import json
import pathlib
import sys
import time

import numpy as np
import torch

import hypergradients
import training
from problems import problem

HYPERGRADIENTS = {"cg": hypergradients.cg_task, "neumann": hypergradients.neumann_task,
                  "unroll": hypergradients.unroll_task, "gradient": hypergradients.gradient_task,
                  "hvp": hypergradients.hvp_task}
TRAINING = {"vae": training.vae_task, "wgan": training.wgan_task}


def make_task(name, problem_name, folder, arguments):
    """prepare() -> state, not timed; evaluate(state) -> what was computed; flatten."""
    if name in TRAINING:
        return TRAINING[name](folder, **arguments)
    evaluate, flatten = HYPERGRADIENTS[name](problem(problem_name, folder), **arguments)
    return lambda: None, lambda _: evaluate(), flatten


def peak():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def openblas():
    """Path and kernels of the OpenBLAS in this process; ("", "") without one."""
    for line in open("/proc/self/maps"):
        path = line.split()[-1]
        if "libopenblas" in path:
            library = ctypes.CDLL(path)
            library.openblas_get_corename.restype = ctypes.c_char_p
            return path, library.openblas_get_corename().decode()
    return "", ""


def facts():
    library, kernels = openblas()
    return {"version": torch.__version__, "numpy": np.__version__, "blas": library,
            "kernels": kernels, "threads": torch.get_num_threads(), "peak": peak()}


def serve(prepare, evaluate, flatten):
    last = None
    print("ready", flush=True)
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "run":
            seconds = []
            for _ in range(int(argument)):
                state = prepare()
                last = None
                started = time.perf_counter()
                last = evaluate(state)
                seconds.append(time.perf_counter() - started)
            print(*(f"{s:.9e}" for s in seconds), flush=True)
        elif command == "result":
            values = flatten(last).numpy().astype(np.float64)
            values.tofile(argument)
            print(values.size, flush=True)
        elif command == "facts":
            print(json.dumps(facts()), flush=True)
        else:
            print(f'error: unknown command "{command}"', flush=True)


def main():
    name, problem_name, folder, arguments = sys.argv[1:5]
    if len(sys.argv) > 5:
        torch.set_num_threads(int(sys.argv[5]))
    serve(*make_task(name, problem_name, pathlib.Path(folder), json.loads(arguments)))


if __name__ == "__main__":
    main()
