"""Makes batches of prepared samples: flat rows without padding, or padded ones. Knows nothing of models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from manus.data.order.packing import PackedRows
from manus.data.prepared.samples import PreparedSamples
from manus.data.prepared.sharded import ShardedSamples
from manus.training.kernels.attention import boundaries
from manus.training.labels import IGNORED

LEAST_SAVED = 0.03  # of a batch's tokens, for a shared beginning to be worth its copies of keys and values

Places = npt.NDArray[np.int64]  # of samples
Segment = tuple[torch.Tensor, torch.Tensor]  # token ids and labels of one sample, both [T]


class Rows(Dataset[list[Segment]]):
    """Prepared samples as rows: one sample each, or, packed, as many whole ones as fit into `max_length`.

    `groups` are the samples that may share a row, where not all may; their rows follow each other, `counts`
    says how many.
    """

    def __init__(
        self,
        samples: PreparedSamples | ShardedSamples,
        max_length: int | None,
        groups: Sequence[Places] | None = None,
    ) -> None:
        self.samples = samples
        self.is_large = isinstance(samples, ShardedSamples)
        self.rows: Sequence[Sequence[int]]
        if isinstance(samples, ShardedSamples) and groups is None:
            self.rows = samples.rows(max_length)
            self.counts = [len(self.rows)]
            return
        by_group = [rows_of(samples, group, max_length) for group in groups or [np.arange(len(samples))]]
        self.rows = PackedRows.joined(by_group)
        self.counts = [len(rows) for rows in by_group]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> list[Segment]:
        return [self.segment(sample) for sample in self.rows[index]]

    def segment(self, index: int) -> Segment:
        """Return ids and labels of one sample."""
        sample = self.samples[index]
        return segment_of(sample["ids"], sample["is_learned"])


def segment_of(ids: npt.ArrayLike, is_learned: npt.ArrayLike) -> Segment:
    """Return a sample's tokens and their labels; its first token has none before it and is never learned."""
    ids_T = torch.as_tensor(ids, dtype=torch.long)
    labels_T = torch.where(torch.as_tensor(is_learned), ids_T, IGNORED)
    labels_T[0] = IGNORED
    return ids_T, labels_T


def rows_of(samples: PreparedSamples | ShardedSamples, group: Places, max_length: int | None) -> PackedRows:
    """Put some of the samples, by place, into rows: one sample each, or packed."""
    return PackedRows.of(group, samples.lengths_at(group), max_length)


@dataclass(frozen=True, slots=True)
class FlatCollator:
    """Joins all samples of a batch into one row with boundaries: no padding, and none sees another.

    With `is_sharing`, a beginning that all of them have in common, such as a system prompt, is in the row
    once. It ends before the first of the `placeholders`, for which each sample has a medium of its own.
    """

    is_sharing: bool = False
    placeholders: tuple[int, ...] = ()

    def __call__(self, rows: list[list[Segment]]) -> dict[str, Any]:
        segments = [segment for row in rows for segment in row]
        shared = shared_beginning(segments, self.placeholders) if self.is_sharing else 0
        first_ids, first_labels = segments[0]
        return {
            "input_ids": torch.cat([first_ids[:shared], *(ids[shared:] for ids, _ in segments)])[None],
            "labels": torch.cat([first_labels[:shared], *(labels[shared:] for _, labels in segments)])[None],
            **boundaries([len(ids) for ids, _ in segments], shared),
        }


def shared_beginning(segments: list[Segment], placeholders: Sequence[int] = ()) -> int:
    """Return how many tokens all samples begin with, before what leads to the first learned token of any.

    It ends before the first placeholder, too, and is 0 where sharing would save less than copying costs.
    """
    if len(segments) < 2:
        return 0
    most = min(_unlearned(labels) for _, labels in segments) - 1
    if most < 1:
        return 0
    beginnings = torch.stack([ids[:most] for ids, _ in segments])
    is_shared = (beginnings == beginnings[0]).all(0) & ~torch.isin(beginnings[0], torch.tensor(placeholders))
    shared = int(is_shared.long().cumprod(0).sum())
    saved = shared * (len(segments) - 1)
    return shared if saved >= LEAST_SAVED * sum(len(ids) for ids, _ in segments) else 0


def _unlearned(labels_T: torch.Tensor) -> int:
    """Return how many tokens come before the first learned one."""
    learned = (labels_T != IGNORED).nonzero()
    return int(learned[0]) if len(learned) else len(labels_T)


def real_tokens(inputs: dict[str, Any]) -> int:
    """Return how many tokens a batch's samples have: without padding, with a shared beginning in each."""
    if "cu_seq_lens_k" not in inputs:
        return int(inputs["attention_mask"].sum())
    own, seen = inputs["cu_seq_lens_q"].diff(), inputs["cu_seq_lens_k"].diff()
    return int(seen.sum() - (own[0] if bool((own != seen).any()) else 0))


@dataclass(frozen=True, slots=True)
class PaddedCollator:
    """Pads the samples of a batch on the right to the longest."""

    pad_token_id: int

    def __call__(self, rows: list[list[Segment]]) -> dict[str, Any]:
        segments = [segment for row in rows for segment in row]
        longest = max(len(ids) for ids, _ in segments)
        shape = (len(segments), longest)
        ids_BT, mask_BT = torch.full(shape, self.pad_token_id), torch.zeros(shape, dtype=torch.long)
        labels_BT = torch.full(shape, IGNORED)
        for row, (ids, labels) in enumerate(segments):
            ids_BT[row, : len(ids)], labels_BT[row, : len(ids)], mask_BT[row, : len(ids)] = ids, labels, 1
        return {"input_ids": ids_BT, "labels": labels_BT, "attention_mask": mask_BT}
