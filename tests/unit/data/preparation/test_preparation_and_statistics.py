"""What is to be prepared is said once, and so is what came of it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from manus.capabilities import cot
from manus.data.preparation.preparation import Preparation
from manus.data.preparation.quarantine import Failures
from manus.data.preparation.statistics import STATISTICS, Lengths, check_some_fit, statistics
from manus.data.settings import DataSettings, Source
from manus.errors import DataError
from tests.pico import tokenizer


def test_sources_are_named_as_people_call_them(tmp_path: Path) -> None:
    sources = [Source(path="some/data.jsonl"), Source(hub="a/b"), Source(generator="cot")]
    asked = Preparation(
        sources, DataSettings(), cot.read, "messages", tokenizer(), tmp_path, 0, tmp_path, tmp_path / "work"
    )
    assert asked.names == ["data.jsonl", "a/b", "generator cot"]
    assert asked.bad_rows == tmp_path / "work" / "quarantine.jsonl"
    assert asked.fitting.kind == "messages" and asked.fitting.settings is asked.settings


def test_lengths_are_counted_in_any_number_of_pieces() -> None:
    lengths = np.random.default_rng(0).integers(1, 300, 1000)
    one, many = Lengths.of(lengths, 7), Lengths(learned=7)
    for some in np.array_split(lengths, 13):
        many.add(some)
    assert np.array_equal(one.counted, many.counted)
    assert (many.samples, many.tokens) == (1000, lengths.sum())


def test_statistics_are_written_with_what_one_way_has_to_say(tmp_path: Path) -> None:
    failures = Failures(seen=10)
    failures.note("why", "line 1")
    told = statistics(
        failures,
        Lengths.of(np.array([2, 2, 4]), 4),
        5,
        {"x": 1},
        ["a"],
        Counter(image=2, audio=1),
        {"a": Counter(b=1)},
        tmp_path,
        shards=3,
    )
    assert (told["rows"], told["quarantined"], told["train_samples"], told["tokens"]) == (10, 1, 3, 8)
    assert told["learned_share"] == 0.5 and told["tokens_per_sample"]["100"] == 4
    assert told["shards"] == 3 and list(told["media_not_read"]) == ["audio", "image"] and "media" not in told
    assert json.loads((tmp_path / STATISTICS).read_text()) == told


def test_data_of_which_nothing_is_short_enough_are_refused() -> None:
    check_some_fit(1, 64)
    with pytest.raises(DataError, match="longer than max_length 64 tokens"):
        check_some_fit(0, 64)
