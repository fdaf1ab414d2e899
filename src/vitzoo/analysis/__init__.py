"""What a zoo shows: tables of metrics by generating factor, and figures. Functions of ``zoo.table()``, no training."""
