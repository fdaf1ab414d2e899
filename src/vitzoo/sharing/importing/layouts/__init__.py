"""Readers of layouts: each surveys a folder, lists names and reads configs, tables and curves; none opens weights."""
