"""A config from a stranger reaches no constructor: it and weights of other models are refused before one is built."""

import json
import sys
from pathlib import Path

import pytest
from hostile_zoo import plant
from make_corpus import CORPUS

from vitzoo.errors import InputError, IntegrityError
from vitzoo.zoo import Zoo

CASES = [case for case in json.loads((CORPUS / "manifest.json").read_text()) if case["error"] == "InputError"]
MODELS = sorted(
    path.name for path in (CORPUS / "weights").glob("model-*") if path.name != "model-of-integers.safetensors"
)


@pytest.fixture(autouse=True)
def nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this module no timm model can be made."""
    monkeypatch.setitem(sys.modules, "vitzoo.model.timm_entry", None)


@pytest.mark.parametrize("case", CASES, ids=[case["file"] for case in CASES])
def test_a_config_out_of_range_builds_nothing(case: dict[str, str], root: Path) -> None:
    plant(root, "config", (CORPUS / case["file"]).read_bytes())
    with pytest.raises(InputError) as caught:
        Zoo.open(root).checkpoint("ft", 1).to_timm()
    assert case["says"] in str(caught.value)
    assert "config.json" in str(caught.value)


@pytest.mark.parametrize("name", MODELS)
def test_weights_of_another_model_build_nothing(name: str, root: Path) -> None:
    plant(root, "weights", (CORPUS / "weights" / name).read_bytes())
    with pytest.raises(IntegrityError, match="the config declares"):
        Zoo.open(root).checkpoint("ft", 1).to_timm()


def test_a_config_that_declares_nothing_builds_nothing(root: Path) -> None:
    config = json.loads((root / "pretraining/pre/config.json").read_bytes())
    del config["model_args"]
    (root / "pretraining/pre/config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="it has no model_args"):
        Zoo.open(root).checkpoint("pre", 1).to_timm()
