"""A pico model with senses: a text model, tiny random encoders, and projectors that know nothing yet."""

from __future__ import annotations

from pathlib import Path

from tests.unit.models.omni import small


def encoders(folder: Path) -> tuple[Path, Path]:
    """Save a vision encoder of 32 pixels and an audio encoder of four seconds; return their folders.

    A spoken sentence fits into that: a longer sound is cut into pieces, and only whole ones have a caption of
    their own.
    """
    seeing = small.vision_encoder("siglip_vision_model", folder / "seeing")
    return seeing, small.whisper(folder / "hearing", positions=200)


def with_senses(base: Path, folder: Path) -> Path:
    """Save the checkpoint of a pico base with both encoders; return its folder."""
    seeing, hearing = encoders(folder)
    return small.omni(base, folder / "omni", seeing, hearing, settings={"most_frames": 2})
