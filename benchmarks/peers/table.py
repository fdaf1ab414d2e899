"""The comparison as a markdown table: our line first, then every peer's, and how many times as fast we are."""

from collections.abc import Mapping, Sequence
from typing import Any

from peers.summary import Round, Spread, quantity, ratio, sound
from peers.systems import SYSTEMS
from peers.workload import ARCHITECTURES

#: Dense bf16 matrix products by the makers' data sheets, FLOP/s. The first name found in the device's counts.
PEAKS = {"H200": 989e12, "H100 PCIe": 756e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "RTX 4090": 165e12}

HEAD = "| system | model-images/s | ours is | little zoo, s | start, s | warm-up, s | memory, MB |"


def peak(device: str | None) -> float | None:
    """Return the peak of a GPU, None where it is not known.

    >>> peak("NVIDIA H200")
    989000000000000.0
    """
    return next((value for name, value in PEAKS.items() if name in (device or "")), None)


def table(results: Mapping[str, Any]) -> str:
    """Return the table of one file of results with a line that says what was measured."""
    rounds: Sequence[Round] = results["rounds"]
    top = peak(results["hardware"]["gpu"])
    names = [name for name in SYSTEMS if any(name in each for each in rounds)]
    lines = [_caption(results), "", HEAD + (" MFU, % |" if top else ""), "|---|" + "---:|" * (7 if top else 6)]
    for name in names:
        if name not in _worse_layout(rounds):
            lines.append(_line(name, results, top))
    return "\n".join(lines)


def by_members(files: Sequence[Mapping[str, Any]]) -> str:
    """Return one table of files that differ in the number of members: a line for each, by median rates.

    P1 trains one model a process, so its rate for more models than were tried is the best of those tried.
    """
    rates = [{name: _median(each["rounds"], name) for name in ("ours", "p1", "p5")} for each in files]
    plain = max((rate["p1"] or 0.0 for rate in rates), default=0.0)
    head = "| K | ours | P1 | P5 | ours over the best P1 | ours over P5 |"
    lines = [_caption(files[0]).partition(";")[2].strip(), "", head, "|---:|" + "---:|" * 5]
    for each, rate in sorted(zip(files, rates, strict=True), key=lambda pair: pair[0]["workload"]["members"]):
        cells = [f"{rate[name]:,.0f}" if rate[name] else "–" for name in ("ours", "p1", "p5")]
        cells += [_times(rate["ours"], plain), _times(rate["ours"], rate["p5"])]
        lines.append(f"| {each['workload']['members']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _median(rounds: Sequence[Round], name: str) -> float | None:
    found = quantity(rounds, name, "rate")
    return found.median if found else None


def _times(a: float | None, b: float | None) -> str:
    return f"{a / b:.2f}×" if a and b else "–"


def _caption(results: Mapping[str, Any]) -> str:
    w, hardware, versions = results["workload"], results["hardware"], results["versions"]
    where = hardware["gpu"] or hardware["cpu"]
    return (
        f"{w['arch']}, {w['members']} members, {w['epochs']} epochs of {w['images']:,} images, batch {w['batch']}; "
        f"n = {len(results['rounds'])} rounds, median (min–max); {where}; "
        f"torch {versions['torch']}, timm {versions['timm']}"
    )


def _worse_layout(rounds: Sequence[Round]) -> set[str]:
    """Of P5's two layouts only the faster one is shown."""
    rates = {name: found.median for name in ("p5", "p5-split") if (found := quantity(rounds, name, "rate"))}
    return {min(rates, key=lambda name: rates[name])} if len(rates) == 2 else set()


def _line(name: str, results: Mapping[str, Any], top: float | None) -> str:
    rounds, title = results["rounds"], SYSTEMS[name].title
    if not sound(rounds, name):
        return f"| {title} | failed: {next(each[name]['error'] for each in rounds if name in each)} |"
    ours = "step-ours" if name.startswith("step-") else "ours"
    faster = None if name == ours else ratio(rounds, ours, name)
    cells = [
        _show(quantity(rounds, name, "rate")),
        "" if faster is None else f"{faster.median:.2f}× ({faster.low:.2f}–{faster.high:.2f})",
        _show(quantity(rounds, name, "zoo"), 1),
        _show(quantity(rounds, name, "start"), 1) + _cold(results, name, "start"),
        _show(quantity(rounds, name, "warm_up"), 1) + _cold(results, name, "warm_up"),
        _memory(rounds, name),
    ]
    if top:
        rate = quantity(rounds, name, "rate")
        flop = ARCHITECTURES[results["workload"]["arch"]].train_flop
        cells.append("" if rate is None else f"{100 * rate.median * flop / top:.2f}")
    return f"| {title} | {' | '.join(cells)} |"


def _show(found: Spread | None, digits: int = 0) -> str:
    if found is None:
        return ""
    return f"{found.median:,.{digits}f} ({found.low:,.{digits}f}–{found.high:,.{digits}f})"


def _cold(results: Mapping[str, Any], name: str, what: str) -> str:
    """What the first run of all cost, before caches were filled."""
    run = results["cold"].get(name, {})
    return f"; cold {run[what]:.1f}" if what in run else ""


def _memory(rounds: Sequence[Round], name: str) -> str:
    host, gpu = quantity(rounds, name, "memory"), quantity(rounds, name, "gpu_memory")
    return f"{host.median if host else 0:,.0f}" + (f" + {gpu.median:,.0f} on the GPU" if gpu else "")
