"""Reads a hub data set into a file of rows, once: in background, exactly continued, patient with networks.

Shards are read one after the other, in an order drawn by the seed where only a part is wanted. Where the
reading stands is a shard's place and the state that `datasets` gives for it, written beside the rows. Knows
nothing of samples.
"""

from __future__ import annotations

import json
import os
import queue
import re
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from manus.data.order.shuffle import Permutation
from manus.data.settings import DataSettings, Source
from manus.data.sources.hub_json import refuse_repeated_keys
from manus.data.sources.records import BYTES_KEY, as_bytes, as_json
from manus.errors import DataError
from manus.files import put_in_place, write_json
from manus.guards.progress import progress
from manus.guards.ranks import say
from manus.guards.run import RUN
from manus.store.keys import key_of

HUB_SHUFFLE_ROWS = 10_000
MEDIA_SHUFFLE_ROWS = 200
LOOKED_AT_BYTES = 4 << 20  # of a file of rows, to tell how much of it is media
MOST_STREAMED = 50_000  # samples; whoever wants more gets the rows on disk first
BATCH_ROWS, BATCH_BYTES, BATCH_SECONDS = 1000, 4 << 20, 5.0
BATCHES_AHEAD = 4
MOST_FAILURES = 8  # in a row; waiting for the network takes about three minutes then
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 60.0
LOOK_EVERY_SECONDS = 0.1
SPARE_BYTES = 1_000_000_000
NETWORK_LIBRARIES = {"aiohttp", "httpcore", "httpx", "httpx2", "requests", "urllib3"}
WORTH_ANOTHER_TRY = {408, 425, 429}  # of the 4xx answers


def open_stream(source: Source) -> Any:
    """Return a hub data set as an iterable that reads over the network; media stay as they are encoded."""
    from datasets import load_dataset

    refuse_repeated_keys()
    stream = load_dataset(
        source.hub, source.subset, split=source.split or "train", revision=source.revision, streaming=True
    )
    return stream.decode(False) if holds_media(stream) else stream


def holds_media(stream: Any) -> bool:
    """Tell whether a data set's rows hold pictures, video or sound."""
    from datasets.features.features import require_decoding

    features = getattr(stream, "features", None)
    return features is not None and any(
        require_decoding(one, ignore_decode_attribute=True) for one in features.values()
    )


def shuffle_rows(stream: Any) -> int:
    """Return how many rows are in memory while they are shuffled."""
    return MEDIA_SHUFFLE_ROWS if holds_media(stream) else HUB_SHUFFLE_ROWS


def is_spooled(source: Source, settings: DataSettings) -> bool:
    """Tell whether a source's rows are brought to disk before being read: all of a hub data set, or many."""
    return source.hub is not None and not 0 < settings.sample_size <= MOST_STREAMED


def rows_wanted(source: Source, settings: DataSettings) -> int | None:
    """Return after how many rows reading may stop: enough to draw from, as from a shuffle buffer."""
    if not settings.sample_size or source.archives:  # of rows with archives, many may be left out
        return None
    needed = settings.sample_size + (settings.held_out or 0)
    return needed + settings.sample_size // 10 + 200 + HUB_SHUFFLE_ROWS


def spooled(source: Source, settings: DataSettings, seed: int, work: Path) -> Path:
    """Return a file with a source's rows as lines of `[place, row]`, read now unless it is there.

    Args:
        source: a hub data set.
        settings: with the number of samples wanted.
        seed: of the order of shards where not all are wanted.
        work: keeps the file, and a torn one with its position.

    Raises:
        DataError: the hub gives no answer, or the disk is full.
        Interrupted: a signal came; what was read is kept.
    """
    limit = rows_wanted(source, settings)
    rows_of = source.model_dump(mode="json", exclude={"archives"})
    identity = {"source": rows_of, "limit": limit, "seed": seed if limit else None}
    path = work / "spool" / f"hub-{key_of(identity)[:16]}.jsonl"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _fetch(source, path, limit, seed)
    return path


