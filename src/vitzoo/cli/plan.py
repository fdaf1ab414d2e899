"""``vitzoo plan``: what a blueprint asks for and what it will cost; trains nothing."""

from typing import Annotated, Any

import typer

from vitzoo.cli.output import count, duration, flop, print_json, print_table, size


def plan(
    blueprint: Annotated[str, typer.Argument(help="File or preset: nano, tiny-cifar, paper, released, corrected.")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Override a field; may be repeated.")
    ] = None,
    gflops: Annotated[
        float | None, typer.Option("--gflops", help="GFLOP/s of the whole machine, for the expected time.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print exact numbers as JSON.")] = False,
) -> None:
    """Show members, parameters, FLOPs, disk and expected time of a blueprint; train nothing."""
    from vitzoo.blueprint import load
    from vitzoo.growing.cost import available_cores, default_rate
    from vitzoo.growing.estimate import estimate
    from vitzoo.growing.plan import make_plan

    cores = available_cores()
    rate = default_rate(cores) if gflops is None else gflops * 1e9
    result = estimate(make_plan(load(blueprint, overrides)), rate)
    if json:
        print_json(result)
        return
    _print_factors(f"Generating factors of {result['name']}", result["factors"])
    _print_factors("Constants", result["constants"])
    _print_architectures(result["architectures"])
    _print_costs(result)
    source = "as given by --gflops" if gflops is not None else f"assumed for {cores} CPU cores; set yours with --gflops"
    print(f"The time is FLOP divided by a rate of {rate / 1e9:,.6g} GFLOP/s, {source}.")
    print("FLOP are those of matrix products: 6 per multiply-accumulate, image and view in training, 2 in evaluation.")


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
