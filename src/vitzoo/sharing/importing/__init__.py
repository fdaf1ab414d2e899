"""Zoos that others made: survey what lies in a folder, then make a zoo of it."""
