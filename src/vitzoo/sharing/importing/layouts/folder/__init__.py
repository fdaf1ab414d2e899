"""A plain folder of ViTs, as timm, Hugging Face or a training script left them, with a table of factors or without.

Members are sub-folders with a config and weights, and files of weights on their own, up to four folders deep.
"""

from vitzoo.sharing.importing.layouts.folder.reading import NAME, fits, survey

__all__ = ["NAME", "fits", "survey"]
