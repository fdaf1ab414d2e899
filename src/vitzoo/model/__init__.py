"""The vision transformer, for one model and for a population. `shapes` needs no torch; the rest does."""
