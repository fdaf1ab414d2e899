"""`vitzoo grow`: train what the zoo lacks."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vitzoo.cli.places import ZooDirectory

if TYPE_CHECKING:
    from vitzoo.zoo import Zoo


def grow(
    blueprint: Annotated[str, typer.Argument(help="A blueprint file, or a preset: nano, tiny-cifar, paper, …")],
    zoo: ZooDirectory,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Change a field: finetuning.hyperparameters.epochs=2")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Where data sets lie. Default: $VITZOO_DATA, else ./data.", show_default=False)
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Where decoded data is kept. Default: $VITZOO_CACHE, else ~/.cache/vitzoo.", show_default=False
        ),
    ] = None,
    download: Annotated[bool, typer.Option(help="Download data sets that can be.")] = False,
    device: Annotated[str | None, typer.Option(help="cpu or cuda. Default: the GPU if there is one.")] = None,
    precision: Annotated[
        str | None, typer.Option(help="bf16 or float32. Default: bf16 where the hardware has it.")
    ] = None,
    stack: Annotated[int | None, typer.Option(min=1, help="Most members trained together.")] = None,
    devices: Annotated[
        int | None, typer.Option(min=1, help="Devices that train a population together, a process each. Default: one.")
    ] = None,
    kernels: Annotated[
        str | None,
        typer.Option(help="torch, compiled or native. Default: compiled on a GPU, native where there is a C compiler."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Worker processes. Default: one per CPU core, or one per GPU.")
    ] = None,
    engine: Annotated[str, typer.Option(help="Where jobs are done: local, ray or slurm.")] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            help="HOST:PORT of a Ray cluster. Default: $RAY_ADDRESS, else a Ray of our own.", show_default=False
        ),
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--engine-option", help="A setting of the engine, such as gpus=0.25 or partition=short."),
    ] = None,
    patience: Annotated[
        float, typer.Option(min=1, help="Seconds without a step after which a worker is replaced.")
    ] = 1800,
    retries: Annotated[
        int, typer.Option(min=0, help="How often a job whose worker was lost is begun again without an epoch gained.")
    ] = 2,
    json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Train every member of BLUEPRINT that the zoo lacks. Safe to kill and to repeat: it goes on where it stopped."""
    from rich.console import Console

    from vitzoo.blueprint import load
    from vitzoo.cli.output import duration
    from vitzoo.cli.progress import Display, Plain
    from vitzoo.growing.engines.options import Wanted, choose_engine
    from vitzoo.growing.engines.watch import Patience
    from vitzoo.growing.grow import Wishes, Work, raise_first
    from vitzoo.growing.grow import grow as run
    from vitzoo.growing.jobs import Places

    console = Console(stderr=json)
    places = Places(
        zoo.resolve(),
        (data or Path(os.environ.get("VITZOO_DATA", "data"))).resolve(),
        (cache or Path(os.environ.get("VITZOO_CACHE", Path.home() / ".cache" / "vitzoo"))).resolve(),
        download,
    )
    shown: list[Display | Plain] = []

    def begun(work: Work) -> None:
        if not work.jobs:
            return
        e = work.execution
        console.print(
            f"Growing [bold]{work.zoo.name}[/bold] in {zoo}: {work.members - work.done} of {work.members} members to "
            f"train, {work.workers} worker{'s' if work.workers > 1 else ''}, {e.device}, {e.precision}, "
            f"{e.kernels} kernels.",
            highlight=False,
        )
        shown.append((Display if console.is_terminal else Plain)(console, work))
        shown[0].__enter__()

    try:
        outcome = run(
            load(blueprint, overrides or []),
            places,
            Wishes(device, precision, stack, workers, devices, kernels),
            choose_engine(Wanted(engine, address, tuple(options or ())), places.zoo),
            Patience(patience, retries),
            begun,
            tell=lambda event: shown[0].take(event),
            tick=lambda: shown[0].tick(),
            say=lambda text: console.print(text, highlight=False),
        )
    finally:
        for display in shown:
            display.__exit__(None, None, None)
    if shown:
        _describe(outcome.zoo, lambda text: console.print(text, highlight=False))
    if json:
        from vitzoo.cli.output import print_json

        print_json(
            {
                "zoo": str(zoo),
                "members": outcome.members,
                "done": outcome.done,
                "grown": outcome.grown,
                "diverged": outcome.diverged,
                "seconds": outcome.seconds,
                "failures": [failure.text for failure in outcome.failures],
            }
        )
    elif not shown:
        console.print(f"{zoo} is complete: {outcome.members} members. There is nothing to do.", highlight=False)
    else:
        console.print(
            f"Grew {outcome.grown} members in {duration(outcome.seconds)}; {zoo} holds {outcome.done} of "
            f"{outcome.members}" + (f", of which {outcome.diverged} diverged" if outcome.diverged else "") + ".",
            highlight=False,
        )
    raise_first(outcome.failures)


def _describe(zoo: "Zoo", say: Callable[[str], None]) -> None:
    """Write the zoo's README; what was grown stays grown if that fails."""
    from vitzoo.errors import VitzooError
    from vitzoo.sharing import readme

    try:
        if not readme.write(zoo):
            say("README.md is left as it is, because somebody changed it.")
    except VitzooError as error:
        say(f"note: {error}")
