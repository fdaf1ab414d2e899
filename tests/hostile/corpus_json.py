"""Hostile JSON: texts that no reader may take, and sound JSON that is no config, manifest, result or zoo.json."""

import copy
import json
from collections.abc import Callable
from typing import Any

from corpus_weights import Cases, I
from hostile_zoo import CHILD, child_config

#: Refused by each of the four readers.
TEXTS: Cases = {
    "space": (b" \n", I, "not valid JSON"),
    "nul": (bytes(64), I, "not valid JSON"),
    "byte-order-mark": (b'\xef\xbb\xbf{"format": 1}', I, "not valid JSON"),
    "utf-16": ('{"format": 1}'.encode("utf-16"), I, "not valid JSON"),
    "latin-1": (b'{"name": "Z\xfcrich"}', I, "not valid JSON"),
    "overlong-utf-8": (b'{"name": "\xc0\xaf"}', I, "not valid JSON"),
    "truncated": (b'{"format": 1', I, "not valid JSON"),
    "trailing-garbage": (b'{"format": 1} x', I, "not valid JSON"),
    "comment": (b'{"format": 1 /* one */}', I, "not valid JSON"),
    "control-character": (b'{"name": "\x1b[2J"}', I, "not valid JSON"),
    "single-quotes": (b"{'format': 1}", I, "not valid JSON"),
    "nan": (b'{"format": NaN}', I, "NaN is not a JSON number"),
    "infinity": (b'{"format": -Infinity}', I, "-Infinity is not a JSON number"),
    "1e999": (b'{"format": 1e999}', I, "too large for a number"),
    "integer-of-20-digits": (b'{"format": 1' + b"0" * 19 + b"}", I, "too large for a whole number"),
    "integer-of-5000-digits": (b'{"format": ' + b"1" * 5000 + b"}", I, "too large for a whole number"),
    "key-twice": (b'{"format": 1, "format": 1}', I, "a key occurs twice"),
    "key-twice-deep-inside": (b'{"a": [{"b": {"c": 1, "\\u0063": 2}}]}', I, "a key occurs twice"),
    "half-a-character": (b'{"name": "\\ud800"}', I, "not valid JSON"),
    "nested-33": (b'{"a":' * 33 + b"1" + b"}" * 33, I, "nested more than 32 deep"),
    "nested-2000": (b"[" * 2000 + b"]" * 2000, I, "not valid JSON"),
    "null": (b"null", I, ""),
    "list": (b"[]", I, ""),
    "text": (b'"format"', I, ""),
    "yaml": (b"format: 1\n", I, "not valid JSON"),
    "pickle": (b"cposix\nsystem\n(S'touch canary-was-here'\ntR.", I, "not valid JSON"),
}

Change = Callable[[dict[str, Any]], object]


def _changed(of: dict[str, Any], changes: dict[str, tuple[Change, str, str]]) -> Cases:
    found = {}
    for name, (change, error, says) in changes.items():
        value = copy.deepcopy(of)
        change(value)
        found[name] = (json.dumps(value, indent=1).encode(), error, says)
    return found


def _args(**changes: Any) -> Change:
    return lambda config: config["model_args"].update(changes)


def _recipe(group: str, **changes: Any) -> Change:
    return lambda config: config["recipe"][group].update(changes)


def _without_args(config: dict[str, Any]) -> None:
    """Leave the architecture to the recipe."""
    for key in ("architecture", "num_classes", "num_features", "global_pool", "model_args", "pretrained_cfg"):
        del config[key]
    config["recipe"]["architecture"]["depth"] = 3000


def configs() -> Cases:
    bad, model = "has no valid", "describes no model that vitzoo grows"
    return _changed(
        child_config(),
        {
            "format-2": (lambda c: c.update(format=2), I, "has format '2'"),
            "format-true": (lambda c: c.update(format=True), I, "has format 'True'"),
            "format-float": (lambda c: c.update(format=1.0), I, "has format '1.0'"),
            "no-recipe": (lambda c: c.pop("recipe"), I, "lacks 'recipe'"),
            "name-of-another": (lambda c: c.update(name="other"), I, "belongs to another member"),
            "name-leads-out": (lambda c: c.update(name="../../etc"), I, f"{bad} 'name'"),
            "name-of-a-device": (lambda c: c.update(name="CON"), I, f"{bad} 'name'"),
            "name-with-escape": (lambda c: c.update(name="\x1b[31mft"), I, f"{bad} 'name'"),
            "id-in-capitals": (lambda c: c.update(id="A" * 64), I, f"{bad} 'id'"),
            "stage-unknown": (lambda c: c.update(stage="distilling"), I, f"{bad} 'stage'"),
            "stage-list": (lambda c: c.update(stage=["finetuning"]), I, f"{bad} 'stage'"),
            "parent-leads-out": (lambda c: c["parent"].update(member=".."), I, f"{bad} 'parent'"),
            "parent-null": (lambda c: c.update(parent=None), I, f"{bad} 'parent'"),
            "recipe-list": (lambda c: c.update(recipe=[]), I, f"{bad} 'recipe'"),
            "epochs-true": (_recipe("hyperparameters", epochs=True), I, f"{bad} 'recipe'"),
            "epochs-zero": (_recipe("hyperparameters", epochs=0), I, f"{bad} 'recipe'"),
            "checkpoints-every-zero": (_recipe("checkpoints", every=0), I, f"{bad} 'recipe.checkpoints'"),
            "depth-3000": (
                _args(depth=3000),
                "InputError",
                f"{model}: depth: Input should be less than or equal to 64",
            ),
            "dim-2-to-30": (_args(embed_dim=2**30), "InputError", f"{model}: dim"),
            "dim-text": (_args(embed_dim="4"), "InputError", f"{model}: dim"),
            "heads-zero": (_args(num_heads=0), "InputError", f"{model}: heads"),
            "heads-do-not-divide": (_args(num_heads=3), "InputError", "a multiple of heads 3"),
            "patch-does-not-divide": (_args(patch_size=3), "InputError", "a multiple of patch_size 3"),
            "ratio-1e308": (_args(mlp_ratio=1e308), "InputError", f"{model}: mlp_ratio"),
            "argument-unknown": (_args(act_layer="os.system"), "InputError", "and no others"),
            "argument-missing": (lambda c: c["model_args"].pop("depth"), "InputError", "model_args are not"),
            "arguments-list": (lambda c: c.update(model_args=[1]), "InputError", "model_args are not"),
            "architecture-elsewhere": (
                lambda c: c.update(architecture="hf-hub:evil/model"),
                "InputError",
                "'hf-hub:evil/model' is neither",
            ),
            "classes-minus-1": (lambda c: c.update(num_classes=-1), "InputError", f"{model}: outputs"),
            "classes-null": (lambda c: c.update(num_classes=None), "InputError", "num_classes must be a number"),
            "pool-other": (lambda c: c.update(global_pool="avg"), "InputError", "global_pool 'token'"),
            "recipe-disagrees": (_recipe("architecture", dim=8), I, "has another dim in its recipe"),
            "recipe-depth-3000": (_without_args, I, "a recipe of no model: depth"),
        },
    )


