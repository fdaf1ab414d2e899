"""Names of tensors: those of other libraries' checkpoints and timm's, which a zoo uses."""
