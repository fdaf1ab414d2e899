"""Any checkpoint is a timm model: with stock timm where the head is linear, after one import where it is an MLP."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from little_grow import environment

from vitzoo.blueprint.schema import Backbone
from vitzoo.model.vit import forward
from vitzoo.zoo import Member, Zoo

LOAD = """
import json, sys
from vitzoo.compat import ensure_torchvision
ensure_torchvision()
import timm
from safetensors.torch import load_file
assert not any(name.startswith("vitzoo.") and name != "vitzoo.compat" for name in sys.modules)
for folder in sys.argv[1:]:
    if folder == "mlp":
        import vitzoo.model.timm_entry
        continue
    model = timm.create_model("local-dir:" + folder, pretrained=True)
    state, stored = model.state_dict(), load_file(folder + "/model.safetensors")
    assert list(state) == list(stored)
    assert all((state[name] == stored[name]).all() for name in stored)
    assert model.pretrained_cfg["input_size"][-1] == 8
    print(model.num_classes)
"""


def members(zoo: Path, head: str) -> list[Member]:
    return [m for m in Zoo.open(zoo).members() if m.recipe["architecture"]["head"]["kind"] == head]


def test_stock_timm_loads_our_checkpoints(grown: Path, cache: Path) -> None:
    linear, mlp = members(grown, "linear"), members(grown, "mlp")
    folders = [str(m.checkpoint().path) for m in linear]
    words = [sys.executable, "-c", LOAD, *folders, "mlp", *(str(m.checkpoint().path) for m in mlp)]
    done = subprocess.run(words, capture_output=True, text=True, env=environment(cache), check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(m.recipe["architecture"]["head"]["outputs"]) for m in linear + mlp]


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_to_timm_has_our_logits(grown: Path, head: str) -> None:
    images = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    for member in members(grown, head):
        arch = Backbone.model_validate(member.recipe["architecture"])
        checkpoint = member.checkpoint()
        stacked = {name: tensor.unsqueeze(0) for name, tensor in checkpoint.state_dict().items()}
        with torch.no_grad():
            torch.testing.assert_close(
                checkpoint.to_timm()(images), forward(stacked, images.unsqueeze(0), arch)[0], rtol=1e-5, atol=1e-5
            )
