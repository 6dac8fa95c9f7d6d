"""Says how a stage's rows become samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from manus.recipe.recipe import CAPABILITIES, RewardModel, Stage

if TYPE_CHECKING:
    from manus.data.sample import Row, Sample, SampleKind


def reader_of(learned: Stage | RewardModel) -> Callable[[Row], Sample]:
    """Return how a row becomes a sample of the kind that is learned from; media are never dropped without a word."""
    from manus.data.forms.messages import as_messages, as_text
    from manus.data.forms.pairs import read_pair
    from manus.data.forms.prompts import read_prompt
    from manus.data.forms.unread_media import minding_media
    from manus.data.sample import of_any_row
    from manus.rewards.context import Context
    from manus.rewards.settings import cannot_score

    if isinstance(learned, RewardModel):
        return of_any_row(minding_media(lambda row: read_pair(row, as_messages), "preference"))
    capability = CAPABILITIES[learned.capability]
    context = Context(learned.capability, Path())

    def can_score(sample: Sample) -> bool:
        rewards = learned.rewards
        return not cannot_score(rewards, sample, context) if rewards else bool(capability.can_score(sample))

    readers: dict[SampleKind, Callable[[Row], Sample]] = {
        "messages": capability.read,
        "text": as_text,
        "preference": lambda row: read_pair(row, capability.read),
        "prompt": lambda row: read_prompt(row, capability.read, can_score),
    }
    return of_any_row(minding_media(readers[learned.data_kind], learned.data_kind))
