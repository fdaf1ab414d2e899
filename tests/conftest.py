"""Shared by all tests."""

from vitzoo import compat

compat.ensure_torchvision()
