"""Blueprints: what is asked for, resolved into recipes. Imports neither torch nor timm."""

from vitzoo.blueprint.document import Blueprint, parse
from vitzoo.blueprint.expansion import expand
from vitzoo.blueprint.loading import PRESETS, load, preset
from vitzoo.blueprint.recipe import Recipe

__all__ = ["PRESETS", "Blueprint", "Recipe", "expand", "load", "parse", "preset"]