def manifests() -> Cases:
    digest = "0" * 64
    edge = {"member": CHILD, "epoch": 0, "sha256": digest}
    files = {name: {"sha256": digest, "size": 1} for name in ("model.safetensors", "config.json")}
    sound = {"format": 1, "member": CHILD, "epoch": 1, "parent": edge, "files": files, "metrics": {"test_acc": 0.5}}
    entry, metrics = "does not give digest and size", "has metrics that are not"
    return _changed(
        sound,
        {
            "format-2": (lambda m: m.update(format=2), I, "has format '2'"),
            "member-other": (lambda m: m.update(member="../pre"), I, "speaks of another checkpoint"),
            "epoch-true": (lambda m: m.update(epoch=True), I, "speaks of another checkpoint"),
            "epoch-text": (lambda m: m.update(epoch="1"), I, "speaks of another checkpoint"),
            "file-more": (lambda m: m["files"].update({"data.pkl": files["config.json"]}), I, entry),
            "file-leads-out": (lambda m: m["files"].update({"../../x": files["config.json"]}), I, entry),
            "files-list": (lambda m: m.update(files=[1]), I, entry),
            "digest-short": (lambda m: m["files"]["config.json"].update(sha256="00"), I, entry),
            "size-negative": (lambda m: m["files"]["config.json"].update(size=-1), I, entry),
            "size-2-to-60": (lambda m: m["files"]["config.json"].update(size=2**60), I, entry),
            "size-true": (lambda m: m["files"]["config.json"].update(size=True), I, entry),
            "parent-leads-out": (lambda m: m["parent"].update(member="../.."), I, "has a 'parent' that is not"),
            "parent-text": (lambda m: m.update(parent="ft"), I, "has a 'parent' that is not"),
            "metric-text": (lambda m: m["metrics"].update(test_acc="1"), I, metrics),
            "metric-true": (lambda m: m["metrics"].update(test_acc=True), I, metrics),
            "metric-named-by-sql": (lambda m: m["metrics"].update({'x" FROM y; --': 1}), I, metrics),
            "metrics-257": (lambda m: m.update(metrics={f"m{i}": 1 for i in range(257)}), I, metrics),
        },
    )


def results() -> Cases:
    says = "not the metrics of an epoch after"
    return {
        "epochs-fall": (b'{"epoch": 1}\n{"epoch": 0}\n', I, says),
        "epoch-twice": (b'{"epoch": 0}\n{"epoch": 0}\n', I, says),
        "epoch-negative": (b'{"epoch": -1}\n', I, says),
        "epoch-true": (b'{"epoch": true}\n', I, says),
        "epoch-of-19-digits": (b'{"epoch": 9999999999999999999}\n', I, "too large for a whole number"),
        "epoch-after-the-end": (b'{"epoch": 0, "diverged": true}\n{"epoch": 1}\n', I, says),
        "diverged-text": (b'{"epoch": 0, "diverged": "no"}\n', I, says),
        "metric-list": (b'{"epoch": 0, "test_acc": [1]}\n', I, says),
        "metric-nan": (b'{"epoch": 0, "test_acc": NaN}\n', I, "NaN is not a JSON number"),
        "empty-line": (b'{"epoch": 0}\n\n{"epoch": 1}\n', I, "not valid JSON"),
        "array": (b'[{"epoch": 0}, {"epoch": 1}]\n', I, says),
    }


def zoos() -> Cases:
    sound = {"format": 1, "name": "hostile", "licence": "CC0-1.0", "execution": {}}
    says = "of the wrong type"
    return _changed(
        sound,
        {
            "format-2": (lambda z: z.update(format=2), I, "Update vitzoo to read it"),
            "format-list": (lambda z: z.update(format=[1]), I, "Update vitzoo to read it"),
            "name-clears-the-screen": (lambda z: z.update(name="\x1b[2J\x1b[H"), I, says),
            "name-of-two-lines": (lambda z: z.update(name="zoo\nerror: none"), I, says),
            "name-turns-text-around": (lambda z: z.update(name="zoo\u202e"), I, says),
            "name-list": (lambda z: z.update(name=["zoo"]), I, says),
            "licence-null": (lambda z: z.update(licence=None), I, says),
            "execution-text": (lambda z: z.update(execution="cpu"), I, says),
            "no-licence": (lambda z: z.pop("licence"), I, "lacks 'licence'"),
        },
    )
