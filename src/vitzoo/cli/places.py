"""What commands are given as a zoo: a place to read from, or a directory to write to."""

from pathlib import Path
from typing import Annotated

import typer

from vitzoo.zoo.remote.address import check_directory

ZooPlace = Annotated[
    str,
    typer.Argument(help="Directory of the zoo, or its address: s3://…, https://… or hf://datasets/…"),
]
ZooDirectory = Annotated[
    Path,
    typer.Option("--zoo", parser=check_directory, metavar="DIR", help="Directory of the zoo; made if it is not there."),
]
