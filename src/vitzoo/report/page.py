"""The page: head, contents and sections in one self-contained document that cannot reach the network.

The policy forbids everything but styles and pictures within the page (W3C, Content Security Policy Level 3), so that
even a mistake in escaping could not run or load anything. There is no script.
"""

from collections.abc import Sequence

from vitzoo.report.css import CSS
from vitzoo.report.markup import Markup, element
from vitzoo.report.sections.section import Section

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def page(name: str, summary: Markup, sections: Sequence[Section], version: str) -> str:
    """Return the document of a report on the zoo of this name; the same content gives the same text."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="generator", content=f"vitzoo {version}"),
        element("title", f"{name}: a model zoo"),
        element("style", Markup(CSS)),
    )
    header = element("header", element("p", "Report on a model zoo", class_="kind"), element("h1", name), summary)
    main = element("main", *(section.written() for section in sections))
    footer = element("footer", f"Written by vitzoo {version}. This page is complete in itself and loads nothing.")
    frame = element("div", header, _contents(sections), main, footer, class_="frame")
    return f"<!doctype html>\n{element('html', head, element('body', frame), lang='en')}\n"


def _contents(sections: Sequence[Section]) -> Markup:
    items = []
    for section in sections:
        parts = [element("li", element("a", title, href=f"#{id}")) for id, title in section.parts]
        below = element("ol", *parts) if parts else None
        items.append(element("li", element("a", section.title, href=f"#{section.id}"), below))
    return element("nav", element("ol", *items), aria_label="Contents")
