"""``vitzoo fetch``: download the published zoo, or a part of it, from where it lies."""

import sys
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vitzoo.cli.output import count, duration, print_json, print_table, size
from vitzoo.cli.values import printable
from vitzoo.cli.waiting import PATIENCE, Waiting

if TYPE_CHECKING:
    from vitzoo.sharing.fetching.planning import Plan
    from vitzoo.sharing.fetching.run import Outcome
    from vitzoo.sharing.fetching.survey import Problem
    from vitzoo.sharing.fetching.target import Standing

SHOWN = 20  # problems before the rest is counted
WINDOW = 10.0  # seconds that a rate is the mean of
BYTES = ("Checking", "Fetching")  # what is counted in bytes
COMPARED = {"sha256": "SHA-256", "md5": "MD5", "git": "git's SHA-1", "size": "size (the source has no hash)"}


def fetch(
    source: Annotated[
        str | None,
        typer.Argument(help="Address (https, s3, hf) or folder of the zoo; the published one if not given."),
    ] = None,
    to: Annotated[Path | None, typer.Option(metavar="DIR", help="Directory to fetch into.")] = None,
    where: Annotated[
        str | None, typer.Option(metavar="SQL", help="Boolean expression over the factors of members.")
    ] = None,
    epochs: Annotated[str, typer.Option(help="Checkpoints by number: last, last:5, all, or such as 0-9,49.")] = "last",
    with_parents: Annotated[
        bool, typer.Option("--with-parents/--without-parents", help="Also what fine-tuned members began from.")
    ] = True,
    optimizer_state: Annotated[
        bool, typer.Option("--optimizer-state", help="Also optimizers' states: pickles, up to twice the weights.")
    ] = False,
    parallel: Annotated[int, typer.Option(min=1, max=64, help="Files at a time.")] = 8,
    tries: Annotated[int, typer.Option(min=1, help="Attempts in a row before a file is given up.")] = 6,
    deep: Annotated[
        bool, typer.Option("--deep/--quick", help="Hash what is there already, or look at sizes and versions.")
    ] = True,
    insecure: Annotated[bool, typer.Option("--insecure", help="Allow http:// to other machines.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be fetched, and write nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Download members of the published zoo that a query chooses, for 'vitzoo import'.

    First it lists the source, reads the members' configs and says how much is to be fetched. What is cut off goes on
    where it stopped when the command is repeated; what is there is not fetched again. For example the last five epochs
    of AdamW members: --where "optimizer = 'adamw' AND stage = 'finetuning'" --epochs last:5

    Columns of --where are those of 'vitzoo ls', as far as configs tell: stage, task, seed, optimizer, lr, weight_decay,
    batch_size, epochs, head, member, and of a parent parent_member, parent_seed and so on.
    """
    if to is None and not dry_run:
        raise typer.BadParameter("say where to, or look first with --dry-run", param_hint="--to")
    from vitzoo.sharing.fetching.access import Access
    from vitzoo.sharing.fetching.opening import PUBLISHED, open_source
    from vitzoo.sharing.fetching.patience import Patience
    from vitzoo.sharing.fetching.planning import Query, plan
    from vitzoo.sharing.fetching.run import carry_out, standing

    patience = Patience(tries=tries)
    access = Access(open_source(source or PUBLISHED, insecure, patience), parallel, patience)
    progress = _Progress()
    try:
        planned = plan(access, Query(where, epochs, with_parents, optimizer_state), progress.look)
        there = standing(planned, to) if to else None
        progress.close()
        if not json:
            _print_plan(planned, there, to)
        outcome = None if dry_run or to is None else carry_out(planned, access, to, deep, progress.look)
    except KeyboardInterrupt:
        print("\nStopped. What has arrived stays; repeat the command to go on.", file=sys.stderr)
        raise
    finally:
        progress.close()
    problems = outcome.problems if outcome else [*planned.problems, *(there.blocked if there else [])]
    if json:
        print_json(_plan_json(planned, there) | _outcome_json(outcome, problems))
    elif outcome:
        _print_outcome(outcome, to, time.monotonic() - progress.begun)
    if not json:
        _print_problems(problems)
    if problems:
        raise typer.Exit(1)


class _Progress(Waiting):
    """Tells what is done; of bytes also the rate of the last seconds, and the time left at that rate."""

    def __init__(self) -> None:
        super().__init__()
        self.recent: deque[tuple[float, int]] = deque()

    def look(self, what: str, done: int, total: int) -> None:
        """Count in that ``done`` of ``total`` is done, in members, checkpoints or bytes; 0 is an unknown total."""
        if what in BYTES:
            self._show(what, f"{what}: {size(done)} of {size(total)}, {self._rate(what, done, total)}.")
        elif total:
            self.take(what, done, total, "checkpoints" if "checkpoints" in what else "members")
        else:
            self._show(what, f"{what}: {count(done)} members.")

    def _rate(self, what: str, done: int, total: int) -> str:
        now = time.monotonic()
        if what != self.what:
            self.recent.clear()
        self.recent.append((now, done))
        while self.recent[0][0] < now - WINDOW:
            self.recent.popleft()
        since, before = self.recent[0]
        rate = max(0.0, done - before) / (now - since) if now > since else 0.0
        return f"{size(rate)}/s, {duration((total - done) / rate)} left" if rate else "waiting"

    def _show(self, what: str, line: str) -> None:
        now = time.monotonic()
        if what != self.what:
            self.what, self.begun = what, now
        self.last = now
        if now - self.begun < PATIENCE or now - self.told < (0.25 if self.live else 30):
            return
        self.told = now
        print(f"\r\x1b[K{line}" if self.live else line, end="" if self.live else "\n", file=sys.stderr, flush=True)


def _print_plan(planned: "Plan", there: "Standing | None", to: Path | None) -> None:
    for note in planned.notes:
        print(f"note: {printable(note)}", file=sys.stderr)
    rows = [
        [
            line.stage if line.asked else f"{line.stage} (parents)",
            count(line.members),
            count(line.checkpoints),
            count(line.files),
            size(line.size),
        ]
        for line in planned.lines()
    ]
    columns = ["stage", "members", "checkpoints", "files", "size"]
    print_table(f"Chosen at {printable(planned.source)}", columns, rows, right=columns[1:])
    if there is None or to is None:
        return
    from vitzoo.sharing.fetching.target import Target

    already = [f"{count(len(there.present))} files are there" if there.present else ""]
    already += [f"{size(there.arrived)} of others has arrived" if there.arrived else ""]
    already += [f"{count(there.replaced)} have changed since they were fetched" if there.replaced else ""]
    said = "; ".join(filter(None, already))
    print(f"{said[:1].upper()}{said[1:]}." if said else f"Nothing is in {to} yet.")
    print(f"To fetch: {count(len(there.missing))} files, {size(there.left)}; {size(Target(to).free())} are free.")


def _print_outcome(outcome: "Outcome", to: Path | None, seconds: float) -> None:
    if outcome.fetched:
        ways = ", ".join(f"{count(number)} by {COMPARED[way]}" for way, number in sorted(outcome.checked.items()))
        rate = f"{size(outcome.received)} in {duration(seconds)}, {size(outcome.received / seconds)}/s"
        print(f"Fetched {count(outcome.fetched)} files, {rate}. Checked {ways}.")
    if outcome.present:
        print(f"{count(outcome.present)} files were there already.")
    if outcome.damaged:
        print(f"{count(outcome.damaged)} had changed here since they were fetched, and were fetched anew.")
    if not outcome.problems:
        print(f"All is in {to}; next: vitzoo import {to} --zoo ZOO")


def _print_problems(problems: "list[Problem]") -> None:
    for problem in problems[:SHOWN]:
        print(f"{printable(problem.path)}: {printable(problem.reason)}", file=sys.stderr)
    if problems:
        more = f" ({count(len(problems) - SHOWN)} more, see --json)" if len(problems) > SHOWN else ""
        print(f"{count(len(problems))} could not be had{more}; repeat the command to try again.", file=sys.stderr)


def _plan_json(planned: "Plan", there: "Standing | None") -> dict[str, Any]:
    return {
        "source": planned.source,
        "stages": [vars(line) for line in planned.lines()],
        "members": [
            {
                "path": one.member.path,
                "stage": one.stage,
                "asked": one.asked,
                "checkpoints": list(one.numbers),
                "bytes": sum(entry.size or 0 for entry in planned.files[one.member.path]),
            }
            for one in planned.chosen
        ],
        "files": len(planned.entries),
        "bytes": planned.size,
        "notes": planned.notes,
        "to_fetch": {"files": len(there.missing), "bytes": there.left} if there else None,
    }


def _outcome_json(outcome: "Outcome | None", problems: "list[Problem]") -> dict[str, Any]:
    done = None
    if outcome:
        done = {
            "fetched": outcome.fetched,
            "received": outcome.received,
            "present": outcome.present,
            "damaged": outcome.damaged,
            "checked": dict(outcome.checked),
        }
    return {"done": done, "problems": [vars(problem) for problem in problems]}
