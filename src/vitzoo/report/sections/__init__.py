"""The sections of a report, one per file; each is a function of data and returns a ``Section``."""
