"""SVGs within a page: ids that do not meet, no styles for the page, nothing from outside."""

from xml.etree import ElementTree

import pytest

from vitzoo.report.svg import inline

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9">'


def make(content: str) -> str:
    return f"{HEAD}{content}</svg>"


def test_ids_and_references_get_a_prefix() -> None:
    found = inline(
        make(
            '<defs><clipPath id="p"><rect width="1"/></clipPath><path id="m" d="M 0 0"/></defs>'
            '<g clip-path="url(#p)"><use xlink:href="#m" style="fill: url(#p)"/></g>'
        ),
        "a",
        "label",
    )
    assert 'id="a-p"' in found and 'id="a-m"' in found
    assert 'clip-path="url(#a-p)"' in found and 'href="#a-m"' in found and "fill: url(#a-p)" in found
    ElementTree.fromstring(found)


def test_only_shapes_are_kept() -> None:
    found = inline(
        make(
            "<metadata>x</metadata><defs><style>*{fill:red}</style></defs><script>alert(1)</script>"
            "<!-- <script> --><foreignObject><p>x</p></foreignObject><text>x</text><path d='M 0 0'/>"
        ),
        "a",
        "label",
    )
    for word in ("style>", "script", "metadata", "foreignObject", "<text", "<!--"):
        assert word not in found
    assert "<path" in found


def test_label_is_escaped() -> None:
    assert 'aria-label="&quot;&gt;&lt;b&gt;"' in inline(make(""), "a", '"><b>')


def test_pictures_within_stay_and_others_are_refused() -> None:
    found = inline(make('<image xlink:href="data:image/png;base64,\nAAAA\nBBBB" width="1"/>'), "a", "label")
    assert 'href="data:image/png;base64,AAAABBBB"' in found
    for outside in ("https://example.org/x.png", "x.png", "data:text/html,x", "javascript:alert(1)"):
        with pytest.raises(ValueError, match="outside"):
            inline(make(f'<image xlink:href="{outside}"/>'), "a", "label")