def read_spool(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the places and rows of a file that `spooled` made."""
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            place, row = json.loads(line, object_hook=as_bytes)
            yield place, row


def spool_bytes(path: Path, without_media: bool) -> int:
    """Return how many bytes of rows such a file holds; without media it is an estimate, by how it begins."""
    size = path.stat().st_size
    if not without_media:
        return size
    with path.open("rb") as stream:
        lines = stream.readlines(LOOKED_AT_BYTES)
    looked_at, media = (
        sum(map(len, lines)),
        sum(len(found) for line in lines for found in _WRITTEN.findall(line)),
    )
    return round(size * (looked_at - media) / max(1, looked_at))


_WRITTEN = re.compile(b'"' + BYTES_KEY.encode() + rb'": "[A-Za-z0-9+/=]*"')


@dataclass(frozen=True, slots=True)
class Position:
    """How far the reading is: rows and bytes written, shards done, and the state of the next."""

    rows: int = 0
    bytes: int = 0
    shard: int = 0
    state: Mapping[str, Any] | None = None

    @classmethod
    def read(cls, path: Path) -> Position:
        """Return what was written down, or the beginning."""
        return cls(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else cls()


class Batch(NamedTuple):
    """Rows, and where the reading stands after them."""

    rows: list[bytes]
    shard: int
    state: Mapping[str, Any] | None


class _NetworkError(Exception):
    """The stream broke in a way that may pass."""


def _fetch(source: Source, path: Path, limit: int | None, seed: int) -> None:
    """Write the rows of a source; begin where an earlier run stopped, and again where the network failed."""
    part, position_file = path.with_suffix(".part"), path.with_suffix(".position.json")
    at, failures = Position.read(position_file), 0
    if at.rows:
        say(f"continuing: {at.rows:,} rows of {source.hub} are there")
    with part.open("r+b" if part.exists() else "w+b") as target, _told(source, limit) as advance:
        target.truncate(at.bytes)
        target.seek(at.bytes)
        while limit is None or at.rows < limit:
            try:
                with _read_ahead(
                    _batches(source, at, seed if limit else None), f"reading {source.hub}"
                ) as batches:
                    for batch in batches:
                        _check_room(path)
                        at = _written(batch, at, limit, target)
                        write_json(position_file, asdict(at))
                        advance(at.rows)
                        failures = 0
                        if at.rows == limit:
                            break
                break
            except _NetworkError as error:
                failures += 1
                cause = error.__cause__
                if failures > MOST_FAILURES:
                    raise DataError(
                        f"data {source.hub}: the hub fails again and again: {cause}; "
                        "what was read is kept, the next run continues"
                    ) from None
                _wait(source, min(FIRST_WAIT_SECONDS * 2 ** (failures - 1), LONGEST_WAIT_SECONDS), cause)
    put_in_place(part, path)
    position_file.unlink(missing_ok=True)


def _written(batch: Batch, at: Position, limit: int | None, target: Any) -> Position:
    """Append a batch to a file and return where the reading then stands."""
    rows = batch.rows if limit is None else batch.rows[: limit - at.rows]
    size = sum(target.write(row) for row in rows)
    target.flush()
    os.fsync(target.fileno())
    return Position(at.rows + len(rows), at.bytes + size, batch.shard, batch.state)


@contextmanager
def _told(source: Source, limit: int | None) -> Iterator[Any]:
    """Show how far it is: of the rows wanted, or simply how many."""
    began = shown = time.monotonic()

    def count(rows: int) -> None:
        nonlocal shown
        if time.monotonic() - shown >= BATCH_SECONDS:
            shown = time.monotonic()
            say(f"  read {source.hub}: {rows:,} rows in {shown - began:.0f} s")

    if limit is None:
        yield count
        return
    with progress(f"read {source.hub}", limit, "rows") as advance:
        yield advance


def _wait(source: Source, seconds: float, cause: BaseException | None) -> None:
    say(f"{source.hub}: {type(cause).__name__}: {str(cause)[:200]}; trying again in {seconds:.0f} s")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        RUN.cross(f"waiting for {source.hub}")
        time.sleep(min(LOOK_EVERY_SECONDS, seconds))


def _check_room(path: Path) -> None:
    if shutil.disk_usage(path.parent).free < SPARE_BYTES:
        raise DataError(
            f"{path.parent} has no room for the rows of the hub; "
            "free some (what was read is kept), or give a sample_size"
        )


def _batches(source: Source, at: Position, seed: int | None) -> Iterator[Batch]:
    """Yield rows from a position on; with a seed, shards come in an order drawn by it."""
    whole = open_stream(source)
    shards = whole.num_shards
    order = (
        [int(n) for n in Permutation(shards, seed, "hub shards").at(range(shards))]
        if seed is not None
        else None
    )
    number = at.rows
    for shard in range(at.shard, shards):
        stream = whole if shards == 1 else whole.shard(shards, order[shard] if order else shard)
        if shard == at.shard and at.state is not None:
            stream.load_state_dict(dict(at.state))
        rows: list[bytes] = []
        size, began = 0, time.monotonic()
        for row in stream:
            number += 1
            line = json.dumps(
                [f"{source.hub} row {number}", dict(row)], ensure_ascii=False, default=as_json
            ).encode()
            rows.append(line + b"\n")
            size += len(line)
            if len(rows) >= BATCH_ROWS or size >= BATCH_BYTES or time.monotonic() - began >= BATCH_SECONDS:
                yield Batch(rows, shard, stream.state_dict())
                rows, size, began = [], 0, time.monotonic()
        yield Batch(rows, shard + 1, None)


@contextmanager
def _read_ahead(batches: Iterator[Batch], doing: str) -> Iterator[Iterator[Batch]]:
    """Read batches in a thread, a few ahead of who takes them, with safe points while waiting.

    Raises:
        _NetworkError: the stream broke; trying again may help.
        DataError: the hub refuses.
    """
    ready: queue.Queue[Batch | BaseException | None] = queue.Queue(BATCHES_AHEAD)
    is_over = threading.Event()

    def put(item: Batch | BaseException | None) -> None:
        while not is_over.is_set():
            try:
                ready.put(item, timeout=LOOK_EVERY_SECONDS)
            except queue.Full:
                continue
            return

    def read() -> None:
        try:
            for batch in batches:
                put(batch)
                if is_over.is_set():
                    return
            put(None)
        except BaseException as error:
            put(error)

    def taken() -> Iterator[Batch]:
        while True:
            RUN.cross(doing)
            try:
                item = ready.get(timeout=LOOK_EVERY_SECONDS)
            except queue.Empty:
                continue
            if item is None:
                return
            if isinstance(item, Batch):
                yield item
            elif is_passing(item):
                raise _NetworkError from item
            else:
                raise refused(doing.removeprefix("reading "), item)

    reader = threading.Thread(target=read, name="hub", daemon=True)
    reader.start()
    try:
        yield taken()
    finally:
        is_over.set()
        reader.join(timeout=LOOK_EVERY_SECONDS)


def refused(name: str, error: BaseException) -> BaseException:
    """Return what to raise for an error of the hub: a message where it is one, else the error itself."""
    from manus.hub import unreachable

    if isinstance(error, (ValueError, *unreachable())):
        return DataError(f"data {name}: cannot be read from the hub: {type(error).__name__}: {error}")
    return error


def is_passing(error: BaseException) -> bool:
    """Tell whether an error may be gone at the next try: of the network, not of what was asked for."""
    if (
        isinstance(error, (FileNotFoundError, PermissionError))
        or "offline" in f"{type(error).__name__} {error}".lower()
    ):
        return False
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(status, int) and 400 <= status < 500:
        return status in WORTH_ANOTHER_TRY
    return isinstance(error, OSError) or type(error).__module__.split(".")[0] in NETWORK_LIBRARIES
