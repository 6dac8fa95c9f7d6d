"""Says how a stage's rows become samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from manus.recipe.recipe import CAPABILITIES, RewardModel, Stage

if TYPE_CHECKING:
    from manus.data.sample import Row, Sample, SampleKind


def reader_of(learned: Stage | RewardModel) -> Callable[[Row], Sample]:
    """Return how a row becomes a sample of the kind to learn from; media are never dropped without a word.

    In conversations the turns that are not learned are marked, as the rows' flags and the stage's `learn`
    have it.
    """
    from manus.data.forms.dialogues import refuse_going_on
    from manus.data.forms.flags import with_default, without_flags
    from manus.data.forms.messages import as_messages, as_text
    from manus.data.forms.pairs import read_pair
    from manus.data.forms.prompts import read_prompt
    from manus.data.forms.shown_functions import with_functions
    from manus.data.forms.speech import as_speech
    from manus.data.forms.unread_media import minding_media
    from manus.data.sample import of_any_row
    from manus.rewards.context import Context
    from manus.rewards.settings import cannot_score

    if isinstance(learned, RewardModel):
        pair = minding_media(
            lambda row: without_flags(read_pair(row, lambda one: with_functions(as_messages(one)))),
            "preference",
        )
        return of_any_row(pair)
    capability = CAPABILITIES[learned.capability]
    context = Context(learned.capability, Path())

    def can_score(sample: Sample) -> bool:
        rewards = learned.rewards
        return not cannot_score(rewards, sample, context) if rewards else bool(capability.can_score(sample))

    readers: dict[SampleKind, Callable[[Row], Sample]] = {
        "messages": lambda row: with_default(refuse_going_on(capability.read(row)), learned.data.learn),
        "text": as_text,
        "preference": lambda row: without_flags(refuse_going_on(read_pair(row, capability.read))),
        "prompt": lambda row: without_flags(read_prompt(row, capability.read, can_score)),
        "speech": as_speech,
    }
    return of_any_row(minding_media(readers[learned.data_kind], learned.data_kind))
