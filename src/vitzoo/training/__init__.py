"""Training of one population: pure steps over a matrix of parameters [K, P]. Never touches the disk."""
