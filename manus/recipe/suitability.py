"""Says which method cannot train which capability, why, and what comes nearest. Knows no recipe.

The reader of recipes and the table in docs/RECIPES.md both ask `refusal`: what is refused is what the table
says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from manus import capabilities
from manus.data.sample import SampleKind
from manus.recipe.known import DEFAULT_METHOD, METHODS, Mismatch, mismatch, shared_kind

NOT_BUILT = "not built yet"
# Why a capability may lack the kind of sample that a method trains on: a word for the table, and the reason.
LACKS: Mapping[SampleKind, tuple[str, str]] = {
    "text": (
        "no turns",
        "plain text has no turns, and what is learned lies in the form of the assistant's turn",
    ),
    "messages": ("no answers", "its rows hold no answers to imitate"),
    "preference": ("no pairs", "its rows do not become pairs of a better and a worse answer"),
    "speech": ("no speech", "its rows are not read aloud"),
    "prompt": ("no verifier", "it has no prompts with answers that a verifier could tell right from wrong"),
}
# Why a method does not fit a capability whose samples it could read.
UNFIT: Mapping[Mismatch, str] = {
    "projectors only": "it trains what connects encoders to the language model, and nothing else of it",
    "text alone": "its batches hold text alone, not images, video or sound",
    "no senses": (
        "it trains what connects encoders to the language model, and this capability uses text alone"
    ),
}
# Methods that learn from these are nearest to those that learn from that: by imitation, or by comparison.
NEAREST_KINDS: Mapping[SampleKind, tuple[SampleKind, ...]] = {
    "text": ("messages", "preference", "prompt", "speech"),
    "messages": ("text", "preference", "prompt", "speech"),
    "preference": ("prompt", "messages", "text", "speech"),
    "prompt": ("preference", "messages", "text", "speech"),
    "speech": ("messages", "text", "preference", "prompt"),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a pair cannot train: a word for it, the reason, the nearest method that can train it, if any."""

    word: str
    reason: str
    nearest: str | None = None


def refusal(capability: str, method: str) -> Refusal | None:
    """Return why a capability, built or planned, cannot be trained by a method, or None where it can."""
    if capability in capabilities.PLANNED:
        return Refusal(NOT_BUILT, f"the capability is designed but {NOT_BUILT}")
    if shared_kind(capability, method):
        return None
    needed: SampleKind = METHODS[method].SAMPLE_KINDS[0]
    word = mismatch(capability, method)
    reason = LACKS[needed] if word is None else (word, UNFIT[word])
    return Refusal(*reason, nearest_method(capability, needed))


def nearest_method(capability: str, kind: SampleKind) -> str:
    """Return the nearest method to those learning from such samples that trains a capability without them."""
    for near in (kind, *NEAREST_KINDS[kind]):
        works = [name for name in METHODS if shared_kind(capability, name) == near]
        if works:
            return DEFAULT_METHOD if DEFAULT_METHOD in works else works[0]
    raise AssertionError(f"no method can train {capability}")
