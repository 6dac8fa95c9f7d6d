"""Prepared samples on disk: flat arrays and Arrow tables, memory-mapped, so memory does not grow with the data."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from manus.data.prepared.media_numbers import MediaNumbers
from manus.data.prepared.sharded import LAYOUT, ShardedSamples
from manus.data.sample import Pair, Sample, Tokens, prompt_of
from manus.files import read_jsonl

if TYPE_CHECKING:
    from datasets import Dataset

HELD_OUT = "held_out.jsonl"
PAIRS = "pairs.arrow"
PROMPTS = "prompts.arrow"
ROWS_PER_ARROW_BATCH = 1000


def write_tokens(folder: Path, samples: Iterable[Tokens]) -> npt.NDArray[np.int64]:
    """Write token ids, learned marks and offsets of samples, one after the other; return their lengths."""
    lengths: list[int] = []
    with (folder / "ids.int32").open("wb") as ids, (folder / "learned.uint8").open("wb") as learned:
        for sample in samples:
            ids.write(np.asarray(sample.ids, dtype=np.int32).tobytes())
            learned.write(np.asarray(sample.is_learned, dtype=np.uint8).tobytes())
            lengths.append(len(sample.ids))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    np.save(folder / "offsets.npy", offsets)
    return np.asarray(lengths, dtype=np.int64)


def write_pairs(folder: Path, pairs: Iterable[Pair]) -> npt.NDArray[np.int64]:
    """Write prompts with their chosen and rejected answers as token ids; return the tokens in each pair."""
    import pyarrow

    ids = pyarrow.list_(pyarrow.int32())
    schema = pyarrow.schema([("prompt_ids", ids), ("chosen_ids", ids), ("rejected_ids", ids)])
    lengths: list[int] = []

    def rows() -> Iterator[dict[str, Any]]:
        for pair in pairs:
            lengths.append(len(pair.prompt) + len(pair.chosen) + len(pair.rejected))
            yield {"prompt_ids": pair.prompt, "chosen_ids": pair.chosen, "rejected_ids": pair.rejected}

    _write_arrow(folder / PAIRS, schema, rows())
    return np.asarray(lengths, dtype=np.int64)


def write_prompts(folder: Path, prompts: Iterable[tuple[Sample, int]]) -> npt.NDArray[np.int64]:
    """Write what a model is asked, with the whole sample for the verifiers; return the tokens in each prompt."""
    import pyarrow

    turns = pyarrow.list_(pyarrow.struct([("role", pyarrow.string()), ("content", pyarrow.string())]))
    schema = pyarrow.schema([("prompt", turns), ("sample", pyarrow.string())])
    lengths: list[int] = []

    def rows() -> Iterator[dict[str, Any]]:
        for sample, tokens in prompts:
            lengths.append(tokens)
            yield {"prompt": prompt_of(sample), "sample": json.dumps(sample, ensure_ascii=False)}

    _write_arrow(folder / PROMPTS, schema, rows())
    return np.asarray(lengths, dtype=np.int64)


def _write_arrow(path: Path, schema: Any, rows: Iterable[dict[str, Any]]) -> None:
    import pyarrow

    with pyarrow.OSFile(str(path), "wb") as sink, pyarrow.ipc.new_stream(sink, schema) as writer:
        remaining = iter(rows)
        while batch := list(itertools.islice(remaining, ROWS_PER_ARROW_BATCH)):
            writer.write_batch(pyarrow.RecordBatch.from_pylist(batch, schema=schema))


def read_arrow(folder: Path, name: str) -> Dataset:
    """Return a prepared table as a memory-mapped data set, in the form that TRL's trainers take."""
    from datasets import Dataset

    return Dataset.from_file(str(folder / name))


class PreparedSamples:
    """Random access to prepared samples, as `ids` and `is_learned` arrays of length tokens."""

    def __init__(self, folder: Path) -> None:
        self.offsets = np.load(folder / "offsets.npy", mmap_mode="r")
        self.ids = np.memmap(folder / "ids.int32", dtype=np.int32, mode="r")
        self.learned = np.memmap(folder / "learned.uint8", dtype=np.uint8, mode="r")
        self.media = MediaNumbers(folder)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> dict[str, npt.NDArray[Any]]:
        span = slice(int(self.offsets[index]), int(self.offsets[index + 1]))
        return {"ids": np.array(self.ids[span]), "is_learned": np.array(self.learned[span], dtype=bool)}

    def media_of(self, index: int) -> list[int]:
        """Return the numbers of a sample's media, in the order of its placeholders."""
        return self.media.of(index)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens in each sample."""
        return np.asarray(np.diff(self.offsets), dtype=np.int64)


def open_samples(folder: Path) -> PreparedSamples | ShardedSamples:
    """Return random access to prepared data, whichever way they were prepared."""
    return ShardedSamples(folder) if (folder / LAYOUT).exists() else PreparedSamples(folder)


def json_line(value: Any) -> bytes:
    """Return a value as a line of JSON; half a character, which UTF-8 cannot write, stays an escape."""
    try:
        return (json.dumps(value, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError:
        return (json.dumps(value) + "\n").encode()


def read_held_out(folder: Path) -> list[Sample]:
    """Return the held-out samples of prepared data."""
    return list(read_jsonl(folder / HELD_OUT))
