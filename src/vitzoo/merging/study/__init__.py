"""The paper's study of averages within a lineage: over epochs, over one fine-tuning factor, along fine-tuning.

Section 4.2, Figures 2 and 3. ``plan`` says which averages there are, ``judge`` what they do, ``run`` is the study, and
``averages`` what comes out.
"""
