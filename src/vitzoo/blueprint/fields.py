"""Walk the fields of the schema by dotted path, and say in one sentence what is wrong with a field."""

from collections.abc import Sequence
from typing import Any, NoReturn, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from vitzoo.blueprint.reader import shorten
from vitzoo.errors import BlueprintError, nearest

Model = TypeVar("Model", bound=BaseModel)


def submodel(annotation: Any) -> type[BaseModel] | None:
    """Return the model behind an annotation such as ``Crop | None``, or ``None`` for a plain value."""
    for option in (annotation, *get_args(annotation)):
        if isinstance(option, type) and issubclass(option, BaseModel):
            return option
    return None


def known_paths(model: type[BaseModel], prefix: str = "") -> list[str]:
    """List the dotted paths of all fields below a model.

    >>> from vitzoo.blueprint.schema import Adaptation
    >>> known_paths(Adaptation)
    ['image_size', 'init', 'head', 'head.kind', 'head.hidden', 'head.outputs']
    """
    paths: list[str] = []
    for name, field in model.model_fields.items():
        paths.append(prefix + name)
        if child := submodel(field.annotation):
            paths += known_paths(child, f"{prefix}{name}.")
    return paths


def check_path(model: type[BaseModel], path: str, where: str, prefix: str = "") -> None:
    """Raise unless ``path`` is a field below ``model``; ``where`` says who named it, ``prefix`` is the stage."""
    known = known_paths(model)
    if path in known:
        return
    leaf = path.rsplit(".", 1)[-1]
    sameleaf = next((name for name in known if name.rsplit(".", 1)[-1] == leaf), None)
    guess = f" Did you mean {prefix + sameleaf!r}?" if sameleaf else nearest(prefix + path, [prefix + k for k in known])
    raise BlueprintError(f"{where} names {shorten(prefix + path)}, which is not a field.{guess}")


def dotted(location: Sequence[str | int]) -> str:
    """Write a location as a path: names with dots, positions in brackets.

    >>> dotted(("finetuning", "dataset", "mean", 0))
    'finetuning.dataset.mean[0]'
    """
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def validate(model: type[Model], data: Any, prefix: str) -> Model:
    """Validate plain data; the first problem becomes a ``BlueprintError`` with the field's full dotted path."""
    if not isinstance(data, dict):
        raise BlueprintError(f"{prefix or 'The blueprint'} is {shorten(data)}; expected a mapping of fields.")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        _raise(model, min(error.errors(include_url=False), key=_severity), prefix)


def _severity(problem: ErrorDetails) -> int:
    """An unknown field explains a missing one (a typing error causes both), so it is told first."""
    return {"extra_forbidden": 0, "missing": 2}.get(problem["type"], 1)


def _raise(model: type[BaseModel], problem: ErrorDetails, prefix: str) -> NoReturn:
    context = problem.get("ctx", {})
    location = [*([prefix] if prefix else []), *problem["loc"]]
    value = problem["input"]
    if problem["type"] == "extra_forbidden":
        _raise_unknown(model, problem, prefix)
    if problem["type"] == "missing":
        raise BlueprintError(f"{dotted(location)} is missing; {_describe(model, problem['loc'])}.")
    if problem["type"] == "misfit":
        location, value, expected = [*location, context["field"]], context["value"], context["expected"]
    else:
        expected = _expected(problem)
    options = [option.strip("' ") for option in str(context.get("expected", "")).replace(" or ", ",").split(",")]
    guess = nearest(value, options) if isinstance(value, str) and problem["type"] == "literal_error" else ""
    end = "" if expected.endswith(("?", ".")) else "."
    raise BlueprintError(f"{dotted(location)} is {shorten(value)}; expected {expected}{end}{guess}")


def _expected(problem: ErrorDetails) -> str:
    """Say what pydantic expected, in a blueprint's words."""
    plain = {
        "model_type": "a mapping of fields",
        "tuple_type": "a list of numbers",
        "int_type": "an integer",
        "float_type": "a number",
        "string_type": "a text",
        "bool_type": "true or false",
        "string_pattern_mismatch": "letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 64",
    }
    if problem["type"] in plain:
        return plain[problem["type"]]
    message = problem["msg"].removeprefix("Input should be ")
    return f"a number {message}" if message.startswith(("greater", "less")) else message


def _raise_unknown(model: type[BaseModel], problem: ErrorDetails, prefix: str) -> NoReturn:
    *parents, name = problem["loc"]
    owner = _owner(model, parents)
    siblings = list(owner.model_fields) if owner else []
    guess = nearest(str(name), siblings)
    known = guess or f" Known fields: {', '.join(siblings)}."
    path = dotted([*([prefix] if prefix else []), *parents, shorten(name).strip("'")])
    raise BlueprintError(f"{path} is {shorten(problem['input'])}, but there is no such field.{known}")


def _owner(model: type[BaseModel], location: Sequence[str | int]) -> type[BaseModel] | None:
    """Return the model at a location below another."""
    for part in location:
        child = submodel(model.model_fields[str(part)].annotation)
        if child is None:
            return None
        model = child
    return model


def _describe(model: type[BaseModel], location: Sequence[str | int]) -> str:
    """Say what a missing field should hold: its description if it has one."""
    if isinstance(location[-1], int):
        return "expected one more number in the list"
    owner = _owner(model, location[:-1])
    field = owner.model_fields.get(location[-1]) if owner else None
    if field is None:
        return "it is required"
    kind = "mapping" if submodel(field.annotation) else getattr(field.annotation, "__name__", "value")
    names = {"int": "an integer", "float": "a number", "str": "a text", "mapping": "a mapping of fields"}
    return f"expected {names.get(kind, 'a value')}{f' ({field.description})' if field.description else ''}"
