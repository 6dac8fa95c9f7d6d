"""Trains on rows that are tokenised meanwhile, in a process beside the training, at most a few batches ahead.

The order is that of other large data (`order`), so a run continues anywhere at once; bad rows are counted in the
checkpoint. Knows nothing of how rows are read.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from manus.data.on_the_fly import Drawn, LiveRows, take
from manus.data.prepared import write_jsonl
from manus.data.quarantine import Quarantine
from manus.guards import ranks
from manus.training.batches import Segment, segment_of
from manus.training.beside import Beside, told_plainly
from manus.training.loop import StageTrainer
from manus.training.order import ShuffledBatches, loader

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
        told = {"seen": sum(one.rows for one in drawn), "bad": [row for one in drawn for row in one.bad]}
        return {**self.inner(segments), ROWS: json.dumps(told)}


class LiveTrainer(StageTrainer):
    """A trainer of rows that are not prepared; it stops when too many of them are bad."""

    def __init__(self, *args: Any, budget: float, staging: Path, looked_at: Quarantine, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.budget, self.staging = budget, staging
        self.quarantine = looked_at  # so that one bad row among the first is not a large share

    def get_train_dataloader(self) -> Any:
        """Return a loader whose batches are made in a process of its own."""
        args = self.args
        batches = ShuffledBatches(
            len(self.train_dataset), args.per_device_train_batch_size, args.seed, ranks.rank(), ranks.world_size(),
            counts_on=True,
        )  # fmt: skip
        return loader(
            self.accelerator, self.train_dataset, args, self.data_collator, batches, Beside(1, BATCHES_AHEAD)
        )  # fmt: skip

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Count the rows that were read for a batch, and return its loss.

        Raises:
            DataError: more rows were bad than the failure budget allows.
        """
        told = json.loads(inputs.pop(ROWS))
        take(self.quarantine, Drawn([], told["seen"], told["bad"], []))
        self.quarantine.check(self.budget, Path(self.args.output_dir) / QUARANTINE)
        return super().compute_loss(model, inputs, *args, **kwargs)

    def method_state(self) -> dict[str, Any]:
        """Return the rows seen so far, and the bad ones."""
        return {"seen": self.quarantine.seen, "rows": json.dumps(self.quarantine.rows)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on counting where an earlier process stopped."""
        self.quarantine = Quarantine(json.loads(state["rows"]), state["seen"])

    def run(self) -> None:
        """Train to the end, and leave the bad rows beside the weights.

        Raises:
            DataError: too many rows are bad, or a file was changed.
            ManusError: the process that reads was killed.
        """
        with told_plainly(self.title, "reads the rows"):
            super().run()
        if ranks.is_first():
            write_jsonl(self.staging / QUARANTINE, self.quarantine.rows[:LARGEST_QUARANTINE])
