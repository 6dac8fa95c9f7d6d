"""Hub rows reach the disk once, whole and in order: after kills, over a failing network, in part if asked."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from manus.capabilities import cot
from manus.data.preparation.choosing import prepare
from manus.data.prepared.samples import PreparedSamples, open_samples
from manus.data.prepared.sharded import ShardedSamples
from manus.data.settings import DataSettings, Source
from manus.data.sources import hub
from manus.data.sources.files import may_be_large
from manus.errors import DataError, Interrupted
from manus.guards.requests import REQUESTS
from tests.pico import rows, tokenizer

SOURCE = Source(hub="owner/name")
ALL = DataSettings()
SHARDS, ROWS = 4, 60


class Flaky:
    """A stream that breaks when it has given so many rows, as often as it is told to."""

    def __init__(self, inner: Any, breaks: list[int], error: Callable[[], Exception]) -> None:
        self.inner, self.breaks, self.error = inner, breaks, error

    def __iter__(self) -> Iterator[Any]:
        for count, row in enumerate(self.inner):
            if self.breaks and count == self.breaks[0]:
                self.breaks.pop(0)
                raise self.error()
            yield row

    def shard(self, count: int, index: int) -> Flaky:
        return Flaky(self.inner.shard(count, index), self.breaks, self.error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@pytest.fixture(params=["json", "parquet"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> list[dict[str, Any]]:
    """A data set of several files behind the function that opens a stream; returns its rows."""
    return opened(request.param, tmp_path)


def opened(
    kind: str, folder: Path, change: Callable[[Any], Any] = lambda stream: stream
) -> list[dict[str, Any]]:
    import pyarrow
    from pyarrow import parquet

    data: list[dict[str, Any]] = [
        {**row, "n": number} for number, row in enumerate(rows("first", SHARDS * ROWS))
    ]
    names = []
    for shard in range(SHARDS):
        path, some = folder / f"{shard}.{kind}", data[shard * ROWS : (shard + 1) * ROWS]
        if kind == "json":
            path.write_text("".join(json.dumps(row) + "\n" for row in some))
        else:
            parquet.write_table(pyarrow.Table.from_pylist(some), path, row_group_size=7)
        names.append(str(path))

    def stream(source: Source) -> Any:
        from datasets import load_dataset

        made = load_dataset(
            kind, data_files=names, split="train", streaming=True, cache_dir=str(folder / "hf")
        )
        return change(made)

    PATCH.setattr(hub, "open_stream", stream)
    return data


PATCH = pytest.MonkeyPatch()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Write after every few rows, and do not wait long."""
    monkeypatch.setattr(hub, "BATCH_ROWS", 8)
    monkeypatch.setattr(hub, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(hub, "SPARE_BYTES", 0)
    yield
    PATCH.undo()


def numbers(path: Path) -> list[int]:
    return [row["n"] for _, row in hub.read_spool(path)]


def test_all_rows_come_in_order_once(files: list[dict[str, Any]], tmp_path: Path) -> None:
    path = hub.spooled(SOURCE, ALL, 0, tmp_path / "work")
    assert [row for _, row in hub.read_spool(path)] == files
    assert next(hub.read_spool(path))[0] == "owner/name row 1"
    PATCH.setattr(hub, "open_stream", lambda source: pytest.fail("it is there already"))
    assert hub.spooled(SOURCE, ALL, 0, tmp_path / "work") == path
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_stream_that_breaks_twice_loses_and_repeats_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened("json", tmp_path, lambda stream: Flaky(stream, breaks, lambda: ConnectionResetError("peer")))
    breaks = [20, 3]
    assert numbers(hub.spooled(SOURCE, ALL, 0, tmp_path / "work")) == list(range(SHARDS * ROWS))
    assert capsys.readouterr().out.count("trying again") == 2 and not breaks


def test_a_network_that_stays_away_is_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "MOST_FAILURES", 2)
    opened("json", tmp_path, lambda stream: Flaky(stream, [0] * 9, lambda: ConnectionResetError("peer")))
    with pytest.raises(DataError, match=r"fails again and again: peer; what was read is kept"):
        hub.spooled(SOURCE, ALL, 0, tmp_path / "work")


