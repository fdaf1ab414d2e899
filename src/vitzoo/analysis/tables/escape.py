"""Plain text made safe in Markdown, LaTeX, HTML and CSV: the names in a zoo may come from strangers."""

import html as _html
import re

# Backslash escapes of CommonMark. What is no markup where it stands stays readable: an underscore within a word, and
# ">" or "#" after the start of a line.
_MARKDOWN = re.compile(r"[\\`*\[\]<&|~$]|^[>#]|(?<![^\W_])_|_(?![^\W_])")
# At the start of a row, "*" and "[" would be read as arguments of the line end above.
_LATEX = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "|": r"\textbar{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "[": "{[}", "]": "{]}", "*": "{*}"},
    **{"−": "$-$", "±": r"$\pm$", "–": "--", "×": r"$\times$", "κ": r"$\kappa$", "η": r"$\eta$", "²": "$^2$"},
    **{"≥": r"$\geq$", "≤": r"$\leq$", "→": r"$\rightarrow$", "ρ": r"$\rho$", "τ": r"$\tau$", "λ": r"$\lambda$"},
}
_FORMULA = tuple("=+-@")


def printable(text: str) -> str:
    """Return the text on one line and without control characters.

    >>> printable("a\\x1b[31m\\nb")
    'a·[31m·b'
    """
    return "".join(c if c.isprintable() else "·" for c in text)


def markdown(text: str) -> str:
    """Escape for a cell or line of Markdown.

    >>> print(markdown("a|b <script> train_acc *x* _y_"))
    a\\|b \\<script> train_acc \\*x\\* \\_y\\_
    """
    return _MARKDOWN.sub(r"\\\g<0>", printable(text))


def latex(text: str) -> str:
    """Escape for LaTeX; the symbols that our tables use become commands that any engine knows.

    >>> print(latex("50 % of A_1 & −2 ± 1"))
    50 \\% of A\\_1 \\& $-$2 $\\pm$ 1
    """
    return "".join(_LATEX.get(c, c) for c in printable(text))


def html(text: str) -> str:
    """Escape for HTML, in text and in attributes.

    >>> html("<b>&'")
    '&lt;b&gt;&amp;&#x27;'
    """
    return _html.escape(printable(text))


def csv(text: str) -> str:
    """Mark with an apostrophe what a spreadsheet would run as a formula.

    >>> csv("=cmd()"), csv("adamw"), csv("-1")
    ("'=cmd()", 'adamw', '-1')
    """
    text = printable(text)
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
