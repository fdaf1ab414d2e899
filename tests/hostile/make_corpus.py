"""Write the corpus: one small file per hostile idea, and ``manifest.json``, which says what each must be refused with.

Usage: python tests/hostile/make_corpus.py

A line of the manifest: the file, its kind (``json``: for every reader of JSON), the reader's error and a phrase of its
message, and whether ``vitzoo verify`` finds it in a zoo (``finds``) or has nothing to say to it (``allows``).

The files are kept in git so that they are what was once refused, whatever libraries would write today.
"""

import json
from pathlib import Path

import corpus_blueprints
import corpus_json
import corpus_weights

CORPUS = Path(__file__).parent / "corpus"
SUFFIXES = {"weights": "safetensors", "blueprint": "yaml"}  # of others: json


def all_cases() -> dict[str, corpus_weights.Cases]:
    """Cases by kind; those of kind ``json`` are for every reader of JSON."""
    return {
        "weights": corpus_weights.cases(),
        "json": corpus_json.TEXTS,
        "config": corpus_json.configs(),
        "manifest": corpus_json.manifests(),
        "result": corpus_json.results(),
        "zoo": corpus_json.zoos(),
        "blueprint": corpus_blueprints.cases(),
    }


def files() -> tuple[dict[str, bytes], list[dict[str, str]]]:
    """Return the bytes of every file by its path in the corpus, and the manifest."""
    found, manifest = {}, []
    for kind, cases in all_cases().items():
        for name, (data, error, says) in cases.items():
            path = f"{kind}/{name}.{SUFFIXES.get(kind, 'json')}"
            found[path] = data
            allowed = kind == "blueprint" and name in corpus_blueprints.READABLE
            verify = "allows" if allowed else "finds"
            manifest.append({"file": path, "kind": kind, "error": error, "says": says, "verify": verify})
    return found, manifest


def main() -> None:
    found, manifest = files()
    for path, data in found.items():
        (CORPUS / path).parent.mkdir(parents=True, exist_ok=True)
        (CORPUS / path).write_bytes(data)
    lines = ",\n".join(json.dumps(line) for line in manifest)
    (CORPUS / "manifest.json").write_text(f"[\n{lines}\n]\n")
    print(f"{len(found)} files, {sum(map(len, found.values())):,} bytes")


if __name__ == "__main__":
    main()
