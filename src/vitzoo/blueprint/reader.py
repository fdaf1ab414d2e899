"""Read and write YAML as plain data: strings, numbers, true, false, null, lists and mappings. Nothing else.

The scalars are those of the YAML 1.2 core schema (``1e-3`` is a number, ``NO`` is a string). The data is built from
the parser's events without recursion, so hostile text can neither call a constructor, nor multiply itself through
aliases, nor exhaust the stack. Everything refused is refused with a ``BlueprintError`` that names line and column.
Reference: YAML 1.2.2, section 10.3, https://yaml.org/spec/1.2.2/#103-core-schema
"""

import math
import re
from typing import Any

import yaml

from vitzoo.errors import BlueprintError

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
MAX_NODES = 200_000  # twice as many as a grid may have cells; they are read in half a second
MAX_DIGITS = 64

_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser is ten times faster, where it exists


def decode(raw: bytes, origin: str) -> str:
    """Decode the bytes of a YAML file; ``origin`` names the file in errors."""
    if len(raw) > MAX_BYTES:
        raise BlueprintError(f"{origin} is larger than {MAX_BYTES:,} bytes, which no blueprint needs.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BlueprintError(f"{origin} is not UTF-8 text: byte {error.start:,} cannot be decoded.") from None


def read(text: str, origin: str = "the text") -> Any:
    """Read one YAML document into plain data.

    >>> read("lr: [1e-3, 3e-3]\\nanswer: NO")
    {'lr': [0.001, 0.003], 'answer': 'NO'}
    >>> read("a: 1\\na: 2")
    Traceback (most recent call last):
    vitzoo.errors.BlueprintError: the text, line 2, column 1: the key 'a' occurs twice.
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise BlueprintError(f"{origin} is not UTF-8 text.") from None
    if size > MAX_BYTES:
        raise BlueprintError(f"{origin} is larger than {MAX_BYTES:,} bytes, which no blueprint needs.")
    try:
        return _build(yaml.parse(text, Loader=_Parser), origin)
    except yaml.MarkedYAMLError as error:
        problem = error.problem or error.context or "unreadable"
        raise BlueprintError(f"{_place(origin, error.problem_mark)}: this is not YAML ({problem}).") from None
    except (yaml.YAMLError, ValueError) as error:
        raise BlueprintError(f"{origin} is not YAML: {str(error).splitlines()[0]}.") from None


def _build(events: Any, origin: str) -> Any:
    """Fold the parser's events into data; ``stack`` holds the open collections, each with its pending key."""
    document: list[Any] = []
    stack: list[_Open] = [_Open(document)]
    documents = 0
    for count, event in enumerate(events):
        place = _place(origin, event.start_mark)
        if count > MAX_NODES:
            raise BlueprintError(f"{place}: more than {MAX_NODES:,} values and brackets, which no blueprint needs.")
        _refuse(event, place)
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise BlueprintError(f"{place}: a second document starts here; expected one.")
        elif isinstance(event, yaml.CollectionEndEvent):
            stack.pop()
        elif isinstance(event, yaml.ScalarEvent):
            stack[-1].add_scalar(event, place)
        elif isinstance(event, yaml.CollectionStartEvent):
            child: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
            stack[-1].add(child, place)
            stack.append(_Open(child))
            if len(stack) > MAX_DEPTH + 1:
                raise BlueprintError(f"{place}: nested deeper than {MAX_DEPTH} levels.")
    return document[0] if document else None


class _Open:
    """A collection that is being filled; a mapping remembers the key whose value comes next."""

    def __init__(self, into: Any) -> None:
        self.into = into
        self.key: str | None = None

    def add(self, value: Any, place: str) -> None:
        if isinstance(self.into, list):
            self.into.append(value)
        elif self.key is None:
            raise BlueprintError(f"{place}: a key must be a name, not a list or mapping.")
        else:
            self.into[self.key] = value
            self.key = None

    def add_scalar(self, event: Any, place: str) -> None:
        if not isinstance(self.into, dict) or self.key is not None:
            self.add(_scalar(event.value, place) if event.implicit[0] else event.value, place)
        elif event.value in self.into:
            raise BlueprintError(f"{place}: the key {shorten(event.value)} occurs twice.")
        else:
            self.key = event.value


def _refuse(event: Any, place: str) -> None:
    """Refuse what plain data does not need: aliases, anchors, tags, and halves of a surrogate pair."""
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        raise BlueprintError(f"{place}: anchors (&) and aliases (*) are not allowed in a blueprint.")
    if getattr(event, "tag", None):
        raise BlueprintError(f"{place}: tags (!) are not allowed in a blueprint.")
    if isinstance(event, yaml.ScalarEvent) and re.search(r"[\ud800-\udfff]", event.value):
        raise BlueprintError(f"{place}: an escape that is no Unicode character.")


def _scalar(text: str, place: str) -> Any:
    """Resolve a plain scalar by the YAML 1.2 core schema."""
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    if _NOT_FINITE.fullmatch(text):
        raise BlueprintError(f"{place}: {text} is not a finite number.")
    based = _BASED.fullmatch(text)
    if not based and not _FLOAT.fullmatch(text):
        return text
    if len(text) > MAX_DIGITS:
        raise BlueprintError(f"{place}: a number of {len(text):,} characters; expected at most {MAX_DIGITS}.")
    if based or _INT.fullmatch(text):
        return int(text, 0) if based else int(text)
    if not math.isfinite(number := float(text)):
        raise BlueprintError(f"{place}: {text} is not a finite number.")
    return number + 0.0  # turns -0.0 into 0.0, which is the same number but would not be the same recipe


def _place(origin: str, mark: Any) -> str:
    return f"{origin}, line {mark.line + 1}, column {mark.column + 1}" if mark else origin


def shorten(value: object, width: int = 60) -> str:
    """Write a value for an error message: YAML's spelling, no control characters, at most ``width`` characters.

    >>> shorten(None), shorten(True), shorten("a" * 100, 8)
    ('null', 'true', "'aaaa...")
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        value = value[: width + 1]
    elif isinstance(value, (list, tuple)):
        text = ", ".join(shorten(item, width) for item in value[:width])
        return _cut(f"[{text}]", width)
    elif isinstance(value, dict):
        items = list(value.items())[:width]
        text = ", ".join(f"{ascii(str(key)[:width])[1:-1]}: {shorten(item, width)}" for key, item in items)
        return _cut(f"{{{text}}}", width)
    return _cut(ascii(value) if isinstance(value, str) else str(value), width)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


class _Dumper(yaml.SafeDumper):
    """Writes what ``read`` reads back: no aliases, and quotes around strings that look like numbers."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


for _pattern, _tag in ((_FLOAT, "float"), (_BASED, "int")):
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern.pattern})$"), None)


def write(data: Any) -> str:
    """Write plain data as YAML text that ``read`` reads back to the same data.

    >>> write({"lr": 1e-05, "name": "1e-3"})
    "lr: 1.0e-05\\nname: '1e-3'\\n"
    """
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
