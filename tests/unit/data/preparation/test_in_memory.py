"""Rows become prepared samples; bad ones are kept apart with their reason, too many stop the stage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from manus.capabilities import cot
from manus.data.forms.messages import as_text
from manus.data.preparation.choosing import prepare
from manus.data.prepared.samples import PreparedSamples, read_held_out
from manus.data.settings import DataSettings, Source
from manus.errors import DataError, Interrupted
from manus.files import read_jsonl
from manus.guards.requests import REQUESTS
from tests.pico import rows, tokenizer, write_rows

BAD: dict[str, Any] = {"messages": [{"role": "user", "content": "no answer"}]}


def prepared(
    folder: Path, data: list[dict[str, Any]], read: Any = cot.read, **settings: Any
) -> dict[str, Any]:
    path = write_rows(folder / "in" / "data.jsonl", data)
    (folder / "out").mkdir(exist_ok=True)
    chosen = DataSettings(**({"held_out": 10, "max_length": 64} | settings))
    place = folder / "work"
    kind = "text" if read is as_text else "messages"
    return prepare(
        [Source(path=str(path))], chosen, read, kind, tokenizer(), folder, 0, folder / "out", place
    )


def test_rows_become_arrays_a_held_out_split_and_statistics(tmp_path: Path) -> None:
    told = prepared(tmp_path, rows("first", 60))
    samples = PreparedSamples(tmp_path / "out")
    assert told["train_samples"] == len(samples) == 50
    assert told["tokens"] == samples.lengths.sum()
    assert len(read_held_out(tmp_path / "out")) == told["held_out_samples"] == 10
    ids, learned = samples[7]["ids"], samples[7]["is_learned"]
    assert "boxed" in tokenizer().decode(ids[learned]) and "first of" not in tokenizer().decode(ids[learned])


def test_a_few_bad_rows_are_kept_apart(tmp_path: Path) -> None:
    told = prepared(tmp_path, [*rows("first", 60), BAD], failure_budget=0.05)
    quarantined = list(read_jsonl(tmp_path / "out" / "quarantine.jsonl"))
    assert told["quarantined"] == 1
    assert quarantined[0]["place"] == "data.jsonl line 61" and quarantined[0]["row"] == BAD


def test_too_many_bad_rows_stop_with_reasons_and_places(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"1 of 61 rows.*\n.*first: data.jsonl line 61"):
        prepared(tmp_path, [*rows("first", 60), BAD])
    assert (tmp_path / "work" / "quarantine.jsonl").exists()


def test_long_samples_are_dropped_or_truncated_and_counted(tmp_path: Path) -> None:
    long = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "x " * 200}]}
    data = [*rows("first", 60), long]
    dropped = prepared(tmp_path / "a", data)
    kept = prepared(tmp_path / "b", data, too_long="truncate")
    assert dropped["left_aside"] == {"longer than max_length": 1} or dropped["train_samples"] == 51
    assert kept["left_aside"] == {"truncated to max_length": 1} or kept["train_samples"] == 51
    assert PreparedSamples(tmp_path / "b" / "out").lengths.max() <= 64


def test_everything_too_long_is_an_error_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="raise it or set too_long"):
        prepared(tmp_path, rows("first", 60), max_length=16)


def test_texts_are_cut_into_windows(tmp_path: Path) -> None:
    data = [{"text": f"{index} " * 100} for index in range(20)]
    prepared(tmp_path, data, read=as_text)
    lengths = PreparedSamples(tmp_path / "out").lengths
    assert lengths.max() == 64 and len(lengths) > 20


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        prepared(tmp_path / name, rows("first", 60), sample_size=20)
    a, b = (
        {path.name: path.read_bytes() for path in (tmp_path / name / "out").iterdir()} for name in ("a", "b")
    )
    assert a == b and json.loads(a["statistics.json"])["train_samples"] == 20


def test_a_signal_stops_between_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import signal

    monkeypatch.setattr(REQUESTS, "stop", signal.SIGTERM)
    with pytest.raises(Interrupted, match="SIGTERM while reading data"):
        prepared(tmp_path, rows("first", 60))
