"""The limits of a machine. Never part of a key: they say when work is saved or rests, not what comes out."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from manus.settings.frozen import Frozen

Celsius = Annotated[float, Field(gt=0, lt=150)]


class GuardSettings(Frozen):
    """When a running stage saves its state, rests, and waits for the machine to cool."""

    checkpoint_every_steps: PositiveInt = Field(200, description="Optimizer steps between two checkpoints.")
    checkpoint_every_minutes: PositiveFloat = Field(10.0, description="At the latest after this time.")
    keep_checkpoints: PositiveInt = Field(
        2, description="How many of the newest are kept, beside the one with the lowest loss."
    )
    cooldown_every_steps: Annotated[int, Field(ge=0)] = Field(
        500, description="Rest after so many steps; 0: never."
    )
    cooldown_seconds: PositiveFloat = Field(60.0, description="How long to rest; SIGUSR1 ends it.")
    pause_above_celsius: Celsius = Field(
        83.0, description="Pause when the hottest device in use is above this."
    )
    resume_below_celsius: Celsius = Field(75.0, description="Go on when it is below this.")
    max_wait_minutes: PositiveFloat = Field(
        30.0, description="Too hot for longer: save and end with exit code 75."
    )
    power_cap_watts: PositiveFloat | None = Field(
        None, description="When too hot, first cap the GPUs' power to this, where permitted."
    )
    pause_keeps_memory: bool = Field(False, description="Leave model and optimizer on the GPU while paused.")
    decoding_processes: Annotated[int, Field(ge=0, le=64)] | Literal["auto"] = Field(
        "auto",
        description="Processes that decode media beside the training; "
        "auto: the processors but one, at most 4.",
    )

    @model_validator(mode="after")
    def _cools_before_it_resumes(self) -> GuardSettings:
        if self.resume_below_celsius >= self.pause_above_celsius:
            raise ValueError(
                f"resume_below_celsius ({self.resume_below_celsius:g}) must be below "
                f"pause_above_celsius ({self.pause_above_celsius:g})"
            )
        return self
