"""What does not fit into memory is computed in smaller pieces: the same step, tried again, and said so."""

import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
import torch
from little_population import LINEAR, MIXED, PROJECTION, VIEWS, population, recipe

from vitzoo.blueprint.schema import Head
from vitzoo.model.shapes import tokens
from vitzoo.training import evaluate, loop, passes
from vitzoo.training.fitting import Fitting, out_of_memory
from vitzoo.training.start import from_scratch

TOKENS = tokens(recipe().architecture)
ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory: you tried to ..."),
]


class Small:
    """A forward pass that fits ``room`` images of members, and remembers what did not."""

    def __init__(self, room: int, error: Exception):
        self.room, self.error, self.failed = room, error, 0
        self.real = passes.forward

    def __call__(self, params: dict[str, torch.Tensor], images: torch.Tensor, *rest: Any) -> torch.Tensor:
        if len(params["cls_token"]) * images.shape[1] > self.room:
            self.failed += 1
            raise self.error
        return self.real(params, images, *rest)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Small:
    found = Small(*request.param)
    monkeypatch.setattr(passes, "forward", found)
    monkeypatch.setattr(evaluate, "forward", found)
    return found


def life(head: Head, more: dict[str, Any], micro: int | None = None) -> tuple[loop.Epoch, list[str]]:
    """Train three members to the end."""
    torch.set_num_threads(1)
    recipes = [recipe(head, **more, seed=seed, epochs=1) for seed in (7, 8, 7)]
    stack = population(recipes, "float64")
    stack = replace(stack, compute=replace(stack.compute, micro=micro))
    told: list[str] = []
    begun = loop.begin(stack, list(map(from_scratch, recipes)))
    return list(loop.train(stack, begun, warn=told.append))[-1], told


@pytest.mark.parametrize(("head", "more"), [(LINEAR, MIXED), (PROJECTION, VIEWS)], ids=["supervised", "contrastive"])
@pytest.mark.parametrize("small", [(room, ERRORS[room % 3]) for room in (3, 7, 20)], indirect=True)
def test_a_step_that_does_not_fit_is_halved_until_it_does(small: Small, head: Head, more: dict[str, Any]) -> None:
    room, small.room = small.room, 10**9
    whole, nothing = life(head, more)
    small.room = room
    cut, told = life(head, more)
    assert nothing == [] and small.failed > 0
    assert len(told) == small.failed < 14  # halving, and once found the size is kept
    assert "did not fit into memory; going on with micro-batches of " in told[0]
    used = cut.metrics[0] and cut.metrics[0]["micro"]
    assert used and room * TOKENS / 2 <= used <= room * TOKENS
    assert told[-1].endswith(f" {int(used):,} tokens.")
    torch.testing.assert_close(cut.state.flat, whole.state.flat, rtol=1e-9, atol=1e-9)
    assert whole.metrics[0] and "micro" not in whole.metrics[0]


@pytest.mark.parametrize("small", [(9, ERRORS[0])], indirect=True)
def test_the_same_bits_as_with_that_size_from_the_start(small: Small) -> None:
    found, told = life(LINEAR, MIXED)
    small.room = 10**9
    assert found.metrics[0]
    asked, nothing = life(LINEAR, MIXED, micro=int(found.metrics[0]["micro"]))
    assert told and not nothing
    assert torch.equal(found.state.flat, asked.state.flat)


@pytest.mark.parametrize("small", [(0, error) for error in ERRORS], indirect=True)
def test_one_image_that_does_not_fit_is_the_end(small: Small) -> None:
    with pytest.raises(type(small.error)):
        life(LINEAR, MIXED)


def test_other_errors_are_not_tried_again() -> None:
    tried = []

    def work(cut: object) -> None:
        tried.append(cut)
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        Fitting().run(work, 3, 16, 5)
    assert len(tried) == 1


def test_what_allocators_really_say() -> None:
    with pytest.raises(RuntimeError) as torchs:
        torch.empty(1 << 58)
    with pytest.raises(MemoryError) as pythons:
        bytes(1 << 62)
    assert out_of_memory(torchs.value) and out_of_memory(pythons.value)
    assert not out_of_memory(ValueError("out of memory"))


LIMITED = """
import resource, sys
from pathlib import Path
sys.path[:0] = {path!r}
import torch
from little_population import *
from vitzoo.training import loop
torch.set_num_threads(1)
big = recipe(batch_size=64, epochs=1).model_copy(update={{"architecture": backbone(dim=96, depth=8, patch_size=1)}})
stack = population([big] * 2, "float32")
begun = loop.begin(stack, [from_scratch(big)] * 2)
told = []
used = next(int(l.split()[1]) for l in Path("/proc/self/status").read_text().splitlines() if l.startswith("VmSize"))
resource.setrlimit(resource.RLIMIT_AS, (used * 1024 + {room} * 2**20,) * 2)
for epoch in loop.train(stack, begun, warn=told.append):
    last = epoch
print(len(told), last.metrics[0]["micro"], last.metrics[0]["test_loss"])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are Linux's")
def test_real_memory_that_runs_out() -> None:
    """Two members on 64 images of 65 tokens take more than 600 MiB of activations; there are 300.

    The limit counts addresses, so glibc is told to hand back at once what is freed, whatever lies above it.
    """
    done = subprocess.run(
        [sys.executable, "-c", LIMITED.format(path=sys.path, room=300)],
        capture_output=True,
        text=True,
        timeout=100,
        env=os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "1"},
    )
    assert done.returncode == 0, done.stderr
    halvings, micro, loss = done.stdout.split()
    assert int(halvings) >= 1
    assert 0 < float(micro) < 2 * 64 * 65
    assert 0 < float(loss) < 100
