"""Other ways to grow a population, small enough to be read, measured beside ours by ``benchmarks/populations.py``.

Every peer is written the way its users write it, and stores what they store: per member and epoch a checkpoint and a
line of metrics. None of them imports our model, data or training.

* P0 ``released``: the loop of the paper's released code with its defects repaired.
* P1 ``timm_loop``: a plain PyTorch and timm loop, mixed precision where the hardware has it.
* P2: P1 with ``torch.compile``.
* P5 ``vmap``: one ``torch.func.vmap`` over the stacked states of K timm models.

Beside them: ``ours`` (vitzoo's public interface), ``workload`` (what all are asked to do), ``pictures`` (their data),
``diary`` (what they note), ``systems``, ``launch`` and ``memory`` (how they are run), ``summary`` and ``table`` (what
came out), ``pure`` (steps alone, for diagnosis).
"""
