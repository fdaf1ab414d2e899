"""Which engine, and its settings: ``--engine ray --address HOST:PORT --engine-option gpus=0.25``."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from vitzoo.blueprint.schema import Fields
from vitzoo.errors import InputError, nearest
from vitzoo.growing.engines.contract import Engine

ENGINES = ("local", "ray", "slurm")
Options = TypeVar("Options", bound=Fields)


@dataclass(frozen=True)
class Wanted:
    """An engine as the user asks for it."""

    engine: str = "local"
    address: str | None = None
    options: tuple[str, ...] = ()


def choose_engine(wanted: Wanted, zoo: Path) -> Engine:
    """Return the engine asked for, to grow ``zoo``; nothing is started or connected to yet.

    Raises:
        InputError: an unknown engine or option, an impossible value, or a package that is not installed.
    """
    if wanted.address is not None and wanted.engine != "ray":
        raise InputError(f"--address is the address of a Ray cluster; --engine {wanted.engine} has none.")
    if wanted.engine == "local":
        from vitzoo.growing.engines.local import LocalEngine

        if wanted.options:
            raise InputError(f"--engine local has no options, and {wanted.options[0]!r} was given.")
        return LocalEngine()
    if wanted.engine == "ray":
        from vitzoo.growing.engines.ray.engine import RayEngine, RayOptions

        return RayEngine(wanted.address, parse("ray", RayOptions, wanted.options))
    if wanted.engine == "slurm":
        from vitzoo.growing.engines.slurm.engine import SlurmEngine, SlurmOptions

        return SlurmEngine(zoo, parse("slurm", SlurmOptions, wanted.options))
    hint = nearest(wanted.engine, ENGINES)
    raise InputError(f"--engine {wanted.engine!r} is not known; use {', '.join(ENGINES[:-1])} or {ENGINES[-1]}.{hint}")


def parse(engine: str, fields: type[Options], given: Sequence[str]) -> Options:
    """Read ``key=value`` settings into an engine's fields.

    Raises:
        InputError: a setting without "=", an unknown key, or a value that does not fit.
    """
    values: dict[str, str] = {}
    for setting in given:
        key, equals, value = setting.partition("=")
        if not equals or key not in fields.model_fields:
            known = ", ".join(fields.model_fields)
            hint = nearest(key, fields.model_fields)
            raise InputError(f"--engine-option {setting!r}: --engine {engine} has the options {known}.{hint}")
        values[key] = value
    try:
        return fields.model_validate(values, strict=False)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"--engine-option {first['loc'][0]}={first['input']}: {first['msg']}.") from None
