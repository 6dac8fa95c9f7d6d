"""What a recipe may demand of the merged model. Knows nothing of how it is measured."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from manus.settings.frozen import Frozen

OF_PROBES = ("min_gain", "max_drop")
Seconds = Annotated[float, Field(gt=0)]


class GateSettings(Frozen):
    """Limits on a stage's probe, in the unit of its metric; those in or per seconds are for `streaming`."""

    min_gain: Annotated[float, Field(ge=-1, le=1)] | None = Field(
        None, description="The merged model must be better than the stage's start model by at least this."
    )
    max_drop: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="The merged model may lie at most this far below the stage's best result."
    )
    max_first_token_seconds: Seconds | None = Field(
        None, description="The slowest first token, with one stream and with eight."
    )
    max_gap_p95_seconds: Seconds | None = Field(
        None, description="What 95 % of the gaps between tokens stay within, with one stream and with eight."
    )
    min_tokens_per_second: Annotated[float, Field(gt=0)] | None = Field(
        None, description="How many tokens come in a second, all streams together, with one and with eight."
    )

    @model_validator(mode="after")
    def _limits_something(self) -> GateSettings:
        if not self.limits:
            raise ValueError(
                f"a gate needs {' or '.join(OF_PROBES)}, and that of streaming a limit of its own"
            )
        return self

    @property
    def limits(self) -> dict[str, float]:
        """The limits that are set, by name."""
        return {name: value for name, value in self if value is not None}

    @property
    def identity(self) -> dict[str, Any]:
        """What goes into keys: those of gates without features stay as before there were features."""
        return {name: value for name, value in self if name in OF_PROBES or value is not None}
