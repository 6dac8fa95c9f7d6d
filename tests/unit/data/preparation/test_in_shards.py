"""Large data give what small ones give, in bounded memory, by several processes, and after kills."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manus.capabilities import cot
from manus.data.forms.messages import as_text
from manus.data.preparation import duplicates as duplicates_module
from manus.data.preparation import in_shards as large_preparation
from manus.data.preparation import shards
from manus.data.preparation.choosing import prepare
from manus.data.preparation.in_shards import prepare_in_shards
from manus.data.preparation.preparation import Preparation
from manus.data.preparation.split import Split
from manus.data.prepared.samples import PreparedSamples, open_samples, read_held_out
from manus.data.prepared.sharded import ShardedSamples
from manus.data.settings import DataSettings, Source
from manus.data.sources import text_files as texts
from manus.data.tokens import windows
from manus.errors import DataError, Interrupted, ManusError
from manus.files import read_jsonl
from manus.guards.requests import REQUESTS
from manus.guards.run import RUN
from manus.guards.settings import GuardSettings
from tests.pico import rows, tokenizer, write_rows

BAD: dict[str, Any] = {"messages": [{"role": "user", "content": "no answer"}]}


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Make everything that is read at once so small that a few rows are many shards."""
    monkeypatch.setenv("MANUS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(large_preparation, "SHARD_BYTES", 3000)
    monkeypatch.setattr(duplicates_module, "SAMPLES_IN_PART", 50)
    monkeypatch.setattr(shards, "TOKENS_AT_ONCE", 100)
    monkeypatch.setattr(shards, "SAMPLES_AT_ONCE", 3)


def run(
    folder: Path, sources: list[Source], read: Any = cot.read, processes: int = 1, **settings: Any
) -> tuple[dict[str, Any], ShardedSamples]:
    out, work = folder / "out", folder / "work"
    out.mkdir(parents=True, exist_ok=True)
    work.mkdir(exist_ok=True)
    chosen = DataSettings(**({"held_out": 10, "max_length": 64, "index_above_bytes": 0} | settings))
    asked = Preparation(sources, chosen, read, "messages", tokenizer(), folder, 0, out, work)
    told = prepare_in_shards(asked, {}, processes)
    samples = open_samples(out)
    assert isinstance(samples, ShardedSamples)
    return dict(told), samples


def source(folder: Path, data: list[dict[str, Any]], name: str = "data", **settings: Any) -> Source:
    return Source(path=str(write_rows(folder / f"{name}.jsonl", data)), **settings)


def contents(samples: Any) -> list[tuple[list[int], list[bool]]]:
    return [
        (sample["ids"].tolist(), sample["is_learned"].tolist())
        for sample in (samples[i] for i in range(len(samples)))
    ]


@pytest.mark.parametrize(
    ("read", "settings"),
    [
        (cot.read, {}),
        (cot.read, {"max_length": 26, "too_long": "truncate"}),
        (as_text, {"max_length": 20, "window_overlap": 5}),
    ],
    ids=["chat", "truncated", "text"],
)
def test_large_and_small_data_give_the_same(tmp_path: Path, read: Any, settings: dict[str, Any]) -> None:
    if read is cot.read:
        data: list[dict[str, Any]] = [*rows("first", 300), BAD, *rows("first", 300)[:40], *rows("last", 100)]
    else:
        data = [{"text": f"{n % 250} is a number, " * 9} for n in range(300)]
    told, samples = run(tmp_path / "large", [source(tmp_path, data)], read, **settings)
    chosen = DataSettings(**({"held_out": 10, "max_length": 64} | settings))
    out = tmp_path / "small"
    out.mkdir()
    kind = "messages" if read is cot.read else "text"
    place = tmp_path / "work"
    expected = prepare([source(tmp_path, data)], chosen, read, kind, tokenizer(), tmp_path, 0, out, place)
    assert contents(samples) == contents(PreparedSamples(out))
    assert read_held_out(tmp_path / "large" / "out") == read_held_out(out)
    assert list(read_jsonl(tmp_path / "large" / "out" / "quarantine.jsonl")) == list(
        read_jsonl(out / "quarantine.jsonl")
    )
    assert {name: told[name] for name in expected} == expected
    assert told["shards"] > 5


def test_prepare_switches_by_size_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = source(tmp_path, rows("first", 60))
    (tmp_path / "out").mkdir()
    settings = DataSettings(held_out=10, max_length=64, index_above_bytes=100)
    place = tmp_path / "work"
    prepare([data], settings, cot.read, "messages", tokenizer(), tmp_path, 0, tmp_path / "out", place)
    assert "index_above_bytes" in capsys.readouterr().out
    assert isinstance(open_samples(tmp_path / "out"), ShardedSamples)


def test_several_processes_give_the_bytes_of_one(tmp_path: Path) -> None:
    data = source(tmp_path, [*rows("first", 200), *rows("last", 100)])
    made = []
    for processes in (1, 3):
        run(tmp_path / str(processes), [data], processes=processes)
        made.append({path.name: path.read_bytes() for path in (tmp_path / str(processes) / "out").iterdir()})
    assert made[0] == made[1]


def test_finished_shards_are_kept_when_a_signal_stops_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, seen = source(tmp_path, rows("first", 200)), 0

    def read(row: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen == 120:
            monkeypatch.setattr(REQUESTS, "stop", signal.SIGTERM)
        return cot.read(row)

    with pytest.raises(Interrupted, match="while tokenising"):
        run(tmp_path / "stopped", [data], read)
    kept = {
        path.name: path.stat().st_ino
        for path in (tmp_path / "stopped" / "work" / "shards").glob("shard-*[0-9]")
    }
    monkeypatch.setattr(REQUESTS, "stop", None)
    run(tmp_path / "stopped", [data])
    assert len(kept) > 3 and f"continuing: {len(kept)} of" in capsys.readouterr().out
    place = tmp_path / "stopped" / "work" / "shards"
    assert {name: (place / name).stat().st_ino for name in kept} == kept
    run(tmp_path / "calm", [data])
    for path in (tmp_path / "calm" / "out").iterdir():
        assert path.read_bytes() == (tmp_path / "stopped" / "out" / path.name).read_bytes()


def test_shards_of_other_settings_are_not_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = source(tmp_path, rows("first", 100))
    run(tmp_path / "a", [data])
    for path in (tmp_path / "a" / "out").iterdir():
        path.unlink()
    run(tmp_path / "a", [data], too_long="truncate")
    assert "continuing" not in capsys.readouterr().out


def test_a_kill_ends_all_processes_and_loses_no_finished_shard(tmp_path: Path) -> None:
    data = source(tmp_path, rows("first", 300))

    def slow(row: Any) -> Any:
        time.sleep(0.01)
        return cot.read(row)

    child = os.fork()
    if not child:
        try:
            run(tmp_path / "killed", [data], slow, processes=2)
        finally:
            os._exit(1)
    place = tmp_path / "killed" / "work" / "shards"
    while len(list(place.glob("shard-*[0-9]"))) < 4:
        time.sleep(0.01)
    workers = _children(child)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert len(workers) == 2
    deadline = time.monotonic() + 5
    while any(map(_is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(_is_running, workers))
    kept = len(list(place.glob("shard-*[0-9]")))
    samples = run(tmp_path / "killed", [data], processes=2)[1]
    assert kept >= 4 and not list(place.glob("*.making"))
    assert contents(samples) == contents(run(tmp_path / "calm", [data])[1])


def _children(process: int) -> list[int]:
    found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(child) for child in found]


def _state(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "gone"


def _is_running(process: int) -> bool:
    return _state(process) not in ("Z", "gone")


def test_a_process_that_dies_is_reported(tmp_path: Path) -> None:
    def dies(row: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(Exception, match=r"signal 9.*is the memory full"):
        run(tmp_path, [source(tmp_path, rows("first", 60))], dies, processes=2)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_full_disk_is_a_message(tmp_path: Path, processes: int) -> None:
    def full(row: Any) -> Any:
        raise OSError(28, "No space left on device")

    with pytest.raises(ManusError, match="the disk is full while tokenising"):
        run(tmp_path, [source(tmp_path, rows("first", 60))], full, processes)


def test_too_many_bad_rows_stop_it_early_with_reasons_and_places(tmp_path: Path) -> None:
    data = source(tmp_path, [*[BAD] * 40, *rows("first", 300)])
    with pytest.raises(DataError, match=r"rows cannot be used.*\n.*first: data.jsonl line 1\)"):
        run(tmp_path / "a", [data])
    assert len(list((tmp_path / "a" / "work" / "shards").glob("shard-*[0-9]"))) < 4
    assert (tmp_path / "a" / "work" / "quarantine.jsonl").exists()


def test_the_quarantine_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "LARGEST_QUARANTINE", 2)
    long = {"messages": [{"role": "user", "content": "x" * 10_000}]}
    told, _ = run(tmp_path, [source(tmp_path, [*rows("first", 60), BAD, BAD, long, BAD])], failure_budget=0.5)
    shown = (tmp_path / "out" / "quarantine.jsonl").read_text()
    assert told["quarantined"] == 4 and len(shown.splitlines()) < 4 and len(shown) < 5000


def test_duplicates_are_found_across_files_and_kept_once(tmp_path: Path) -> None:
    some = rows("first", 150)
    told, samples = run(
        tmp_path, [source(tmp_path, some, "a"), source(tmp_path, [*some[50:], *rows("last", 20)], "b")]
    )
    assert told["left_aside"]["exact duplicate"] == 100
    assert len(samples) == 160 and len({tuple(ids) for ids, _ in contents(samples)}) == 160


def test_a_prompt_stays_on_one_side(tmp_path: Path) -> None:
    def answered(text: str) -> list[dict[str, Any]]:
        ask = ({"role": "user", "content": f"{n} is what"} for n in range(100))
        return [{"messages": [one, {"role": "assistant", "content": text}]} for one in ask]

    data = source(tmp_path, [*answered("\\boxed{1}"), *answered("\\boxed{2}")])
    told, _ = run(tmp_path, [data], held_out=9)  # four prompts with both answers, one with one
    assert told["train_samples"] == 190
    assert told["left_aside"] == {"same prompt as a held-out sample": 1}


def test_a_leak_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forgets(self: Split, shards: Any) -> Any:
        return ((shard.samples(), np.ones(shard.told.samples, dtype=bool), {}) for shard in shards)

    monkeypatch.setattr(Split, "trained", forgets)
    with pytest.raises(DataError, match="ask what held-out samples ask"):
        run(tmp_path, [source(tmp_path, rows("first", 60))])


def test_sample_size_reads_and_trains_a_part_drawn_from_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_preparation, "SPARE_ROWS", 10)
    data = source(tmp_path, rows("first", 900))
    told, samples = run(tmp_path, [data], sample_size=100)
    assert told["train_samples"] == len(samples) == 100 and told["rows"] < 200
    assert len({tuple(ids) for ids, _ in contents(samples)}) == 100
    places = [json.dumps(row) for row in read_jsonl(Path(str(data.path)))]
    held = [
        places.index(json.dumps({"messages": one["messages"]})) for one in read_held_out(tmp_path / "out")
    ]
    assert 150 < np.mean(held) < 750


@pytest.mark.parametrize(
    ("mix", "until", "expected"),
    [
        ("epochs", "first_exhausted", (2.0, 0.5)),
        ("samples", "first_exhausted", (1.0, None)),
        ("samples", "all_exhausted", (None, 1.0)),
        ("tokens", "first_exhausted", (1.0, None)),
    ],
)
def test_sources_are_mixed_as_their_weights_say(
    tmp_path: Path, mix: str, until: str, expected: tuple[float | None, ...]
) -> None:
    few, many = rows("first", 60), [{**row, "level": "b"} for row in rows("last", 300)]
    told, samples = run(
        tmp_path,
        [source(tmp_path, few, "a", weight=2), source(tmp_path, many, "b", weight=0.5)],
        mix=mix,
        until=until,
    )
    assert all(
        want is None or want == pytest.approx(got)
        for want, got in zip(expected, told["times_seen"], strict=True)
    )
    words, counted, tokens = tokenizer(), Counter[str](), Counter[str]()
    for ids, _ in contents(samples):
        side = "a" if "first of" in words.decode(ids) else "b"
        counted[side] += 1
        tokens[side] += len(ids)
    shares = tokens if mix == "tokens" else counted
    if mix != "epochs":
        assert shares["a"] / shares["b"] == pytest.approx(4, rel=0.1)
    assert told["train_samples"] == counted.total() and told["tokens"] == tokens.total()


def test_packed_rows_hold_the_epoch(tmp_path: Path) -> None:
    told, samples = run(tmp_path, [source(tmp_path, rows("first", 200), weight=1.5)])
    packed = samples.rows(64)
    assert sorted(number for row in packed for number in row) == list(range(len(samples)))
    assert len(packed) == told["packed_rows"] < len(samples)
    assert max(sum(len(samples[number]["ids"]) for number in row) for row in packed) <= 64
    assert [list(row) for row in samples.rows(None)[:3]] == [[0], [1], [2]]


def test_a_giant_text_trains_in_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "SEGMENT_BYTES", 2000)
    monkeypatch.setattr(texts, "LARGEST_WHOLE_TEXT_BYTES", 4000)
    text = " ".join(f"word{number}ü" for number in range(9000))
    (tmp_path / "giant.log").write_text(text)
    told, samples = run(tmp_path, [Source(path=str(tmp_path / "giant.log"))], as_text)
    words = tokenizer()
    trained = "".join(words.decode(ids) for ids, _ in contents(samples))
    held = read_held_out(tmp_path / "out")
    assert len(held) == 10 and told["quarantined"] == 0
    assert len(trained) + sum(len(one["text"]) for one in held) == pytest.approx(len(text), rel=0.01)
    assert all(
        f" word{n}ü" in trained or any(f"word{n}ü" in one["text"] for one in held) for n in range(1, 9000)
    )


def test_a_giant_row_is_tokenised_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "LONGEST_AT_ONCE", 1000)
    monkeypatch.setattr(windows, "PIECE_CHARACTERS", 500)
    data = [{"text": f"{n} " + "日本語 " * 2000} for n in range(12)]
    told, _ = run(tmp_path, [source(tmp_path, data)], as_text, held_out=1)
    assert told["quarantined"] == 0 and told["tokens_per_sample"]["100"] <= 64


