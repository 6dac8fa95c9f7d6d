"""What a recipe may demand of the merged model. Knows nothing of how it is measured."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from manus.settings.frozen import Frozen


class GateSettings(Frozen):
    """Limits on one stage's probe, in the unit of its metric."""

    min_gain: Annotated[float, Field(ge=-1, le=1)] | None = Field(
        None, description="The merged model must be better than the stage's start model by at least this."
    )
    max_drop: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="The merged model may lie at most this far below the stage's best result."
    )

    @model_validator(mode="after")
    def _limits_something(self) -> GateSettings:
        if self.min_gain is None and self.max_drop is None:
            raise ValueError("a gate needs min_gain or max_drop")
        return self
