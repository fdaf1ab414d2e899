"""``vitzoo merge``: average, align and merge models; one module per command."""

import typer

from vitzoo.cli.merge.across import across
from vitzoo.cli.merge.benchmark import benchmark
from vitzoo.cli.merge.models import models
from vitzoo.cli.merge.study import study

app = typer.Typer(help="Average, align and merge models: study, models, across, benchmark.", no_args_is_help=True)
app.command("study")(study)
app.command("models")(models)
app.command("across")(across)
app.command("benchmark")(benchmark)