def test_what_is_wrong_is_not_tried_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    opened("json", tmp_path, lambda stream: Flaky(stream, [0], lambda: FileNotFoundError("no such data set")))
    with pytest.raises(DataError, match="cannot be read from the hub: FileNotFoundError: no such data set"):
        hub.spooled(SOURCE, ALL, 0, tmp_path / "work")
    assert "trying again" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TimeoutError("read"), True),
        (ConnectionError("offline mode is enabled"), False),
        (PermissionError(), False),
        (ValueError("columns"), False),
    ],
)
def test_which_errors_may_pass(error: Exception, expected: bool) -> None:
    assert hub.is_passing(error) is expected


@pytest.mark.parametrize(
    "settings", [ALL, DataSettings(sample_size=hub.MOST_STREAMED + 1)], ids=["all", "part"]
)
def test_a_signal_stops_it_and_it_goes_on(
    files: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: DataSettings
) -> None:
    calm = hub.spooled(SOURCE, settings, 3, tmp_path / "calm").read_bytes()
    before = hub._written

    def stops(*given: Any) -> Any:
        written = before(*given)
        if written.rows > 90:
            monkeypatch.setattr(REQUESTS, "stop", signal.SIGTERM)
        return written

    with monkeypatch.context() as patch:
        patch.setattr(hub, "_written", stops)
        with pytest.raises(Interrupted, match="while reading owner/name"):
            hub.spooled(SOURCE, settings, 3, tmp_path / "work")
    monkeypatch.setattr(REQUESTS, "stop", None)
    read: list[Any] = []
    monkeypatch.setattr(hub, "_written", lambda *given: read.append(before(*given)) or read[-1])
    assert hub.spooled(SOURCE, settings, 3, tmp_path / "work").read_bytes() == calm
    assert read[0].rows > 90


def test_a_kill_at_any_time_loses_nothing(tmp_path: Path) -> None:
    class Slow(Flaky):
        def __iter__(self) -> Iterator[Any]:
            for row in self.inner:
                time.sleep(0.004)
                yield row

        def shard(self, count: int, index: int) -> Slow:
            return Slow(self.inner.shard(count, index), [], OSError)

    opened("json", tmp_path, lambda stream: Slow(stream, [], OSError))
    for _ in range(2):
        child = os.fork()
        if not child:
            try:
                hub.spooled(SOURCE, ALL, 0, tmp_path / "work")
            finally:
                os._exit(1)
        time.sleep(0.5)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert numbers(hub.spooled(SOURCE, ALL, 0, tmp_path / "work")) == list(range(SHARDS * ROWS))


def test_a_part_takes_shards_in_an_order_of_the_seed(
    files: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "rows_wanted", lambda source, settings: ROWS + 10)
    found = {
        tuple(numbers(hub.spooled(SOURCE, DataSettings(sample_size=60_000), seed, tmp_path / str(seed))))
        for seed in range(8)
    }
    assert {len(one) for one in found} == {ROWS + 10} and len({one[0] for one in found}) > 2


@pytest.mark.parametrize(("index_above_bytes", "form"), [(10**9, PreparedSamples), (1000, ShardedSamples)])
def test_they_become_samples_in_memory_or_by_the_large_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index_above_bytes: int, form: type
) -> None:
    monkeypatch.setenv("MANUS_CACHE_DIR", str(tmp_path / "cache"))
    opened("parquet", tmp_path)
    settings = DataSettings(held_out=10, max_length=64, index_above_bytes=index_above_bytes)
    out = tmp_path / "out"
    out.mkdir()
    told = prepare([SOURCE], settings, cot.read, "messages", tokenizer(), tmp_path, 0, out, tmp_path / "work")
    samples = open_samples(out)
    assert isinstance(samples, form) and len(samples) == told["train_samples"] == SHARDS * ROWS - 10


def test_only_much_is_brought_to_the_disk() -> None:
    assert may_be_large([SOURCE], DataSettings(), Path())
    assert not may_be_large([SOURCE], DataSettings(sample_size=1000), Path())
