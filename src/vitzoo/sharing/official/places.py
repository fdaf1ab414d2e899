"""Where things lie in the published zoo, and in the trial folders of Ray Tune that it was made of. Pure.

``pretraining/<member>/`` and ``finetuning/<parent>/<member>/``, each with a config, ``result.json`` and
``checkpoint_<n>/`` (paper, Appendix C); the hosted copy calls the two roots by their data sets.
"""

import re

#: Names of the root folders of each stage: the paper's, then those of the hosted copy.
ROOTS = {
    "pretraining": "pretraining",
    "vit_imagenet_pretrained": "pretraining",
    "finetuning": "finetuning",
    "vit_cifar100_finetuned": "finetuning",
}
OURS = "vitzoo::"  # in an export of ours: how keys of a config begin that the published ones lack
HEAD = "vitzoo"  # in an export of ours: what it says of the zoo as a whole
CONFIGS = ("config.json", "params.json")  # the first that is there; never params.pkl, a pickle
RESULT = "result.json"
OPTIMIZER = "optimizer"  # the state of the optimizer, a pickle beside the weights; no zoo keeps it
WEIGHTS = ("checkpoints", "model.safetensors")  # what a checkpoint folder calls its weights, before any of ENDINGS
ENDINGS = (".safetensors", ".pt", ".pth")
_CHECKPOINT = re.compile(r"checkpoint_([0-9]{1,9})", re.ASCII)


def number_of(name: str) -> int | None:
    """Number of a checkpoint folder, whatever its padding; ``None`` for any other name.

    >>> number_of("checkpoint_000049"), number_of("checkpoint_9"), number_of("checkpoint_x")
    (49, 9, None)
    """
    match = _CHECKPOINT.fullmatch(name)
    return int(match[1]) if match else None


def weights_among(names: list[str]) -> str | None:
    """Choose the file that holds the weights among the names in a checkpoint folder; ``None`` if there is none.

    >>> weights_among(["optimizer", "checkpoints", ".is_checkpoint"]), weights_among(["b.pt", "a.pt"])
    ('checkpoints', 'a.pt')
    """
    for name in WEIGHTS:
        if name in names:
            return name
    return next((name for name in sorted(names) if name.endswith(ENDINGS) and not name.startswith(OPTIMIZER)), None)
