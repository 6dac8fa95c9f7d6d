"""The limits that guards keep. Never part of a key: they change when work is saved, not what comes out."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, PositiveFloat, PositiveInt

from manus.settings import Frozen


class GuardSettings(Frozen):
    """When a running stage saves its state."""

    PLANNED: ClassVar[tuple[str, ...]] = (
        "pause_above_celsius", "resume_below_celsius", "cooldown_every_steps", "cooldown_seconds", "max_wait_minutes",
    )  # fmt: skip

    checkpoint_every_steps: PositiveInt = Field(200, description="Optimizer steps between two checkpoints.")
    checkpoint_every_minutes: PositiveFloat = Field(10.0, description="At the latest after this time.")
    keep_checkpoints: PositiveInt = Field(2, description="Older ones are removed once a newer one is whole.")
