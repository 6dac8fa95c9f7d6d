"""Samples fit, are cut or are left aside by the same rules, whatever they become."""

from __future__ import annotations

from typing import Any

import pytest

from manus.data.sample import Pair, Prompt, Tokens
from manus.data.settings import DataSettings
from manus.data.tokens import windows
from manus.data.tokens.fitting import FITS, TOO_LONG, TRUNCATED, Fitting, learned_in, tokens_in
from tests.pico import tokenizer

CHAT: Any = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "x " * 40}]}
PAIR: Any = {**CHAT, "rejected": "y " * 40}
LATE: Any = {**CHAT, "messages": [{"role": "user", "content": "q " * 40}, CHAT["messages"][1]]}


def fitting(kind: Any, **settings: Any) -> Fitting:
    return Fitting(kind, tokenizer(), DataSettings(**settings))


@pytest.mark.parametrize(
    ("kind", "sample", "settings", "expected"),
    [
        ("messages", CHAT, {"max_length": 256}, FITS),
        ("messages", CHAT, {"max_length": 32}, TOO_LONG),
        ("messages", CHAT, {"max_length": 32, "too_long": "truncate"}, TRUNCATED),
        ("messages", LATE, {"max_length": 32, "too_long": "truncate"}, TOO_LONG),
        (
            "messages",
            {**CHAT, "media": [{"kind": "image"}]},
            {"max_length": 32, "too_long": "truncate"},
            TOO_LONG,
        ),
        ("preference", PAIR, {"max_length": 256}, FITS),
        ("preference", PAIR, {"max_length": 32, "too_long": "truncate"}, TRUNCATED),
        ("preference", PAIR, {"max_length": 32}, TOO_LONG),
        ("prompt", CHAT, {"max_length": 32}, FITS),
        ("prompt", LATE, {"max_length": 32, "too_long": "truncate"}, TOO_LONG),
    ],
)
def test_what_becomes_of_a_sample(kind: str, sample: Any, settings: dict[str, Any], expected: int) -> None:
    if sample.get("media"):
        sample = {**sample, "media": []} if expected == FITS else sample
    pieces, fate = fitting(kind, **settings).fit(sample)
    found = list(pieces)
    assert fate == expected and len(found) == (fate != TOO_LONG)
    for piece in found:
        assert tokens_in(piece) <= 2 * settings["max_length"]


def test_what_is_counted_of_each_form() -> None:
    assert (tokens_in(Tokens([1, 2], [False, True])), learned_in(Tokens([1, 2], [False, True]))) == (2, 1)
    assert (tokens_in(Pair([1], [2, 3], [4])), learned_in(Pair([1], [2, 3], [4]))) == (4, 3)
    assert (tokens_in(Prompt(CHAT, 7)), learned_in(Prompt(CHAT, 7))) == (7, 0)


def test_a_long_text_is_cut_as_one_that_is_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Held in memory, a text of more than 1 MiB was cut elsewhere than in a shard."""
    monkeypatch.setattr(windows, "LONGEST_AT_ONCE", 100)
    monkeypatch.setattr(windows, "PIECE_CHARACTERS", 50)
    sample: Any = {"text": "some words that do not end " * 20}
    made = fitting("text", max_length=16)
    assert list(made.fit(sample)[0]) == list(windows.text_windows(tokenizer(), sample["text"], 16, 0))
    first = list(made.fit({"text": "a part"}, ends=(False, False))[0])
    assert made.tokenizer.eos_token_id not in first[-1].ids  # type: ignore[union-attr]
