"""What ``verify`` says about one thing that is wrong."""

import os
from dataclasses import dataclass
from pathlib import Path

from vitzoo.zoo.layout import STAGING

RETRAIN = "Restore it from a copy of the zoo, or remove its member's directory and grow or merge again."


@dataclass(frozen=True)
class Finding:
    """One breach of the format: where, what is wrong (a clause that follows the path) and what to do."""

    path: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path} {self.problem}. {self.remedy}"


def damaged(path: Path, error: Exception) -> Finding:
    """Make a finding of an error met while reading."""
    text = str(error).replace(f"{path}, ", "").removeprefix(str(path)).strip()
    problem, _, remedy = text.partition(". ")
    return Finding(str(path), problem.rstrip(".") or "cannot be read", remedy or RETRAIN)


def unlisted(path: Path, error: OSError) -> Finding:
    """Make a finding of a directory whose content the system does not tell."""
    return Finding(str(path), f"cannot be listed: {error.strerror}", "Check its permissions.")


def unexpected(entry: "os.DirEntry[str]") -> Finding:
    """Say what is wrong about an entry that the format does not know."""
    if entry.is_symlink():
        return Finding(entry.path, "is a symbolic link, and a zoo holds none", "Replace it by what it points to.")
    if entry.name.startswith(STAGING):
        remedy = "Run `vitzoo grow` again, which removes it; leave it alone while the zoo is growing."
        return Finding(entry.path, "is an unfinished write that a stopped process left", remedy)
    return Finding(entry.path, "does not belong into a zoo", "Move it out of the zoo.")
