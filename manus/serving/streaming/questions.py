"""Chooses what a model is asked when its streams are tried. Knows no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from manus.data.sample import Sample, prompt_of

Conversation = list[dict[str, str]]

# Where a recipe holds out no conversation of text: questions of everyday length, in words that any base was
# trained on.
FIXED = (
    "What is the capital of France?",
    "Write two sentences about the sea.",
    "Explain why the sky is blue.",
    "Name three animals that live in the forest.",
    "What is 17 plus 25? Work it out in steps.",
    "Give a short recipe for pancakes.",
    "Translate 'good morning' into Spanish, and say when it is used.",
    "What should one pack for a day in the mountains?",
)
ROLES = ("system", "user", "assistant")


def questions_of(held_out: Mapping[str, Sequence[Sample]], count: int) -> list[tuple[str, Conversation]]:
    """Return conversations to answer, each with the stage that holds it out, or an empty name for a fixed.

    The stages take turns, in their order, so that each is asked. No conversation comes twice.

    Args:
        held_out: the held-out samples by stage; those with media, and plain texts, are left out.
        count: how many at most; where there are fewer, there are only those. Fixed ones come only where no
            stage holds out any.
    """
    by_stage = {
        name: [found for one in samples if (found := _asked(one))] for name, samples in held_out.items()
    }
    named = [[(name, one) for one in found] for name, found in by_stage.items()]
    chosen: list[tuple[str, Conversation]] = []
    for turn in zip_longest(*named):
        for one in turn:
            if one is not None and one[1] not in [said for _, said in chosen]:
                chosen.append(one)
    return chosen[:count] or [("", [{"role": "user", "content": text}]) for text in FIXED[:count]]


def _asked(sample: Sample) -> Conversation:
    """Return what stands before a text sample's last answer; nothing where it cannot be asked as it is."""
    turns = prompt_of(sample)
    is_plain = all(turn["role"] in ROLES and turn["content"].strip() for turn in turns)
    if sample.get("media") or not turns or turns[-1]["role"] != "user" or not is_plain:
        return []
    return [{"role": turn["role"], "content": turn["content"]} for turn in turns]
