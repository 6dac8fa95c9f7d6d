"""A pico model with senses: its text model, tiny encoders with random weights, and projectors that know nothing yet."""

from __future__ import annotations

from pathlib import Path

from tests.unit.models.omni import small


def encoders(folder: Path) -> tuple[Path, Path]:
    """Save a vision encoder of 32 pixels and an audio encoder of two seconds; return their folders."""
    return small.vision_encoder("siglip_vision_model", folder / "seeing"), small.whisper(folder / "hearing")


def with_senses(base: Path, folder: Path) -> Path:
    """Save the checkpoint of a pico base with both encoders; return its folder."""
    seeing, hearing = encoders(folder)
    return small.omni(base, folder / "omni", seeing, hearing, settings={"most_frames": 2})
