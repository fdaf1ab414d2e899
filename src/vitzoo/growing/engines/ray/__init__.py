"""The Ray engine: one actor a worker, on every machine of a cluster that has room."""
