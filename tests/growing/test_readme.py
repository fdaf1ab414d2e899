"""What README and documents show runs: commands on a little zoo, the README's Python, and its list of make targets."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from little_grow import vitzoo

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


DOCUMENTS = [README, *((ROOT / "docs" / name).read_text() for name in ("lineage.md", "merging.md"))]


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands() -> list[str]:
    shown = [block for text in DOCUMENTS for block in blocks("bash", text)]
    lines = [line.partition(" #")[0].strip() for block in shown for line in block.splitlines()]
    lines += [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines()]
    return list(dict.fromkeys(line for line in lines if line.startswith("vitzoo ")))


def test_there_are_examples() -> None:
    assert len(commands()) >= 6
    assert len(blocks("python")) == 2


@pytest.mark.parametrize("command", commands())
def test_command_runs(command: str, grown: Path, cache: Path, tmp_path: Path) -> None:
    words = shlex.split(command)[1:]
    if words[0] in ("grow", "fetch", "import") or any("://" in word for word in words):
        vitzoo(cache, *words, "--help")  # the demo grows it, docs/interop.md fetches and imports; here only the words
        return
    members = iter(sorted(path.name for path in (grown / "pretraining").iterdir()))
    real = {"zoos/nano": str(grown), "DIR": str(tmp_path / "out")}
    if words[0] == "report" or words[:2] == ["merge", "study"]:
        words += ["--out", str(tmp_path)]
    if words[0] == "merge":  # the little zoo has another learning rate and seed, two epochs, and less time
        words = [word.replace("lr=0.001", "lr=0.003").replace("seed=42", "seed=1") for word in words]
        less = {"study": ["--last", "2"], "benchmark": ["--draws", "1", "--method", "procrustes"]}
        words += less.get(words[1], [])
    done = vitzoo(cache, *(next(members) if word == "MEMBER" else real.get(word, word) for word in words))
    assert done.stdout


def test_python_runs(copy: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cache").symlink_to(cache)
    code = "\n".join(blocks("python")).replace("zoos/nano", str(copy))
    scope: dict[str, Any] = {}
    exec(code, scope)  # noqa: S102
    assert type(scope["model"]).__name__ in ("VisionTransformer", "MLPHeadViT")
    assert len(scope["m"].members) == 10


def test_make_targets_and_files_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:`|^)make (\w+)", README + (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for path in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (ROOT / path).exists(), path


def test_the_tree_in_architecture_names_every_module() -> None:
    tree = (ROOT / "ARCHITECTURE.md").read_text().partition("## The tree")[2].partition("## Layers")[0]
    packages = {path.parent for path in (ROOT / "src" / "vitzoo").glob("*/*.py")}
    for module in sorted((ROOT / "src" / "vitzoo").glob("*/*.py")):
        if module.parent.name in ("cli",) or module.name == "__init__.py":
            continue
        assert module.name in tree, f"{module.parent.name}/{module.name} is not in the tree of ARCHITECTURE.md"
    for package in packages:
        assert f"{package.name}/" in tree, package.name
