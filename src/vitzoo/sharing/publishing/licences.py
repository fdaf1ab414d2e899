"""Licences as the hub, Croissant and CITATION.cff name them, and the file that says which one holds."""

from dataclasses import dataclass

from vitzoo.errors import InputError


@dataclass(frozen=True)
class Licence:
    """A licence: its SPDX name, its identifier on the hub, its name for people, and where its text is."""

    spdx: str
    hub: str
    name: str
    url: str


def _creative_commons(kind: str, words: str) -> Licence:
    spdx = f"CC-{kind.upper()}-4.0"
    url = f"https://creativecommons.org/licenses/{kind}/4.0/"
    return Licence(spdx, spdx.lower(), f"Creative Commons {words} 4.0 International", url)


_KNOWN = {
    licence.hub: licence
    for licence in (
        _creative_commons("by", "Attribution"),
        _creative_commons("by-sa", "Attribution-ShareAlike"),
        _creative_commons("by-nc", "Attribution-NonCommercial"),
        _creative_commons("by-nc-sa", "Attribution-NonCommercial-ShareAlike"),
        _creative_commons("by-nd", "Attribution-NoDerivatives"),
        _creative_commons("by-nc-nd", "Attribution-NonCommercial-NoDerivatives"),
        Licence("CC0-1.0", "cc0-1.0", "Creative Commons Zero", "https://creativecommons.org/publicdomain/zero/1.0/"),
        Licence("Apache-2.0", "apache-2.0", "Apache License 2.0", "https://www.apache.org/licenses/LICENSE-2.0"),
        Licence("MIT", "mit", "MIT License", "https://opensource.org/license/mit"),
        Licence("ODbL-1.0", "odbl", "Open Database License 1.0", "https://opendatacommons.org/licenses/odbl/1-0/"),
        Licence("ODC-By-1.0", "odc-by", "Open Data Commons Attribution License 1.0",
                "https://opendatacommons.org/licenses/by/1-0/"),
    )
}  # fmt: skip
_BY_SPDX = {licence.spdx.lower(): licence for licence in _KNOWN.values()}
_CREDIT = "Whoever shares it, or something made of it, gives credit, links to the licence and says what was changed.\n"


def known(name: str) -> Licence | None:
    """Return the licence with this SPDX name or identifier on the hub, in whatever case; None if it is not known.

    >>> known("CC-BY-4.0").hub, known("my own")
    ('cc-by-4.0', None)
    """
    return _KNOWN.get(name.lower()) or _BY_SPDX.get(name.lower())


def metadata(name: str) -> dict[str, str]:
    """Return what a card's metadata says of a licence.

    >>> metadata("CC0-1.0"), metadata("My own")
    ({'license': 'cc0-1.0'}, {'license': 'other', 'license_name': 'my-own', 'license_link': 'LICENSE'})
    """
    if licence := known(name):
        return {"license": licence.hub}
    slug = "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split()) or "own"
    return {"license": "other", "license_name": slug, "license_link": "LICENSE"}


def text(title: str, name: str) -> str:
    """Return a LICENSE file that refers to the text of a known licence; InputError for one that is not known."""
    licence = known(name)
    if licence is None:
        raise InputError(
            f"The zoo's licence {name!r} is none that has a known text. Put its text into a file LICENSE in the zoo."
        )
    credit = _CREDIT if licence.spdx.startswith("CC-BY") else ""
    return (
        f"{title} is licensed under {licence.name} ({licence.spdx}).\n{credit}The text of the licence: {licence.url}\n"
    )
