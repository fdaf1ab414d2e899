"""Models brought together: what leaves a ViT's function alone, and what follows from that for averages."""
