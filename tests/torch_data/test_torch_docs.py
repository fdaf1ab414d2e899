"""docs/torch.md runs as it is written."""

import math
import re
from pathlib import Path

import pytest
from vit_zoo import arch

import vitzoo.torch
from vitzoo.model.shapes import parameter_shapes

TEXT = (Path(__file__).parents[2] / "docs" / "torch.md").read_text()


def test_examples_run(grown, capsys):
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(blocks) == 2
    names = {}
    for block in blocks:
        exec(compile(block.replace("zoos/nano", str(grown)), "docs/torch.md", "exec"), names)  # noqa: S102
    width = sum(math.prod(shape) for name, shape in parameter_shapes(arch()).items() if not name.startswith("head."))
    assert capsys.readouterr().out == f"torch.Size([12, {width}]) torch.Size([12])\n"
    assert set(names["y"]) == {"test_acc", "optimizer", "lr"}
    assert names["x"]["tokens"].shape == names["x"]["mask"].shape and names["x"]["tokens"].shape[2] == 65


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([A-Z][A-Za-z]+)(?:\([^`]*\))?`", TEXT))))
def test_what_is_named_with_a_capital_is_there(name):
    assert name in vitzoo.torch.__all__
