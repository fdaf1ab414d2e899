"""Images: where they come from (`sources`), how they are cached, ordered, kept on the device and augmented.

`load` decodes a data set once and maps it into memory; `device.DeviceSplit` keeps it near the model;
`order` says which image comes when; `pipeline.Pipeline` turns uint8 batches into what a model is fed.
This module imports no torch.
"""

from vitzoo.data.images import Images
from vitzoo.data.load import load
from vitzoo.data.order import epoch_order, eval_order

__all__ = ["Images", "epoch_order", "eval_order", "load"]
