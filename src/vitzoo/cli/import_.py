"""``vitzoo import``: make a zoo of models that others trained."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vitzoo.cli.output import count, print_json, size
from vitzoo.cli.places import directory
from vitzoo.cli.values import printable

if TYPE_CHECKING:
    from vitzoo.sharing.importing.adding import Imported
    from vitzoo.sharing.importing.survey import Survey, Unplaced

SHOWN = 8
PARTIAL = 1


def import_(
    source: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with the models; it is only read.")],
    zoo: Annotated[
        Path | None, typer.Option(parser=directory, metavar="DIR", help="Directory of the zoo to make or complete.")
    ] = None,
    layout: Annotated[str | None, typer.Option(help="official, folder or augreg; default: as it looks.")] = None,
    table: Annotated[Path | None, typer.Option(help="CSV or JSON with one row of factors per model (folder).")] = None,
    read_as: Annotated[
        str, typer.Option(help="official: what a config's values did: in the released code, or by the paper's text.")
    ] = "released",
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Link files that are safe as they are, rather than copy them.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be imported; write nothing.")] = False,
    name: Annotated[str | None, typer.Option(help="Name of the zoo; default: DIR's.")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of the models, such as CC-BY-4.0.")] = None,
    dataset: Annotated[
        str | None, typer.Option(help="What the models classify, such as cifar100, where the source does not say.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Converting processes; default: one per core.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Make a zoo of a folder of models: the published ViT zoo's tree, timm's or Hugging Face's, or AugReg's.

    Pickles are read without executing anything, in a process that can do nothing else. Safe to kill and to repeat.
    """
    from vitzoo.cli.waiting import Waiting
    from vitzoo.errors import InputError
    from vitzoo.sharing.importing import run
    from vitzoo.sharing.importing.layouts import choose
    from vitzoo.sharing.readme import write as write_readme

    survey = choose.survey(source, layout, table, read_as)
    choose.state_dataset(survey, dataset)
    if dry_run:
        print_json(_survey_json(survey)) if json else _print_survey(survey)
        return
    if zoo is None:
        raise InputError("Say where the zoo shall be: --zoo DIR. `--dry-run` only looks.")
    wishes = run.Wishes(name, licence, in_place, workers)
    waiting = Waiting()
    try:
        done = run.run(survey, zoo, wishes, waiting.take)
    finally:
        waiting.close()
    write_readme(done.zoo)
    print_json(_done_json(done)) if json else _print_done(done, zoo)
    if any(place.model for place in done.left_out) or done.contradicted:
        raise typer.Exit(PARTIAL)


def _print_survey(survey: "Survey") -> None:
    from vitzoo.sharing.importing.layouts import choose

    checkpoints, bytes_ = choose.extent(survey)
    stages = {stage: sum(found.stage == stage for found in survey.members) for stage in ("pretraining", "finetuning")}
    print(
        f"Layout {survey.layout}: {count(len(survey.members))} members ({stages['pretraining']} of pre-training, "
        f"{stages['finetuning']} fine-tuned), {count(checkpoints)} checkpoints, {size(bytes_)}, as the zoo would have."
    )
    children = [found for found in survey.members if found.stage == "finetuning" and not found.travelled]
    without = [found for found in children if found.parent is None]
    if without:
        print(f"{count(len(without))} fine-tuned members name no parent that is here; their weights are asked for it.")
    _listed("note", _grouped(survey))
    _print_unplaced(survey.unplaced)


def _print_done(done: "Imported", zoo: Path) -> None:
    there = f", {count(done.there)} were there already" if done.there else ""
    lie = f" {count(done.as_they_lie)} files are linked as they lie." if done.as_they_lie else ""
    print(
        f"Imported {count(done.members)} members with {count(done.checkpoints)} checkpoints, {size(done.bytes)}, "
        f"into {zoo}{there}.{lie}"
    )
    _listed("contradiction", done.contradicted)
    _print_unplaced(done.left_out)
    print(f'`vitzoo ls {zoo}` lists them; what is odd about each is in its config.json under "imported".')


def _print_unplaced(unplaced: "list[Unplaced]") -> None:
    lost = [str(place) for place in unplaced if place.model]
    _listed("left out", lost)
    others = [place for place in unplaced if not place.model]
    _listed("not imported", [str(place) for place in others])


def _grouped(survey: "Survey") -> list[str]:
    """Return the notes on members, each once with the number of those it is on; the commonest first."""
    names: dict[str, list[str]] = {}
    for found in survey.members:
        for note in found.notes:
            names.setdefault(note, []).append(found.name)
    often = sorted(names.items(), key=lambda item: -len(item[1]))
    return [f"{note} ({of[0] if len(of) == 1 else f'{count(len(of))} members'})" for note, of in often]


def _listed(what: str, lines: list[str]) -> None:
    for line in lines[:SHOWN]:
        print(f"{what}: {printable(line)}")
    if len(lines) > SHOWN:
        print(f"{what}: {count(len(lines) - SHOWN)} more; --json lists all.")


def _survey_json(survey: "Survey") -> dict[str, Any]:
    from vitzoo.sharing.importing.layouts import choose

    checkpoints, bytes_ = choose.extent(survey)
    return {
        "layout": survey.layout,
        "checkpoints": checkpoints,
        "bytes": bytes_,
        "members": [
            {
                "key": found.key,
                "name": found.name,
                "stage": found.stage,
                "parent": found.parent or found.parent_hint,
                "epochs": sorted(found.checkpoints),
                "recipe": found.recipe,
                "notes": found.notes,
            }
            for found in survey.members
        ],
        "unplaced": [vars(place) for place in survey.unplaced],
    }


def _done_json(done: "Imported") -> dict[str, Any]:
    return {
        "zoo": str(done.zoo.path),
        "members": done.members,
        "there_before": done.there,
        "checkpoints": done.checkpoints,
        "bytes": done.bytes,
        "as_they_lie": done.as_they_lie,
        "contradicted": done.contradicted,
        "left_out": [vars(place) for place in done.left_out],
    }
