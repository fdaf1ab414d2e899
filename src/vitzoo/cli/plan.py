"""``vitzoo plan``: what a blueprint asks for and what it will cost; trains nothing."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vitzoo.cli.output import count, duration, flop, print_json, print_table, size
from vitzoo.errors import InputError

if TYPE_CHECKING:
    from vitzoo.growing.calibrate import Measured
    from vitzoo.growing.plan import Plan

FLOP_ARE = "FLOP are those of matrix products: 6 per multiply-accumulate, image and view in training, 2 in evaluation."
CALIBRATION_SECONDS = 3.0  # of measuring; starting the processes and warming up take as long again


def plan(
    blueprint: Annotated[str, typer.Argument(help="File or preset: nano, tiny-cifar, paper, released, corrected.")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Override a field; may be repeated.")
    ] = None,
    gflops: Annotated[
        float | None, typer.Option("--gflops", help="GFLOP/s of the whole machine, for the expected time.")
    ] = None,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Measure the rate here, for some ten seconds, with all workers.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print exact numbers as JSON.")] = False,
) -> None:
    """Show members, parameters, FLOPs, disk and expected time of a blueprint; train nothing."""
    from vitzoo.blueprint import load
    from vitzoo.growing.cost import available_cores, default_rate
    from vitzoo.growing.estimate import estimate
    from vitzoo.growing.plan import make_plan

    if calibrate and gflops is not None:
        raise InputError("--calibrate measures what --gflops would give. Leave one of them out.")
    cores = available_cores()
    rate = default_rate(cores) if gflops is None else gflops * 1e9
    made = make_plan(load(blueprint, overrides))
    result = _calibrated(made) if calibrate else estimate(made, rate)
    if json:
        print_json(result)
        return
    _print_factors(f"Generating factors of {result['name']}", result["factors"])
    _print_factors("Constants", result["constants"])
    _print_architectures(result["architectures"])
    _print_costs(result)
    if calibrate:
        _print_calibration(result["calibration"])
        return
    source = "as given by --gflops" if gflops is not None else f"assumed for {cores} CPU cores; set yours with --gflops"
    print(f"The time is FLOP divided by a rate of {rate / 1e9:,.6g} GFLOP/s, {source}.")
    print(FLOP_ARE)


def _calibrated(plan: "Plan") -> dict[str, Any]:
    """Estimate a plan at the rates measured here; ``calibration`` says what was measured."""
    from vitzoo.growing.calibrate import calibrate, rates
    from vitzoo.growing.cost import available_cores, default_rate
    from vitzoo.growing.estimate import estimate
    from vitzoo.growing.execution import choose
    from vitzoo.growing.plan import populations

    execution = choose(None, None, None)
    processes = 1 if execution.device == "cuda" else available_cores()
    groups = [population.members for population in populations(plan.members, execution.limit)]
    measured = calibrate(groups, execution, processes, CALIBRATION_SECONDS, _tell)
    _clear()
    result = estimate(plan, default_rate(processes), rates(measured, plan.members))
    flop, seconds = result["total"]["flop"], result["total"]["seconds"]
    about = {"device": execution.device, "precision": execution.precision, "threads": execution.threads}
    rows = [{"architecture": one.architecture.model_dump(mode="json"), **_numbers(one)} for one in measured]
    overall = flop / seconds if flop and seconds else None
    return result | {"rate": overall, "calibration": {**about, "processes": processes, "measured": rows}}


def _numbers(one: "Measured") -> dict[str, Any]:
    return {"rate": one.rate, "members": one.members, "batch_size": one.batch_size}


def _tell(done: int, total: int) -> None:
    """Say on stderr which architecture is being measured; in a terminal the line is replaced."""
    live = sys.stderr.isatty()
    line = f"Measuring architecture {done + 1} of {total}."
    print(f"\r\x1b[K{line}" if live else line, end="" if live else "\n", file=sys.stderr, flush=True)


def _clear() -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _print_calibration(calibration: dict[str, Any]) -> None:
    """Say what was measured, and how."""
    from vitzoo.blueprint import factors
    from vitzoo.blueprint.schema import Backbone

    cells = []
    for row in calibration["measured"]:
        arch = Backbone.model_validate(row["architecture"])
        numbers = (str(row["members"]), str(row["batch_size"]), f"{row['rate'] / 1e9:,.4g}")
        cells.append((factors.backbone(arch), factors.head(arch.head), *numbers))
    columns = ("Backbone", "Head", "Stack", "Batch", "GFLOP/s")
    print_table("Measured here", columns, cells, right=columns[2:])
    c = calibration
    processes = f"{c['processes']} process{'es' if c['processes'] > 1 else ''}"
    print(f"The time is FLOP divided by the rate measured in training steps on synthetic images: {processes} at once,")
    print(f"{c['device']}, {c['precision']}, {c['threads']} thread{'s' if c['threads'] > 1 else ''} each.")
    print(FLOP_ARE)


def _print_factors(title: str, rows: list[dict[str, Any]]) -> None:
    stages = ("pretraining", "finetuning")
    cells = [(row["name"], *(", ".join(row[stage]) or "–" for stage in stages)) for row in rows]
    print_table(title, ("Factor", "Pre-training", "Fine-tuning"), cells)


def _print_architectures(rows: list[dict[str, Any]]) -> None:
    columns = ("Stage", "Backbone", "Head", "Outputs", "Members", "Parameters", "Checkpoint")
    cells = [
        (
            *(row[name] for name in ("stage", "backbone", "head")),
            *(count(row[name]) for name in ("outputs", "members", "parameters")),
            size(row["checkpoint_bytes"]),
        )
        for row in rows
    ]
    print_table("Architectures", columns, cells, right=columns[3:])


def _print_costs(result: dict[str, Any]) -> None:
    columns = ("Stage", "Members", "Checkpoints", "On disk", "Images seen", "Training FLOP", "Evaluation FLOP", "Time")
    cells = [
        (
            stage,
            count(row["members"]),
            count(row["checkpoints"]),
            size(row["bytes"]),
            count(row["training_images"]),
            flop(row["training_flop"]),
            flop(row["evaluation_flop"]),
            duration(row["seconds"]),
        )
        for stage, row in (*result["stages"].items(), ("total", result["total"]))
    ]
    print_table("Cost", columns, cells, right=columns[1:])
