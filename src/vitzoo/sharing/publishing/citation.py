"""CITATION.cff and BibTeX of a published zoo.

Reference: Citation File Format 1.2.0.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from vitzoo.sharing.publishing.licences import known
from vitzoo.sharing.readme.mark import marked_yaml

KEYWORDS = ("model zoo", "vision transformer", "weight-space learning", "model merging", "model lineage")


@dataclass(frozen=True)
class Work:
    """What is cited: title, who published it where, its licence, and the day."""

    title: str
    author: str
    author_url: str
    url: str
    licence: str
    day: date
    keywords: Sequence[str] = KEYWORDS

    @property
    def version(self) -> str:
        """The day as a version, which grows with every publication."""
        return f"{self.day.year}.{self.day.month}.{self.day.day}"


def cff(work: Work) -> str:
    """Return CITATION.cff; the author is the account that publishes, until a person writes a file of their own."""
    import yaml

    licence = known(work.licence)
    data: dict[str, Any] = {
        "cff-version": "1.2.0",
        "message": "If you use this zoo, please cite it.",
        "type": "dataset",
        "title": work.title,
        "authors": [{"name": work.author, "website": work.author_url}],
        "url": work.url,
        **({"license": licence.spdx} if licence else {}),
        "version": work.version,
        "date-released": work.day.isoformat(),
        "keywords": list(work.keywords),
    }
    return marked_yaml(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120))


def bibtex(work: Work, key: str) -> str:
    """Return an entry for a bibliography.

    >>> work = Work("nano: 250 models", "me", "https://hub/me", "https://hub/me/nano", "MIT", date(2026, 3, 1))
    >>> print(bibtex(work, "me/nano"))
    @misc{me_nano,
      title = {nano: 250 models},
      author = {{me}},
      year = {2026},
      url = {https://hub/me/nano}
    }
    """
    name = re.sub(r"[^A-Za-z0-9]+", "_", key).strip("_")
    return "\n".join(
        [
            f"@misc{{{name},",
            f"  title = {{{_escaped(work.title)}}},",
            f"  author = {{{{{_escaped(work.author)}}}}},",
            f"  year = {{{work.day.year}}},",
            f"  url = {{{work.url}}}",
            "}",
        ]
    )


def _escaped(text: str) -> str:
    return re.sub(r"[&%$#_{}]", r"\\\g<0>", text.replace("\\", "/"))
