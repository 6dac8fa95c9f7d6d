"""Rows tokenised while training: any place at once, the same in every process, nothing held out in them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manus.capabilities import cot
from manus.data.forms.media import as_media_messages
from manus.data.forms.messages import as_text
from manus.data.preparation import while_training as on_the_fly
from manus.data.preparation.preparation import Preparation
from manus.data.preparation.quarantine import Quarantine
from manus.data.preparation.while_training import SAMPLED, LiveRows, describe, open_rows
from manus.data.prepared.samples import open_samples, read_held_out
from manus.data.sample_digests import prompt_digest
from manus.data.settings import DataSettings, Source
from manus.data.tokens.rendering import render
from manus.errors import DataError
from manus.models.omni.layout import MediaLayout
from tests.pico import conversation, rows, tokenizer, write_rows

LAYOUT = MediaLayout(grid=(2, 2))
BAD: dict[str, Any] = {"messages": [{"role": "user", "content": "no answer"}]}


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MANUS_CACHE_DIR", str(tmp_path / "cache"))


def asking(
    folder: Path, sources: list[Source], chosen: DataSettings, read: Any = cot.read, **more: Any
) -> Preparation:
    return Preparation(
        sources, chosen, read, "messages", tokenizer(), folder, 3, folder / "out", folder / "work", **more
    )


def opened(
    folder: Path, sources: list[Source], read: Any = cot.read, **settings: Any
) -> tuple[dict[str, Any], LiveRows]:
    chosen = DataSettings(
        **({"held_out": 20, "max_length": 64, "prepare": "never", "data": tuple(sources)} | settings)
    )
    (folder / "out").mkdir(parents=True)
    asked = asking(folder, sources, chosen, read)
    return describe(asked), open_rows(asked, folder / "out")


def source(folder: Path, data: list[dict[str, Any]], **settings: Any) -> Source:
    return Source(path=str(write_rows(folder / "data.jsonl", data)), **settings)


def texts(live: LiveRows, epoch: int = 0, places: Any = None) -> list[str]:
    wanted = range(len(live)) if places is None else places
    return [tokenizer().decode(t.ids) for place in wanted for t in live.at(epoch, place).tokens]


def test_an_epoch_holds_every_row_that_is_not_held_out_and_no_other(tmp_path: Path) -> None:
    data = rows("first", 300)
    told, live = opened(tmp_path, [source(tmp_path, data)])
    held_out = {prompt_digest(sample) for sample in read_held_out(tmp_path / "out")}
    assert (
        len(held_out) == 20 and told["held_out_samples"] == 20 and told["train_samples"] == len(live) == 300
    )
    wanted = [cot.read(row) for row in data]
    words = tokenizer()
    trained = {words.decode(render(words, one).ids) for one in wanted if prompt_digest(one) not in held_out}
    assert len(trained) == 280
    assert set(texts(live)) == trained


def test_each_source_holds_out_at_least_one(tmp_path: Path) -> None:
    """As where rows are prepared: a source of four rows beside one of 300 has one held-out sample."""
    small = [conversation("second", (n, 1, 2), 7) for n in range(4)]
    files = [
        Source(path=str(write_rows(tmp_path / f"{n}.jsonl", d)))
        for n, d in enumerate((rows("first", 300), small))
    ]
    opened(tmp_path, files)
    asked = [sample["messages"][0]["content"] for sample in read_held_out(tmp_path / "out")]
    assert (
        len(asked) == 20
        and sum(question in {row["messages"][0]["content"] for row in small} for question in asked) == 1
    )


def test_all_rows_of_a_held_out_prompt_are_left_out(tmp_path: Path) -> None:
    """Every prompt has five answers, a row each: whichever is held out, the other four do not train."""
    data = [conversation("first", (n % 10, n // 10 % 6, 0), answer) for n in range(60) for answer in range(5)]
    _, live = opened(tmp_path, [source(tmp_path, data)])
    asked = {sample["messages"][0]["content"] for sample in read_held_out(tmp_path / "out")}
    seen = texts(live)
    assert len(seen) == 300 and len(asked) > 10
    assert not [text for text in seen for question in asked if f"{question}<|im_end|>" in text]


def test_places_are_the_same_in_any_order_and_any_process(tmp_path: Path) -> None:
    data = source(tmp_path, [*rows("first", 200), BAD, {}, *rows("last", 100)])
    _, live = opened(tmp_path, [data], failure_budget=0.1)
    chosen = DataSettings(held_out=20, max_length=64, prepare="never", failure_budget=0.1)
    again = open_rows(asking(tmp_path, [data], chosen), tmp_path / "out")
    places = np.random.default_rng(0).permutation(len(live))[:80].tolist()
    forward = dict(zip(range(len(live)), [live.at(1, place) for place in range(len(live))], strict=True))
    assert [again.at(1, place) for place in places] == [forward[place] for place in places]


def test_a_bad_row_is_told_and_another_stands_in(tmp_path: Path) -> None:
    data = [*rows("first", 100)[:50], BAD, *rows("first", 100)[50:]]
    told, live = opened(tmp_path, [source(tmp_path, data)], failure_budget=0.2)
    drawn = live.at(0, 50)
    (bad,) = map(json.loads, drawn.bad)
    assert bad["place"] == "data.jsonl line 51" and "no assistant turn" in bad["reason"]
    assert drawn.rows >= 2 and len(drawn.tokens) == 1
    assert live.at(0, 50) != live.at(1, 50)  # in each epoch another one
    assert told["quarantined"] == 1 and told["rows_sampled"] > 100
    (kept,) = (tmp_path / "out" / "quarantine.jsonl").read_text().splitlines()
    assert json.loads(kept)["place"] == "data.jsonl line 51"


def test_too_many_bad_rows_are_refused_ahead(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no assistant turn"):
        opened(tmp_path, [source(tmp_path, [*rows("first", 100), BAD, BAD])])


def test_data_of_which_nothing_can_train_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"can train.*longer than max_length"):
        opened(tmp_path, [source(tmp_path, rows("first", 100))], max_length=16)


def test_weights_and_sample_size_shape_an_epoch(tmp_path: Path) -> None:
    often = Source(path=str(write_rows(tmp_path / "a.jsonl", rows("first", 100))), weight=3)
    seldom = Source(path=str(write_rows(tmp_path / "b.jsonl", rows("last", 100))))
    _, live = opened(tmp_path, [often, seldom], sample_size=200)
    seen = texts(live)
    assert len(seen) == 200
    assert 140 <= sum("first" in text for text in seen) <= 160


def test_a_long_text_file_is_seen_whole_in_windows(tmp_path: Path) -> None:
    path = tmp_path / "long.log"
    words = [f"w{n}" for n in range(6000)]
    path.write_text(" ".join(words))
    _, live = opened(tmp_path, [Source(path=str(path))], as_text, held_out=5)
    seen = set(" ".join(texts(live)).split())
    held_out = {word for sample in read_held_out(tmp_path / "out") for word in sample["text"].split()}
    assert len(held_out) > 50 and not {w for w in seen & held_out if w in words}
    assert len(set(words) - seen - held_out) <= 3  # a window of one token is left out
    assert max(len(t.ids) for place in range(len(live)) for t in live.at(0, place).tokens) <= 64


def test_a_long_row_gives_another_window_in_each_epoch(tmp_path: Path) -> None:
    data = [{"text": " ".join(f"{row}-{n}" for n in range(3000))} for row in range(30)]
    told, live = opened(tmp_path, [source(tmp_path, data)], as_text, held_out=3)
    assert told["left_aside"]["one window of a longer text"] == 30
    first, second = live.at(0, 0).tokens, live.at(1, 0).tokens
    assert len(first) == len(second) == 1 and first != second
    assert 32 <= len(first[0].ids) <= 64


def test_what_was_looked_at_is_kept_to_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_the_fly, "ROWS_SAMPLED", 40)
    told, live = opened(tmp_path, [source(tmp_path, rows("first", 300))])
    samples = open_samples(tmp_path / "out" / SAMPLED)
    assert len(samples) == 40 and told["tokens"] == round(
        sum(map(len, (s["ids"] for s in map(samples.__getitem__, range(40))))) * 300 / 40
    )
    assert len(live) == 300


def test_a_file_that_changes_is_refused(tmp_path: Path) -> None:
    data = source(tmp_path, rows("first", 100))
    _, live = opened(tmp_path, [data])
    live.at(0, 0)
    write_rows(tmp_path / "data.jsonl", rows("last", 100))
    os.utime(tmp_path / "data.jsonl", ns=(0, 0))
    with pytest.raises(DataError, match="changed while it is trained on"):
        live.at(0, 0)
    chosen = DataSettings(held_out=20, max_length=64, prepare="never")
    with pytest.raises(DataError, match="not those that were held out from"):
        open_rows(asking(tmp_path, [data], chosen), tmp_path / "out")


@pytest.mark.parametrize("name", ["data.parquet", "data.json"])
def test_files_without_rows_by_number_are_refused(tmp_path: Path, name: str) -> None:
    import pyarrow
    from pyarrow import parquet

    if name.endswith("parquet"):
        parquet.write_table(pyarrow.table({"text": ["a"] * 100}), tmp_path / name)
    else:
        (tmp_path / name).write_text(json.dumps(rows("first", 100)))
    with pytest.raises(DataError, match="set prepare: ahead"):
        opened(tmp_path, [Source(path=str(tmp_path / name))])


def test_the_same_bad_row_is_kept_once(tmp_path: Path) -> None:
    quarantine, drawn = (
        Quarantine(),
        on_the_fly.Drawn([], 3, [json.dumps({"place": "line 1", "reason": "none", "row": {}})], []),
    )
    on_the_fly.take(quarantine, drawn)
    on_the_fly.take(quarantine, drawn)
    assert quarantine.seen == 6 and len(quarantine.rows) == 1


def test_rows_with_media_are_refused_and_so_is_what_stands_for_them_where_the_model_takes_them_in(
    tmp_path: Path,
) -> None:
    """Nobody would keep the media; placeholders alone would be learned, or stop an omni model's training."""
    parts = [{"type": "image", "image": "a.png"}, {"type": "text", "text": "what is it?"}]
    answer = {"role": "assistant", "content": "one"}
    seen: dict[str, Any] = {"messages": [{"role": "user", "content": parts}, answer]}
    typed: dict[str, Any] = {"messages": [{"role": "user", "content": "say <|image|>"}, answer]}
    data = source(tmp_path, [*rows("first", 60), seen, typed])
    settings = DataSettings(held_out=20, max_length=64, prepare="never", data=(data,), failure_budget=0.5)
    for layout, read, bad in ((None, cot.read, 1), (None, as_media_messages, 2), (LAYOUT, cot.read, 2)):
        live = open_rows(asking(tmp_path, [data], settings, read, layout=layout))
        told = [json.loads(row)["reason"] for place in range(len(live)) for row in live.at(0, place).bad]
        assert len(set(told)) == bad
        assert any("set prepare: ahead" in reason for reason in told) == (read is not cot.read)
        assert any("<|image|>" in reason for reason in told) == (bad == 2)
