"""All that tables, findings and figures read: one row per member, and matrices over the same rows."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from vitzoo.measures.selection import LeftOut

if TYPE_CHECKING:
    import numpy as np

# pandas has no stubs here, and the types inferred from its source are unions that fit nothing.
DataFrame: TypeAlias = Any

STATISTICS = ("weight_mean", "weight_std", "skewness", "kurtosis", "l2_norm")
#: What a catalogue row is joined with. Accuracies and gaps are fractions, kurtosis is excess, lengths have no unit.
MEASURED = ("test_acc", "test_loss", "gap", "gap_online", *STATISTICS, "l2_distance")


@dataclass(frozen=True, eq=False)
class Measurements:
    """A zoo as measured: its finished members, each at its last checkpoint.

    members: one row per member, index 0 … n-1; the catalogue's columns and:
        test_acc, test_loss    measured in float32 on the whole test split, or, where its images are not at hand, as
                               recorded when the member was grown, which ``left_out`` then says;
        gap, gap_online        training accuracy minus ``test_acc``: evaluated without augmentation after the epoch,
                               and as it ran during the epoch (NaN where it was not recorded);
        weight_mean, weight_std, skewness, kurtosis, l2_norm    moments of the weights in ``scope``;
        l2_distance            backbone to backbone of the parent's checkpoint it was initialised from (NaN without).
    distances: [n, n] L2 distance between backbones; NaN between members of other shapes.
    agreement, kappa: [n, n] share of equal predictions, and Cohen's κ; NaN between members that were not evaluated
        on the same images, on the diagonal 1.
    scope: which tensors the moments are over, see ``vitzoo.measures.scopes``.
    left_out: what is not in here, and why.
    notes: what else a reader should know, whole sentences.
    """

    zoo: str
    members: DataFrame
    distances: "np.ndarray"
    agreement: "np.ndarray"
    kappa: "np.ndarray"
    scope: str
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()

    def finetuned(self) -> DataFrame:
        """Return the rows of fine-tuned members; the index says where they lie in the matrices."""
        return self.members[self.members["stage"] == "finetuning"]

    def pretrained(self) -> DataFrame:
        """Return the rows of pre-trained members; the index says where they lie in the matrices."""
        return self.members[self.members["stage"] == "pretraining"]

    def refine(self, where: str) -> "Measurements":
        """Keep the pre-trained members and those fine-tuned ones that fit a boolean SQL expression over ``members``.

        InputError if the expression is none or names an unknown column.
        """
        import numpy as np

        from vitzoo.zoo import query

        fits = set(query.matching(self.members, where))
        stage = self.members["stage"].to_list()
        keep = np.array([i for i in range(len(stage)) if stage[i] == "pretraining" or i in fits], dtype=int)
        square = np.ix_(keep, keep)
        return replace(
            self,
            members=self.members.iloc[keep].reset_index(drop=True),
            distances=self.distances[square],
            agreement=self.agreement[square],
            kappa=self.kappa[square],
        )
