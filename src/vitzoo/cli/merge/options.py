"""What the commands that merge members share: which members, and whether the result is kept."""

from typing import Annotated

import typer

Member = Annotated[
    list[str] | None, typer.Option("--member", metavar="NAME", help="A member, or NAME@EPOCH; several times.")
]
Where = Annotated[
    str | None, typer.Option(metavar="SQL", help="Merge all fine-tuned members that fit a condition on columns.")
]
Save = Annotated[bool, typer.Option("--save", help="Make the merged model a member of the zoo.")]
Name = Annotated[str | None, typer.Option(help="The member's name; implies --save. Default: method, number and id.")]
