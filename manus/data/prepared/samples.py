"""Prepared samples on disk: flat arrays and Arrow tables, memory-mapped: memory does not grow with them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from manus.data.prepared.media_numbers import MediaNumbers
from manus.data.prepared.sharded import LAYOUT, ShardedSamples
from manus.data.sample import Pair, Prompt, Sample, SampleKind, Tokens, prompt_of
from manus.data.tokens.fitting import tokens_in
from manus.files import read_jsonl

if TYPE_CHECKING:
    from datasets import Dataset

HELD_OUT = "held_out.jsonl"
PAIRS = "pairs.arrow"
PROMPTS = "prompts.arrow"
SPEECH = "speech.arrow"
TABLES: dict[SampleKind, str] = {
    "preference": PAIRS,
    "prompt": PROMPTS,
    "speech": SPEECH,
}  # other kinds are flat arrays of tokens
ROWS_PER_ARROW_BATCH = 1000
TOKENS_PER_ARROW_BATCH = 1 << 18


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
    return _write_arrow(folder, "preference", pairs)


def write_prompts(folder: Path, prompts: Iterable[Prompt]) -> npt.NDArray[np.int64]:
    """Write what a model is asked, with whole samples for the verifiers; return the tokens in each prompt."""
    return _write_arrow(folder, "prompt", prompts)


def write_speech(folder: Path, spoken: Iterable[Prompt]) -> npt.NDArray[np.int64]:
    """Write what is said and the numbers of its sounds, as whole samples; return the tokens in each text."""
    return _write_arrow(folder, "speech", spoken)


def _write_arrow(folder: Path, kind: SampleKind, pieces: Iterable[Pair | Prompt]) -> npt.NDArray[np.int64]:
    lengths: list[int] = []
    with ArrowFile(folder, kind) as file:
        for piece in pieces:
            file.add(piece)
            lengths.append(tokens_in(piece))
    return np.asarray(lengths, dtype=np.int64)


class ArrowFile:
    """A table of pairs or prompts that is written piece by piece, a few of them in memory."""

    def __init__(self, folder: Path, kind: SampleKind) -> None:
        import pyarrow

        self.sink = pyarrow.OSFile(str(folder / TABLES[kind]), "wb")
        self.schema = schema_of(kind)
        self.writer = pyarrow.ipc.new_stream(self.sink, self.schema)
        self.waiting: list[dict[str, Any]] = []
        self.tokens = self.count = 0

    def __enter__(self) -> ArrowFile:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def add(self, piece: Pair | Prompt) -> None:
        """Write a pair or prompt."""
        self.waiting.append(_row_of(piece))
        self.tokens, self.count = self.tokens + tokens_in(piece), self.count + 1
        if len(self.waiting) >= ROWS_PER_ARROW_BATCH or self.tokens >= TOKENS_PER_ARROW_BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        import pyarrow

        if self.waiting:
            self.writer.write_batch(pyarrow.RecordBatch.from_pylist(self.waiting, schema=self.schema))
        self.waiting, self.tokens = [], 0

    def close(self) -> None:
        """Write the end."""
        self.flush()
        self.writer.close()
        self.sink.close()


def schema_of(kind: SampleKind) -> Any:
    """Return the columns of pairs or prompts, for pyarrow."""
    import pyarrow

    if kind == "preference":
        ids = pyarrow.list_(pyarrow.int32())
        return pyarrow.schema([("prompt_ids", ids), ("chosen_ids", ids), ("rejected_ids", ids)])
    turns = pyarrow.list_(pyarrow.struct([("role", pyarrow.string()), ("content", pyarrow.string())]))
    return pyarrow.schema([("prompt", turns), ("sample", pyarrow.string())])


def _row_of(piece: Pair | Prompt) -> dict[str, Any]:
    if isinstance(piece, Pair):
        return {"prompt_ids": piece.prompt, "chosen_ids": piece.chosen, "rejected_ids": piece.rejected}
    return {"prompt": prompt_of(piece.sample), "sample": json.dumps(piece.sample, ensure_ascii=False)}


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

    def lengths_at(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the tokens of the samples at places."""
        return np.asarray(self.offsets[places + 1] - self.offsets[places], dtype=np.int64)

    def media_at(self, kinds: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint8]:
        """Return which kinds of media each sample has, a bit each, from the kind of each medium."""
        return self.media.kinds(len(self), kinds)


def open_samples(folder: Path) -> PreparedSamples | ShardedSamples:
    """Return random access to prepared data, whichever way they were prepared."""
    return ShardedSamples(folder) if (folder / LAYOUT).exists() else PreparedSamples(folder)


def read_held_out(folder: Path) -> list[Sample]:
    """Return the held-out samples of prepared data."""
    return list(read_jsonl(folder / HELD_OUT))
