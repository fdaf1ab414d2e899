"""What the README shows runs: its commands on a little zoo, its Python, and its list of make targets."""

import re
import shlex
from pathlib import Path

import pytest
from little_grow import vitzoo

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    lines = [line.partition(" #")[0].strip() for block in blocks("bash") for line in block.splitlines()]
    lines += [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines()]
    return [line for line in lines if line.startswith("vitzoo ")]


def test_there_are_examples() -> None:
    assert len(commands()) >= 6
    assert len(blocks("python")) == 1


@pytest.mark.parametrize("command", commands())
def test_command_runs(command: str, grown: Path, cache: Path) -> None:
    words = shlex.split(command)[1:]
    if words[0] == "grow":
        vitzoo(cache, *words, "--help")  # the demo grows it; here only that the words are understood
        return
    member = sorted((grown / "pretraining").iterdir())[0].name
    done = vitzoo(cache, *({"zoos/nano": str(grown), "MEMBER": member}.get(word, word) for word in words))
    assert done.stdout


def test_python_runs(grown: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = blocks("python")[0].replace("zoos/nano", str(grown))
    scope: dict[str, object] = {}
    exec(code, scope)  # noqa: S102
    assert type(scope["model"]).__name__ in ("VisionTransformer", "MLPHeadViT")


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
