"""torchvision and timm can be imported, healthy build or not."""

import subprocess
import sys


def test_import_in_a_fresh_process():
    code = "from vitzoo.compat import ensure_torchvision as e; e(); e(); import torchvision, timm"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_other_failures_pass_through():
    code = (
        "import sys, types, builtins\n"
        "from vitzoo import compat\n"
        "real = builtins.__import__\n"
        "def fake(name, *rest, **named):\n"
        "    if name == 'torchvision': raise RuntimeError('something else')\n"
        "    return real(name, *rest, **named)\n"
        "builtins.__import__ = fake\n"
        "try: compat.ensure_torchvision()\n"
        "except RuntimeError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "something else\n"
