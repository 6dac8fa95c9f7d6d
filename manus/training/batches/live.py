"""Trains on rows that are tokenised meanwhile, in a process beside the training, at most a few batches ahead.

The order is that of other large data (`order`), so a run continues anywhere at once; bad rows are counted in
the checkpoint. Knows nothing of how rows are read.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch.utils.data import Dataset

from manus.data.preparation.while_training import Drawn, LiveRows
from manus.training.batches.text import Segment, segment_of

BATCHES_AHEAD = 8
ROWS = "rows"  # a batch's key for what else was read for it
QUARANTINE = "quarantine.jsonl"
LARGEST_QUARANTINE = 10_000


class Places(Dataset[Drawn]):
    """The places of all epochs, one after the other."""

    def __init__(self, live: LiveRows) -> None:
        self.live = live

    def __len__(self) -> int:
        return len(self.live)

    def __getitem__(self, index: int) -> Drawn:
        return self.live.at(*divmod(index, len(self)))


@dataclass(frozen=True, slots=True)
class Collator:
    """Makes a batch as another collator does, and adds what was read for it."""

    inner: Callable[[list[list[Segment]]], dict[str, Any]]

    def __call__(self, drawn: list[Drawn]) -> dict[str, Any]:
        segments = [[segment_of(tokens.ids, tokens.is_learned) for tokens in one.tokens] for one in drawn]
        told = {
            "seen": sum(one.rows for one in drawn),
            "bad": [row for one in drawn for row in one.bad],
            "unread": sorted({f"{one.source}: {name}" for one in drawn for name in one.unread}),
        }
        return {**self.inner(segments), ROWS: json.dumps(told)}
