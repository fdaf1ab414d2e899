"""Methods that recover lineage from weights; a file each, with its reference. ``lineage.recover`` lists them."""
