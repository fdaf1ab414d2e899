"""The figures, each on a white card with a caption that says how to read it."""

from collections.abc import Sequence

from vitzoo.report.drawing import Drawn
from vitzoo.report.markup import Markup, element, join
from vitzoo.report.sections.section import Section, scrolling
from vitzoo.report.svg import inline

#: Heading and caption of each figure.
CAPTIONS = {
    "grid": (
        "The grid of generating factors",
        "Each row is a backbone and each column a fine-tuning configuration; a cell is the test accuracy of the member "
        "grown from both. It is Figure 1 of the paper for this zoo.",
    ),
    "factors": (
        "Accuracy by factor",
        "Every fine-tuned member is a point once in each group. Boxes are quartiles with the median, whiskers reach to "
        "the extremes, diamonds are means; η² is the share of variance that a factor explains alone.",
    ),
    "gap": (
        "Generalisation gap",
        "Training minus test accuracy against test accuracy, both evaluated without augmentation. Above the line at "
        "zero a member does better on what it was trained on. Larger and lighter points have larger learning rates.",
    ),
    "curves": (
        "Learning curves",
        "Test accuracy over fine-tuning, as training recorded it. Thin lines are members, thick lines with markers "
        "their mean by learning rate.",
    ),
    "map": (
        "The map of weight space",
        "Members with similar weights lie near each other. Above, principal components of the backbones’ weights, with "
        "their share of the variance; below, t-SNE, which keeps neighbours together and in which distances between "
        "groups and sizes of groups mean nothing. Diamonds are pre-trained backbones.",
    ),
    "distances": (
        "Distances between members",
        "Every pair of members in the order of their lineage. Families are squares on the diagonal; dark squares off "
        "it are backbones that are near each other, as those are that began from the same initial weights.",
    ),
    "agreement": (
        "Agreement between members",
        "Every pair of fine-tuned members in the order of their lineage. Agreement is bounded by accuracy: two members "
        "that are mostly right must mostly agree. Table 2 has Cohen’s κ beside it.",
    ),
    "averages": (
        "Averages over the last epochs",
        "What is gained by averaging the weights of a member’s last checkpoints, over the best and over the mean of "
        "those that are averaged. Lighter points have a larger generalisation gap. It is Figure 2a of the paper for "
        "this zoo.",
    ),
    "soups": (
        "Soups over one factor",
        "What is gained by averaging the last checkpoints of members that share their backbone and all of fine-tuning "
        "but one factor, over the best and over the mean of these members. Boxes are quartiles with the median, "
        "whiskers reach to the extremes, diamonds are means; soups that gain are lighter. It is Figure 2b of the paper "
        "for this zoo.",
    ),
    "windows": (
        "Averages along fine-tuning",
        "The average of the checkpoints up to an epoch beside the model at that epoch: accuracies on the left, what "
        "averaging gains on the right. It is Figure 3 of the paper for this zoo.",
    ),
}


def figures(drawn: Sequence[Drawn]) -> Section:
    """Return the section; figures that could not be drawn are named with the reason."""
    return Section("figures", "Figures", pictures(drawn), contents(drawn))


def pictures(drawn: Sequence[Drawn]) -> Markup:
    """Return the figures one below the other, after the names of those that could not be drawn."""
    missing = [element("li", f"{CAPTIONS[one.stem][0]}: not drawn. {one.why}") for one in drawn if not one.svg]
    parts = [element("ul", *missing, class_="notes")] if missing else []
    return join(*parts, *(_figure(one) for one in drawn if one.svg))


def contents(drawn: Sequence[Drawn]) -> tuple[tuple[str, str], ...]:
    """Return id and heading of each figure that was drawn, for the table of contents."""
    return tuple((f"figure-{one.stem}", CAPTIONS[one.stem][0]) for one in drawn if one.svg)


def _figure(one: Drawn) -> Markup:
    heading, caption = CAPTIONS[one.stem]
    files = join("Also as ", element("code", f"figures/{one.paths[0].name}"))
    if len(one.paths) > 1:
        files = join(files, " and ", element("code", f"figures/{one.paths[1].name}"))
    picture = scrolling(inline(one.svg, f"figure-{one.stem}", f"{one.title}. {caption}"), heading)
    below = element("figcaption", caption, " ", element("small", files, "."))
    return element("figure", element("h3", heading), picture, below, id=f"figure-{one.stem}")
