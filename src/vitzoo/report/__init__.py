"""A report on a zoo: one self-contained page, and every figure on its own."""

from vitzoo.report.write import Report, write

__all__ = ["Report", "write"]
