"""What a Python can run: vitzoo, the peers, the device. Prints what is missing, then the systems that can run.

Usage: python -m peers.needs {cpu,cuda}

The last line of stdout is the list of systems for ``populations.py --systems``. Exit code 1: vitzoo cannot run;
the missing packages are named on stderr.
"""

import importlib.util
import sys

OURS = [
    *("torch", "numpy", "pydantic", "yaml", "typer", "rich", "safetensors"),
    *("pyarrow", "duckdb", "pandas", "scipy", "threadpoolctl", "PIL"),
]
PEERS = ["timm", "torchvision"]
NAMES = {"yaml": "pyyaml", "PIL": "pillow"}  # where the package is called otherwise than the module


def missing(modules: list[str]) -> list[str]:
    """Return the packages of those modules that are not installed.

    >>> missing(["json", "there_is_no_such_module"])
    ['there_is_no_such_module']
    """
    return [NAMES.get(name, name) for name in modules if importlib.util.find_spec(name) is None]


def main(device: str) -> None:
    """Say what is there."""
    absent = missing(OURS)
    if absent:
        print(" ".join(absent), file=sys.stderr)
        sys.exit(1)
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        sys.exit("torch finds no CUDA device here; --device cpu --toy exercises this script without one.")
    print(f"python {sys.version.split()[0]}, torch {torch.__version__}", end=", ")
    print(torch.cuda.get_device_name() if device == "cuda" else "on the CPU")
    without = missing(PEERS)
    if without:
        print(f"Without {' and '.join(without)} there are no P1, P2 and P5: only our lines follow.")
    print("ours" if without else "ours,p1,p2,p5")


if __name__ == "__main__":
    main(sys.argv[1])
