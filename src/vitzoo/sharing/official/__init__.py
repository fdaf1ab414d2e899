"""The layout of the paper's published zoo: where things lie, what configs declare, what the code did with them."""
