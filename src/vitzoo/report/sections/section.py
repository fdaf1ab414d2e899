"""A section of a report, and the parts of it that the table of contents lists."""

from dataclasses import dataclass

from vitzoo.report.markup import Markup, element


@dataclass(frozen=True)
class Section:
    """Heading, body, and (id, title) of the parts within; ``id`` is unique in the page."""

    id: str
    title: str
    body: Markup
    parts: tuple[tuple[str, str], ...] = ()

    def written(self) -> Markup:
        """Return the section as an element that its heading labels."""
        heading = element("h2", self.title, id=f"{self.id}-heading")
        return element("section", heading, self.body, id=self.id, aria_labelledby=f"{self.id}-heading")


def scrolling(content: Markup, label: str) -> Markup:
    """Put something wide into a box of its own that scrolls, also by the keyboard."""
    return element("div", content, class_="scroll", role="region", tabindex="0", aria_label=label)
