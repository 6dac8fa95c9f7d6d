"""Brings the media of shards together: each content once, and the numbers of those that prepared samples use.

Memory holds what is told of each medium, not the media. Knows nothing of tokens.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from manus.data.media.files import ENTRY, MEDIA_BIN, MEDIA_NAMES, MEDIA_TABLE, has_media, window
from manus.data.preparation.media_intake import renumbered
from manus.data.preparation.shards import Shard, first_numbers
from manus.data.prepared.media_numbers import MediaNumbers, write_numbers
from manus.data.sample import Sample, numbers_of
from manus.guards.run import RUN

UNUSED = -1
BLOCK_BYTES = 1 << 20
_SAME = ["sha256", "kind", "begin", "seconds"]  # entries that are alike in these are one medium

Numbers = npt.NDArray[np.int64]


class ShardMedia:
    """The media of all shards, numbered in a row; `finish` writes those in use under new numbers."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        self.shards = shards
        self.first = first_numbers(shards)
        self.is_used = np.zeros(self.first[-1], dtype=bool)
        self.counts: list[Numbers] = []  # how many media each training sample has, shard by shard
        self.numbers: list[Numbers] = []

    def __len__(self) -> int:
        return len(self.is_used)

    def numbered(self, shard: int, sample: Sample) -> Sample:
        """Return a shard's sample with the numbers that its media have among those of all; they are used."""
        found = renumbered(sample, range(self.first[shard], self.first[shard + 1]))
        self.is_used[numbers_of(found)] = True
        return found

    def add(self, shard: int, pieces: Numbers, is_used: npt.NDArray[np.bool_]) -> None:
        """Take the media of training samples into account.

        Args:
            shard: where they are.
            pieces: which of the shard's training samples are in the table, in its order.
            is_used: which of these are seen in an epoch.
        """
        if not len(self):
            return
        media = MediaNumbers(self.shards[shard].folder)
        if media.ends is None or media.numbers is None:
            self.counts.append(np.zeros(len(pieces), dtype=np.int64))
            return
        ends = np.asarray(media.ends)
        begins = np.concatenate([[0], ends[:-1]])
        counts = (ends - begins)[pieces]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        numbers = np.asarray(media.numbers, dtype=np.int64)[np.repeat(begins[pieces], counts) + within]
        numbers += self.first[shard]
        self.is_used[numbers[np.repeat(is_used, counts)]] = True
        self.counts.append(counts)
        self.numbers.append(numbers)

    def kept_in(self, shard: int, renamed: Numbers) -> dict[int, int]:
        """Return the numbers under which a shard's media are kept, by those that they have in it."""
        first, end = self.first[shard], self.first[shard + 1]
        return dict(enumerate(renamed[first:end].tolist()))

    def finish(self, folder: Path) -> Numbers:
        """Write the media in use, and those of the training samples in the table; return all new numbers.

        Raises:
            Interrupted: a signal came.
        """
        renamed = np.full(len(self), UNUSED, dtype=np.int64)
        if not self.is_used.any():
            return renamed
        used = np.flatnonzero(self.is_used)
        tables = [_table(shard) for shard in self.shards]
        entries = np.concatenate(tables)[used]
        _, place, which = np.unique(_keys(entries, _SAME), return_index=True, return_inverse=True)
        order = np.argsort(place)  # the first of each medium, as they come in the data
        kept, new = used[place[order]], np.empty(len(order), dtype=np.int64)
        new[order] = np.arange(len(order))
        renamed[used] = new[which]
        table = np.concatenate(tables)[kept]
        table["offset"] = self._copied(table, kept, folder)
        np.save(folder / MEDIA_TABLE, table)
        self._write_names(kept, folder)
        numbers = np.concatenate(self.numbers) if self.numbers else np.empty(0, dtype=np.int64)
        found = renamed[numbers]  # a sample that no epoch sees has media that are not kept
        ends = np.cumsum(np.concatenate(self.counts))
        write_numbers(folder, ends, found.astype(np.int32))
        return renamed

    def _copied(self, table: npt.NDArray[Any], kept: Numbers, folder: Path) -> Numbers:
        """Copy each content once, in the order of the entries; return where each entry's content is."""
        _, place, which = np.unique(_keys(table, ["sha256"]), return_index=True, return_inverse=True)
        offsets = np.empty(len(place), dtype=np.int64)
        shard_of = np.searchsorted(np.asarray(self.first), kept, side="right") - 1
        with (folder / MEDIA_BIN).open("wb") as target:
            open_shard, source = -1, None
            for content in np.argsort(place).tolist():
                RUN.cross("bringing media together")
                entry, shard = table[place[content]], int(shard_of[place[content]])
                if shard != open_shard or source is None:
                    if source is not None:
                        source.close()
                    open_shard, source = shard, (self.shards[shard].folder / MEDIA_BIN).open("rb")
                offsets[content] = target.tell()
                with window(source.fileno(), int(entry["offset"]), int(entry["size"])) as stream:
                    shutil.copyfileobj(stream, target, BLOCK_BYTES)
            if source is not None:
                source.close()
        return offsets[which]

    def _write_names(self, kept: Numbers, folder: Path) -> None:
        with (folder / MEDIA_NAMES).open("wb") as target:
            for shard, first in zip(self.shards, self.first, strict=False):
                here = set(kept[(kept >= first) & (kept < first + shard.told.media)].tolist())
                if here:
                    with (shard.folder / MEDIA_NAMES).open("rb") as source:
                        target.writelines(line for number, line in enumerate(source, first) if number in here)


def _table(shard: Shard) -> npt.NDArray[Any]:
    found: npt.NDArray[Any] = (
        np.load(shard.folder / MEDIA_TABLE) if has_media(shard.folder) else np.empty(0, dtype=ENTRY)
    )
    return found


def _keys(entries: npt.NDArray[Any], names: list[str]) -> npt.NDArray[Any]:
    """Return the fields of entries that tell them apart, as bytes that can be sorted."""
    parts = [np.ascontiguousarray(entries[name]).view(np.uint8).reshape(len(entries), -1) for name in names]
    joined = np.ascontiguousarray(np.concatenate(parts, axis=1))
    return joined.view(np.dtype((np.void, joined.shape[1]))).reshape(-1)


def with_kept_numbers(samples: Sequence[Sample], renamed: Numbers) -> list[Sample]:
    """Return samples whose media have the numbers under which they are kept."""
    return [renumbered(sample, {n: int(renamed[n]) for n in numbers_of(sample)}) for sample in samples]
