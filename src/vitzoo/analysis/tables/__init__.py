"""The paper's tables of a zoo, one file each, as data (``table``) that is then written in a format (``render``)."""
