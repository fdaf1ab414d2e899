"""The command line: one module per command, one line here each. Commands import what they need when they run."""

import io
import os
import sys
from typing import Annotated

import typer

from vitzoo.cli.compare import compare
from vitzoo.cli.curvature import curvature
from vitzoo.cli.export import export
from vitzoo.cli.fetch import fetch
from vitzoo.cli.findings import findings
from vitzoo.cli.grow import grow
from vitzoo.cli.import_ import import_
from vitzoo.cli.lineage import app as lineage
from vitzoo.cli.ls import ls
from vitzoo.cli.measure import measure
from vitzoo.cli.merge import app as merge
from vitzoo.cli.plan import plan
from vitzoo.cli.publish import publish
from vitzoo.cli.report import report
from vitzoo.cli.show import show
from vitzoo.cli.similarity import similarity
from vitzoo.cli.tables import tables
from vitzoo.cli.values import printable
from vitzoo.cli.verify import verify
from vitzoo.errors import VitzooError

app = typer.Typer(
    name="vitzoo",
    help="Grow, store and study populations of vision transformers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("plan")(plan)
app.command("grow")(grow)
app.command("ls")(ls)
app.command("show")(show)
app.command("verify")(verify)
app.command("measure")(measure)
app.command("tables")(tables)
app.command("findings")(findings)
app.command("report")(report)
app.command("import")(import_)
app.command("export")(export)
app.command("fetch")(fetch)
app.command("publish")(publish)
app.command("compare")(compare)
app.command("similarity")(similarity)
app.command("curvature")(curvature)
app.add_typer(lineage, name="lineage")
app.add_typer(merge, name="merge")


def _print_version(wanted: bool) -> None:
    if wanted:
        from vitzoo import __version__

        print(f"vitzoo {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def run() -> None:
    """Run the command line and exit: errors become one line on stderr and the exit code they carry."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without '×' prints '?', not a traceback
    sys.exit(main())


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        app(arguments, prog_name="vitzoo")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except VitzooError as error:
        text = "\n".join(map(printable, str(error).split("\n")))  # it may quote what a stranger wrote
        print(f"error: {text}", file=sys.stderr)
        code = error.exit_code
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        code = 1
    else:
        code = 0
    return _flush(code)


def _flush(code: int) -> int:
    """Flush what was printed; a reader that has gone (``vitzoo plan paper | head``) is no error worth a word."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the interpreter's own flush at exit
    return code
