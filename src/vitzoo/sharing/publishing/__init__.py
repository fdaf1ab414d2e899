"""A zoo on the Hugging Face hub: a dataset repository with card, catalogue and Croissant metadata, and model cards."""

from vitzoo.sharing.publishing.publish import Prepared, Written, prepare, publish, write

__all__ = ["Prepared", "Written", "prepare", "publish", "write"]
