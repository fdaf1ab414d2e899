"""The changes of a pre-norm ViT's weights that leave its function alone, as pure functions of its tensors.

``units`` permutes neurons and heads, ``inner`` mixes what is inside a head, ``residual`` folds norms and turns the
residual stream; ``element`` holds all of it as data, ``balance`` chooses one of all equal factorisations. For attention
there are no others (arXiv 2410.04209). The result is always a plain timm ViT, with linear or MLP head.
Tensors are those of one model under timm's names, of any floating type; a function returns a new dict.
"""
