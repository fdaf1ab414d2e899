"""What commands are given as a zoo: a place to read from, or a directory to write to."""

from pathlib import Path
from typing import Annotated

import typer


def directory(text: str) -> Path:
    """Return a directory to write to; InputError if it is an address."""
    from vitzoo.zoo.remote.address import check_directory  # only here: --help needs no zoo

    return check_directory(text)


ZooPlace = Annotated[
    str,
    typer.Argument(help="Directory of the zoo, or its address: s3://…, https://… or hf://datasets/…"),
]
ZooDirectory = Annotated[
    Path,
    typer.Option("--zoo", parser=directory, metavar="DIR", help="Directory of the zoo; made if it is not there."),
]
