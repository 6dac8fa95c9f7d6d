"""Manus grows a base language model, one capability at a time, from one YAML recipe."""

from manus.models.omni.registration import install

__version__ = "0.1.0"

install()
