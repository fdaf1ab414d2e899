"""HTML as strings of their own type: what is not ``Markup`` is escaped, so no text of a zoo can become markup."""

from typing import TypeAlias

from vitzoo.analysis.tables import escape

VOID = frozenset({"meta", "br", "img"})


class Markup(str):
    """Text that is HTML already. Made here from escaped parts, or where HTML of our own is read."""

    __slots__ = ()


#: What an element may hold; None and "" are left out.
Part: TypeAlias = str | None


def element(tag: str, /, *parts: Part, **attributes: str | None) -> Markup:
    """Return an element; parts that are no ``Markup`` are escaped, and so are attributes, of which None are left out.

    A trailing underscore is dropped from the name of an attribute, and others become hyphens.

    >>> element("p", "1 < 2, ", element("b", "really"), class_="note", aria_label='"')
    '<p class="note" aria-label="&quot;">1 &lt; 2, <b>really</b></p>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape.html(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if tag in VOID:
        return Markup(f"<{tag}{written}>")
    return Markup(f"<{tag}{written}>{join(*parts)}</{tag}>")


def join(*parts: Part) -> Markup:
    """Return parts as one, escaped unless they are ``Markup``.

    >>> join("a&", element("br"), None)
    'a&amp;<br>'
    """
    return Markup("".join(part if isinstance(part, Markup) else escape.html(part) for part in parts if part))
