"""Blueprints: what is asked for, resolved into recipes. Imports neither torch nor timm."""
