"""Who descends from whom, recovered from weights alone, and how well: the paper's section 4.1 and what comes after it.

``truth`` and ``sets`` say what is so, ``models``, ``gather`` and ``evidence`` what can be seen, ``methods`` what
follows from it, ``scores`` and ``benchmark`` how well.
"""
