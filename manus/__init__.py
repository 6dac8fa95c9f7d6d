"""Manus grows a base language model, one capability at a time, from one YAML recipe."""

__version__ = "0.1.0"
