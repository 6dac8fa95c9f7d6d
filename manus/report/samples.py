"""Chooses which held-out samples a report shows, and puts what the models said side by side. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from manus.data.sample import PLACEHOLDERS

MODELS = ("before", "after", "merged")
CHANGES = ("became right", "became wrong", "stayed wrong", "stayed right")
QUOTAS = {"became right": 3, "became wrong": 2, "stayed wrong": 1}
SHOWN, SHOWN_ON_DEMAND = 6, 30
LONGEST_TEXT = 2000
NEXT_QUESTION = "\n\nuser: "  # as manus.evaluation.probes.asked writes it


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said. `is_right` is None if nothing can be right; `repeats` names who said the same."""

    model: str
    text: str
    note: str
    is_right: bool | None
    repeats: str = ""
    sound: str = ""  # as a data URI


@dataclass(frozen=True, slots=True)
class Asked:
    """One held-out sample: the last question and what came before it, what was expected, and the answers.

    `media` are the numbers of its pictures, clips and sounds in the stage's data.
    """

    number: int
    change: str
    earlier: str
    question: str
    expected: str
    answers: tuple[Answer, ...]
    level: str = ""
    media: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Chosen:
    """The samples of one stage: those to show at once, more on demand, and how all of them changed."""

    shown: list[Asked]
    more: list[Asked]
    tally: dict[str, int]


def choose(
    asked: Sequence[Mapping[str, Any]], measured: Mapping[str, Mapping[str, Any]], is_share: bool
) -> Chosen:
    """Choose the samples that tell most: those that changed first, but never only those that became right.

    Args:
        asked: `prompt` and `expected` of each sample, with `media` and `level` where it has them.
        measured: by model (before, after, merged): `values` and `said`, one entry a sample.
        is_share: whether a value is 1 for right and 0 for wrong; otherwise it is nats per token.
    """
    count = min(len(asked), *(len(measured[model]["said"]) for model in MODELS))
    changes = [_change(measured, index, is_share) for index in range(count)]
    if is_share:
        order = sorted(range(count), key=lambda index: (CHANGES.index(changes[index]), index))
        first = _by_quota(order, changes)
    else:
        saved = [
            measured["before"]["values"][index] - measured["merged"]["values"][index]
            for index in range(count)
        ]
        order = sorted(range(count), key=lambda index: -saved[index])
        first = [*order[:3], *order[3:][-3:]]
    rest = [index for index in order if index not in first][: SHOWN_ON_DEMAND - len(first)]
    views = {index: _asked(asked, measured, index, changes[index], is_share) for index in (*first, *rest)}
    tally = Counter(changes)
    return Chosen(
        [views[index] for index in first],
        [views[index] for index in rest],
        {change: tally[change] for change in CHANGES if tally[change]} if is_share else {},
    )


def _change(measured: Mapping[str, Mapping[str, Any]], index: int, is_share: bool) -> str:
    before, merged = measured["before"]["values"][index], measured["merged"]["values"][index]
    if not is_share:
        return "better foreseen" if merged < before else "worse foreseen"
    if bool(before) == bool(merged):
        return "stayed right" if merged else "stayed wrong"
    return "became right" if merged else "became wrong"


def _by_quota(order: Sequence[int], changes: Sequence[str]) -> list[int]:
    """Return up to SHOWN indices in the given order: each change in its quota, then more non-successes."""
    left = dict(QUOTAS)
    within = []
    for index in order:
        if left.get(changes[index], 0) > 0:
            left[changes[index]] -= 1
            within.append(index)
    others = sorted(
        (index for index in order if index not in within), key=lambda i: changes[i] == "became right"
    )
    return sorted([*within, *others[: SHOWN - len(within)]], key=list(order).index)


def _asked(
    asked: Sequence[Mapping[str, Any]],
    measured: Mapping[str, Mapping[str, Any]],
    index: int,
    change: str,
    is_share: bool,
) -> Asked:
    answers: list[Answer] = []
    for model in MODELS:
        said = measured[model]["said"][index]
        is_right = bool(measured[model]["values"][index]) if is_share else None
        same = next(
            (
                a.model
                for a in answers
                if is_share and a.text == shortened(said["text"]) and a.note == said["note"]
            ),
            "",
        )
        sound = said.get("sound", "")
        answers.append(
            Answer(model, shortened(said["text"]), said["note"], is_right, "" if sound else same, sound)
        )
    told = asked[index]
    media = tuple(told.get("media", ()))
    earlier, question = split(without_places(told["prompt"]) if media else told["prompt"])
    return Asked(
        index + 1,
        change,
        shortened(earlier),
        shortened(question),
        shortened(told["expected"]),
        tuple(answers),
        told.get("level", ""),
        media,
    )


def without_places(prompt: str) -> str:
    """Return a prompt without the tokens in whose place its media stand, which are shown beside it."""
    for token in PLACEHOLDERS.values():
        prompt = prompt.replace(f"{token}\n", "").replace(token, "")
    return prompt


def split(prompt: str) -> tuple[str, str]:
    """Return what precedes the user's last turn, which may be long (functions, documents), and that turn."""
    earlier, mark, question = prompt.rpartition(NEXT_QUESTION)
    return (earlier, question) if mark else ("", prompt.removeprefix(NEXT_QUESTION.lstrip()))


def shortened(text: str) -> str:
    """Return a text of bearable length."""
    left_out = len(text) - LONGEST_TEXT
    return text if left_out <= 0 else f"{text[:LONGEST_TEXT]} … ({left_out} more characters)"
