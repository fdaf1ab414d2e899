"""The zoo on disk: format, commit, catalogue, verify. The specification is ``docs/format.md``."""

from vitzoo.zoo.checkpoint import Checkpoint
from vitzoo.zoo.member import Member
from vitzoo.zoo.store import Zoo
from vitzoo.zoo.verification import Report, verify

__all__ = ["Checkpoint", "Member", "Report", "Zoo", "verify"]
