"""What was written is checked: no prompt on both sides; and how long samples are is counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manus.capabilities import cot
from manus.data.forms.pairs import read_pair
from manus.data.preparation import in_memory as preparation
from manus.data.preparation import leaks
from manus.data.preparation.choosing import prepare
from manus.data.preparation.distribution import histogram, quantiles
from manus.data.preparation.split import Pool, Selection, select
from manus.data.prepared.samples import HELD_OUT
from manus.data.sample import SampleKind
from manus.data.settings import DataSettings, Source
from manus.errors import DataError
from manus.files import write_jsonl
from tests.pico import rows, tokenizer, write_rows


def prepared(folder: Path, kind: SampleKind, index_above_bytes: int = 10**9) -> Path:
    data = [
        {**row, "rejected": "no", "chosen": row["messages"][-1]["content"]}  # type: ignore[index]
        for row in rows("first", 60)
    ]
    if kind == "preference":
        data = [
            {"prompt": r["messages"][0]["content"], "chosen": r["chosen"], "rejected": "no"} for r in data
        ]  # type: ignore[index]
    path = write_rows(folder / "data.jsonl", data)
    out = folder / "out"
    out.mkdir()
    settings = DataSettings(held_out=10, max_length=64, index_above_bytes=index_above_bytes)
    prepare(
        [Source(path=str(path))],
        settings,
        (lambda row: read_pair(row, cot.read)) if kind == "preference" else cot.read,
        kind,
        tokenizer(),
        folder,
        0,
        out,
        folder / "work",
    )
    return out


@pytest.mark.parametrize(
    ("kind", "above"),
    [
        ("messages", 10**9),
        ("messages", 0),
        ("preference", 10**9),
        ("prompt", 10**9),
    ],
)
def test_a_prompt_on_both_sides_is_found_in_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: SampleKind, above: int
) -> None:
    monkeypatch.setenv("MANUS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(leaks, "SAMPLES_AT_ONCE", 7)
    out = prepared(tmp_path, kind, above)
    assert (out / leaks.ASKED).stat().st_size == 16 * 50 and leaks.leaks(out) == 0
    trained = [
        one for one in rows("first", 60) if json.dumps(one["messages"]) not in (out / HELD_OUT).read_text()
    ]
    write_jsonl(out / HELD_OUT, trained[:3])
    assert leaks.leaks(out) == 3
    with pytest.raises(DataError, match="3 training samples ask"):
        leaks.check_no_leak(out)
    (out / leaks.ASKED).unlink()
    assert leaks.leaks(out) is None


def test_a_split_that_leaks_is_an_error_of_preparation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leaky(pools: list[Pool], *given: Any) -> Selection:
        chosen = select(pools, *given)
        return Selection([*chosen.train, chosen.held_out[0]], chosen.held_out, chosen.left_aside)

    monkeypatch.setattr(preparation, "select", leaky)
    with pytest.raises(DataError, match="1 training samples ask what held-out samples ask"):
        prepared(tmp_path, "messages")


def test_bars_are_round_and_hold_every_sample() -> None:
    draw = np.random.default_rng(0)
    for longest in (1, 7, 24, 25, 100, 1024, 131_072):
        lengths = np.append(draw.integers(1, longest + 1, 500), longest)
        found = histogram(np.bincount(lengths))
        edges = found["edges"]
        assert sum(found["samples"]) == 501 and len(edges) == len(found["samples"]) + 1 <= 26
        assert edges[0] <= lengths.min() and edges[-2] <= longest < edges[-1]
        assert len(set(np.diff(edges).tolist())) == 1
        assert found["samples"][0] == int((lengths < edges[1]).sum())
        assert quantiles(np.bincount(lengths))["90"] == int(np.quantile(lengths, 0.9))
    assert histogram(np.bincount([0, 0])[:0].astype(np.int64)) == {"edges": [], "samples": []}


def test_quantiles_are_those_of_numpy() -> None:
    values = np.random.default_rng(0).integers(1, 100, 777)
    found = quantiles(np.bincount(values, minlength=128))
    assert found == {str(q): int(np.quantile(values, q / 100)) for q in (0, 50, 90, 99, 100)}
