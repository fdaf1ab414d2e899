"""Cross-entropy against soft targets: labels, smoothed and mixed as the recipe says."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from vitzoo.data.pipeline import Key
from vitzoo.training.objectives.base import Batch, Objective, Score


class Supervised(Objective):
    """Classification. Online accuracy is against the labels of the images before mixing, as in the released code."""

    separable = True

    def train_batch(self, images: Tensor, labels: Tensor, keys: Sequence[Key]) -> Batch:
        return Batch(*(part.unflatten(0, (len(keys), -1)) for part in self.pipeline.train_batch(images, labels, *keys)))

    def test_batch(self, images: Tensor, labels: Tensor, key: Key) -> Batch:
        return Batch(self.pipeline.eval_batch(images).unsqueeze(0), None, labels.unsqueeze(0))

    def score(self, outputs: Tensor, batch: Batch) -> Score:
        outputs = outputs.float() if outputs.dtype.itemsize < 4 else outputs
        logp = F.log_softmax(outputs, dim=-1)
        if batch.targets is None:
            index = batch.labels.unsqueeze(2).expand(outputs.shape[0], -1, 1)
            loss = -logp.gather(2, index).squeeze(2)
        else:
            loss = -(batch.targets.to(logp.dtype) * logp).sum(-1)
        return Score(loss, outputs.argmax(-1) == batch.labels)
