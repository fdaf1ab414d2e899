"""Is a zoo fit to be shown to others? It is whole, and nobody is changing it."""

import fcntl
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from vitzoo.errors import BusyError, IntegrityError
from vitzoo.sharing.publishing.choice import Choice
from vitzoo.zoo import Zoo, verify
from vitzoo.zoo.layout import GROW, STAGING


def check_idle(zoo: Zoo) -> None:
    """Raise BusyError if the zoo is being grown; its lock is looked at, not taken."""
    try:
        descriptor = os.open(zoo.path / GROW / "lock", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return  # there is none
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        raise BusyError(f"{zoo.path} is being grown. Wait for it, or stop it; what it finished stays.") from None
    finally:
        os.close(descriptor)


def check_whole(choice: Choice, progress: Callable[[int, int], None]) -> None:
    """Raise IntegrityError if a quick check finds anything wrong with what is published.

    ``progress`` is called with (checkpoints done, checkpoints in all).
    """
    report, names = verify(choice.zoo, progress=progress), choice.names
    stays = [] if names is None else [member.path for member in choice.zoo.members() if member.name not in names]
    found = [finding for finding in report.findings if not _stays(Path(finding.path), stays)]
    if found:
        more = f", and {len(found) - 1} problems more" if len(found) > 1 else ""
        raise IntegrityError(
            f"{choice.zoo.path} is not published, because something is wrong with it: {found[0].path} "
            f"{found[0].problem}{more}. Run `vitzoo verify`, which lists all."
        )


def _stays(path: Path, members: Iterable[Path]) -> bool:
    """Say whether something is not published anyway: part of a member that is not, or an unfinished write."""
    return path.name.startswith(STAGING) or any(path.is_relative_to(member) for member in members)
