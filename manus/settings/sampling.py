"""What a recipe may say of how a model answers at random. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from manus.settings.frozen import Frozen


class SamplingSettings(Frozen):
    """How a model draws its answers to prompts."""

    max_new_tokens: Annotated[int, Field(ge=1, le=2**31 - 1)] = Field(
        256, description="Longest answer in tokens."
    )
    temperature: Annotated[float, Field(gt=0, le=10)] = Field(
        1.0, description="Softness of the draw of tokens."
    )
    top_p: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="Draw from the likeliest tokens that hold this share of the probability."
    )
    generation: Literal["auto", "transformers", "vllm"] = Field(
        "auto", description="What generates; auto takes vLLM where it is installed and there is a GPU."
    )
