"""An SVG that Matplotlib wrote, made fit to stand in a page: own ids, no styles for the page, nothing but shapes.

Matplotlib counts ids from the start in every file, names glyphs alike and styles ``*``; several such files in one page
would clip by each other's paths. What is kept is what its SVG backend writes for shapes; anything else is dropped.
"""

import re
from xml.etree import ElementTree

from vitzoo.analysis.tables import escape
from vitzoo.report.markup import Markup

SVG, XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
SHAPES = frozenset({"svg", "g", "defs", "clipPath", "path", "use", "rect", "image", "circle", "line", "polygon"})
# What Matplotlib's style sheet, which is dropped, says for all elements; here all inherit it.
JOINS = "stroke-linejoin:round;stroke-linecap:butt"
_REFERENCE = re.compile(r"url\(#([^)]*)\)")


def inline(text: str, prefix: str, label: str) -> Markup:
    """Return the SVG as an element with role "img" and a label; its ids begin with ``prefix`` and a hyphen.

    It is as wide as its box. ``text`` must be of our own figures. ValueError if it refers to anything outside.
    """
    root = ElementTree.fromstring(text)
    content = "".join(_write(child, prefix) for child in root)
    box = escape.html(root.attrib["viewBox"])
    head = f'<svg viewBox="{box}" role="img" aria-label="{escape.html(label)}" style="{JOINS}" class="drawn">'
    return Markup(f"{head}{content}</svg>")


def _write(node: ElementTree.Element, prefix: str) -> str:
    name = node.tag.removeprefix(SVG) if isinstance(node.tag, str) else ""
    if name not in SHAPES:
        return ""
    written = "".join(_attribute(key, value, prefix) for key, value in node.attrib.items())
    content = "".join(_write(child, prefix) for child in node)
    return f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>"


def _attribute(key: str, value: str, prefix: str) -> str:
    key = key.replace(XLINK, "")
    if key == "id":
        value = f"{prefix}-{value}"
    elif key == "href" and value.startswith("#"):
        value = f"#{prefix}-{value[1:]}"
    elif key == "href" and value.startswith("data:image/png;base64,"):
        value = "".join(value.split())
    elif key == "href":
        raise ValueError(f"The figure {prefix!r} refers to {value[:60]!r}, which is outside of it.")
    else:
        value = _REFERENCE.sub(rf"url(#{prefix}-\1)", value)
    return f' {key}="{escape.html(" ".join(value.split()))}"'
