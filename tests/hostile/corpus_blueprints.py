"""Hostile blueprints: YAML that multiplies, calls or nests, and grids and models beyond all bounds."""

from corpus_weights import Cases
from hostile_zoo import BLUEPRINT

B = "BlueprintError"
LAUGHS = b"".join(b"a%d: &a%d [%s]\n" % (i, i, b", ".join([b"*a%d" % (i - 1) if i else b"lol"] * 9)) for i in range(8))


def _with(old: str, new: str) -> bytes:
    assert old in BLUEPRINT
    return BLUEPRINT.replace(old, new).encode()


def _grid(text: str) -> bytes:
    return f"{BLUEPRINT}  grid: {text}\n".encode()


SEEDS = "[" + ", ".join(map(str, range(400))) + "]"
MORE = f"hyperparameters.batch_size: {SEEDS}"

YAML: Cases = {
    "nothing": (b"", B, "is empty"),
    "list": (b"- vitzoo: 1\n", B, "expected a mapping of fields"),
    "nul": (b"vitzoo: 1\n\0", B, "not YAML"),
    "png": (b"\x89PNG\r\n\x1a\n", B, "not UTF-8"),
    "utf-16": (BLUEPRINT[:20].encode("utf-16"), B, "not UTF-8"),
    "billion-laughs": (LAUGHS, B, "anchors (&) and aliases (*) are not allowed"),
    "alias-of-itself": (b"a: &a [*a]\n", B, "anchors (&) and aliases (*) are not allowed"),
    "tag-calls": (b"a: !!python/object/apply:os.system [touch canary-was-here]\n", B, "tags (!) are not allowed"),
    "tag-names": (b"a: !!python/name:os.system\n", B, "tags (!) are not allowed"),
    "tag-directive": (b"%TAG ! tag:evil,2020:\n---\na: !x 1\n", B, "tags (!) are not allowed"),
    "key-twice": (b"vitzoo: 1\nvitzoo: 1\n", B, "occurs twice"),
    "key-of-a-list": (b"? [1, 2]\n: 3\n", B, "a key must be a name"),
    "two-documents": (b"vitzoo: 1\n---\nvitzoo: 1\n", B, "a second document"),
    "nested-brackets": (b"[" * 5000, B, "nested deeper than 32"),
    "nested-dashes": (b"- " * 2500, B, "nested deeper than 32"),
    "nested-maps": (b"{a: " * 1500, B, "nested deeper than 32"),
    "integer-of-5000-digits": (b"vitzoo: " + b"1" * 5000 + b"\n", B, "5,000 characters"),
    "hexadecimal-of-5000-digits": (b"vitzoo: 0x" + b"f" * 5000 + b"\n", B, "5,002 characters"),
    "not-a-number": (_with("lr: 1e-3", "lr: .nan"), B, "not a finite number"),
    "1e999": (_with("lr: 1e-3", "lr: 1e999"), B, "not a finite number"),
    "half-a-character": (b'name: "\\ud800"\n', B, "Unicode"),
    "bad-escape": (b'name: "\\x1"\n', B, "not YAML"),
}
VALUES: Cases = {
    "version-2": (_with("vitzoo: 1", "vitzoo: 2"), B, "vitzoo is 2"),
    "version-true": (_with("vitzoo: 1", "vitzoo: true"), B, "vitzoo is true"),
    "name-leads-out": (_with("name: hostile", "name: ../../etc"), B, "expected letters, digits"),
    "name-with-escape": (_with("name: hostile", 'name: "\\e[2J"'), B, "expected letters, digits"),
    "field-unknown": (_with("depth: 1", "depth: 1, __class__: x"), B, "there is no such field"),
    "depth-3000": (_with("depth: 1", "depth: 3000"), B, "depth is 3000"),
    "depth-true": (_with("depth: 1", "depth: true"), B, "depth is true"),
    "dim-2-to-40": (_with("dim: 4", "dim: 1099511627776"), B, "dim is 1099511627776"),
    "epochs-of-60-digits": (_with("epochs: 1", "epochs: 1" + "0" * 60), B, "epochs is 1000"),
    "merge-key": (_with("dataset: digits", "<<: {dataset: digits}"), B, "there is no such field"),
    "source-unknown": (_with("dataset: digits", "dataset: 'https://evil.example/x.tar'"), B, "source"),
    "grid-of-billions": (
        _grid(f"{{product: {{hyperparameters.seed: {SEEDS}, hyperparameters.epochs: {SEEDS}, {MORE}}}}}"),
        B, "cells; expected at most",
    ),
    "grid-empty": (_grid("{product: {hyperparameters.seed: []}}"), B, "is empty"),
    "grid-runs": (_grid("{eval: {hyperparameters.seed: [1]}}"), B, "eval"),
    "grid-sets-a-method": (_grid("{product: {model_config.extra: [1]}}"), B, "is not a field"),
}  # fmt: skip


#: Plain data all the same: a zoo may hold them, nobody can grow them.
READABLE = frozenset({"nothing", *VALUES})


def cases() -> Cases:
    return {**YAML, **VALUES}
