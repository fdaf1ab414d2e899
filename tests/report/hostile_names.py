"""Names that would become markup if they were not escaped, and the day that test reports state."""

from datetime import date

SCRIPT = "<script>alert(1)</script>"
BREAKOUT = "\"'></td></style></svg></title>--!><img src=x onerror=alert(2)>]]>"
DAY = date(2026, 3, 1)
