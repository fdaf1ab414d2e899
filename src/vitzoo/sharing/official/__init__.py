"""The layout of the paper's published zoo: where things lie, what its configs declare and what its code did with them."""
