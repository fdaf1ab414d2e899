"""SimCLR (Chen et al. 2020): two views of each image find each other among all views of the batch.

Loss: InfoNCE on the cosine similarity of the head's outputs over a temperature, symmetric, the view itself left out.
The head is the projector: the released code's linear map, or an MLP.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from vitzoo.data.pipeline import Key
from vitzoo.training.objectives.base import Batch, Objective, Score


class Contrastive(Objective):
    """Views are stacked as [first views, second views]; a test image gets two views by draws fixed per batch.

    Accuracy is the share of views whose nearest other view is their partner (the top-1 of the paper's Table 8). It
    depends on the number of views compared, so evaluation uses the batches of training; the last may be smaller.
    """

    separable = False

    @property
    def test_batch_size(self) -> int:
        """The batch of training: the score depends on how many views are compared."""
        return self.hyper.batch_size

    def train_batch(self, images: Tensor, labels: Tensor, keys: Sequence[Key]) -> Batch:
        views = self.pipeline.two_views(images, *keys).unflatten(0, (len(keys), -1))
        return Batch(views, None, labels.unflatten(0, (len(keys), -1)).repeat(1, 2))

    def test_batch(self, images: Tensor, labels: Tensor, key: Key) -> Batch:
        return self.train_batch(images, labels, [key])

    def score(self, outputs: Tensor, batch: Batch) -> Score:
        assert self.hyper.temperature is not None
        return info_nce(outputs, self.hyper.temperature)


def info_nce(outputs: Tensor, temperature: float) -> Score:
    """Score outputs [K, 2B, C] whose rows i and i + B belong together."""
    z = F.normalize(outputs.float() if outputs.dtype.itemsize < 4 else outputs, dim=-1)
    n = z.shape[1]
    similarity = z @ z.transpose(1, 2) / temperature
    similarity = similarity.masked_fill(torch.eye(n, dtype=torch.bool, device=z.device), float("-inf"))
    partner = torch.arange(n, device=z.device).roll(n // 2)
    logp = similarity.log_softmax(-1)
    loss = -logp.gather(2, partner.view(1, n, 1).expand(z.shape[0], -1, 1)).squeeze(2)
    return Score(loss, similarity.argmax(-1) == partner)