def test_generators_and_json_lists_go_along_with_large_files(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text(json.dumps(rows("last", 50)))
    sources = [
        source(tmp_path, rows("first", 100)),
        Source(generator="cot", size=30),
        Source(path=str(tmp_path / "list.json")),
    ]
    told, _ = run(tmp_path, sources, max_length=256, index_above_bytes=10**6)
    assert told["rows"] == 100 + 30 + 50 + 10
    with pytest.raises(DataError, match="write one object a line"):
        run(tmp_path / "b", sources, index_above_bytes=0)


def test_a_pause_stops_all_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    data = source(tmp_path, rows("first", 300))

    def slow(row: Any) -> Any:
        time.sleep(0.005)
        return cot.read(row)

    child = os.fork()
    if not child:
        code = 1
        try:
            REQUESTS.listen()
            (tmp_path / "work").mkdir()
            with RUN.of(tmp_path / "work", GuardSettings(), "preparing"):
                run(tmp_path, [data], slow, processes=2)
            code = 0
        finally:
            os._exit(code)
    place = tmp_path / "work" / "shards"
    while len(list(place.glob("shard-*[0-9]"))) < 2:
        time.sleep(0.01)
    workers = _children(child)
    os.kill(child, signal.SIGUSR1)
    deadline = time.monotonic() + 20

    def told() -> str:
        return str(json.loads((tmp_path / "work" / "status.json").read_text())["state"])

    while told() != "paused" and time.monotonic() < deadline:  # which is written once the workers stand still
        time.sleep(0.01)
    assert told() == "paused"
    while {*map(_state, workers)} != {
        "T"
    } and time.monotonic() < deadline:  # on a busy machine a signal takes a while
        time.sleep(0.01)
    assert [_state(worker) for worker in workers] == ["T", "T"]
    os.kill(child, signal.SIGUSR1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (tmp_path / "out" / "statistics.json").exists()
