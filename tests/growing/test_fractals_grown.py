"""A zoo grown on fractals that are drawn on the fly is the zoo grown on the same fractals from the cache."""

from pathlib import Path

from little_grow import FIXED, TEXT, vitzoo

from vitzoo.zoo import Zoo

FRACTALS = "{classes: 10, train_per_class: 12, test_per_class: 4, size: 8, points: 400, live: %s}"


def digests(zoo: Path) -> dict[str, list[str]]:
    return {member.name: [each.sha256 for each in member.checkpoints()] for member in Zoo.open(zoo).members()}


def test_live_and_cached_images_grow_the_same_zoo(tmp_path: Path) -> None:
    found = {}
    for live in ("true", "false"):
        dataset = f"dataset: {{source: fractals, fractals: {FRACTALS % live}}}"
        backbones = TEXT.partition("finetuning:")[0]
        text = backbones.replace("dataset: {source: digits, train_limit: 128, test_limit: 50}", dataset)
        (tmp_path / f"{live}.yaml").write_text(text)
        cache, zoo = tmp_path / f"cache-{live}", tmp_path / f"zoo-{live}"
        vitzoo(cache, "grow", tmp_path / f"{live}.yaml", "--zoo", zoo, *FIXED, "--workers", "1")
        found[live] = digests(zoo)
        assert any(cache.glob("fractals-*")) == (live == "false")
    assert found["true"] == found["false"] and len(found["true"]) == 2
    vitzoo(tmp_path / "cache-true", "verify", tmp_path / "zoo-true")
