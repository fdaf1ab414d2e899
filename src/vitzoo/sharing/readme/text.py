"""The README of a zoo as one text."""

from vitzoo.analysis.tables import escape
from vitzoo.sharing.readme import loading, sections
from vitzoo.sharing.readme.about import About

PLACE = "path/to/this/directory"


def text(a: About) -> str:
    """Return the README of a zoo, for whoever opens its directory."""
    parts = [f"# {escape.markdown(a.name)}", sections.lead(a), sections.glance(a), sections.imported(a)]
    if a.factors:
        parts += ["## Generating factors", "What varies is bold.", sections.generating(a)]
    if judged := sections.accuracy(a):
        parts += ["## How accurate they are", judged]
    if related := sections.lineage(a):
        parts += ["## Lineage", related]
    parts += ["## What lies where", loading.tree(), "## Use", loading.opened(a, PLACE)]
    if a.example:
        path = loading.quoted(f"{PLACE}/{a.example['path']}")
        parts.append(f"A checkpoint is a directory that timm opens. {loading.heads(a)}")
        parts.append(loading.in_timm(a, [f"folder = {path}"]))
    parts.append("`vitzoo ls` lists it, `vitzoo verify` checks every file, `vitzoo report` writes a page on it.")
    return "\n\n".join(part for part in parts if part) + "\n"
