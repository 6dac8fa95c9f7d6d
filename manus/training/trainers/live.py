"""The trainer of rows that are tokenised while training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from manus.data.preparation.quarantine import Quarantine
from manus.data.preparation.while_training import Drawn, take
from manus.files import write_jsonl
from manus.guards import ranks
from manus.training.batches.beside import Beside, told_plainly
from manus.training.batches.live import BATCHES_AHEAD, LARGEST_QUARANTINE, QUARANTINE, ROWS
from manus.training.batches.order import ShuffledBatches, loader
from manus.training.loop import StageTrainer


class LiveTrainer(StageTrainer):
    """A trainer of rows that are not prepared; it stops when too many of them are bad."""

    def __init__(
        self, *args: Any, budget: float, staging: Path, looked_at: Quarantine, unread: set[str], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.budget, self.staging, self.unread = budget, staging, set(unread)
        self.looked_at = (len(looked_at.rows), looked_at.seen)
        self.quarantine = looked_at  # so that one bad row among the first is not a large share

    def get_train_dataloader(self) -> Any:
        """Return a loader whose batches are made in a process of its own."""
        args = self.args
        batches = ShuffledBatches(
            len(self.train_dataset),
            args.per_device_train_batch_size,
            args.seed,
            ranks.rank(),
            ranks.world_size(),
            counts_on=True,
        )
        return loader(
            self.accelerator, self.train_dataset, args, self.data_collator, batches, Beside(1, BATCHES_AHEAD)
        )

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Count the rows that were read for a batch, and return its loss.

        Raises:
            DataError: on every rank, where more of the rows of all were bad than the failure budget allows.
        """
        told = json.loads(inputs.pop(ROWS))
        take(self.quarantine, Drawn([], told["seen"], told["bad"], []))
        looked_at_rows, looked_at_seen = self.looked_at
        bad, seen = ranks.summed(
            [len(self.quarantine.rows) - looked_at_rows, self.quarantine.seen - looked_at_seen]
        )
        if bad + looked_at_rows > self.budget * (seen + looked_at_seen):
            with ranks.failing_together():
                self._of_all_ranks().check(self.budget, self._quarantine_file())
        if new := sorted(set(told["unread"]) - self.unread):
            ranks.say(f"columns that are not read, and were not seen before: {', '.join(new)}")
            self.unread.update(new)
        return super().compute_loss(model, inputs, *args, **kwargs)

    def _of_all_ranks(self) -> Quarantine:
        """Return the bad rows that all ranks met, and how many rows they saw.

        What was looked at before the start counts once.
        """
        rows, seen = self.looked_at
        everyone = ranks.gathered((self.quarantine.rows[rows:], self.quarantine.seen - seen))
        found = {
            row["place"]: row for those, _ in everyone for row in those
        }  # a row's next epoch may be another rank's
        return Quarantine.of(
            [*self.quarantine.rows[:rows], *found.values()], seen + sum(count for _, count in everyone)
        )

    def _quarantine_file(self) -> Path:
        """Return where a rank leaves the bad rows of all when they are too many.

        Only the file of the first rank is spoken of.
        """
        name = QUARANTINE if ranks.is_first() else f"{ranks.rank()}.{QUARANTINE}"
        return Path(self.args.output_dir) / name

    def method_state(self) -> dict[str, Any]:
        """Return the rows seen so far, and the bad ones."""
        return {"seen": self.quarantine.seen, "rows": json.dumps(self.quarantine.rows)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on counting where an earlier process stopped."""
        self.quarantine = Quarantine.of(json.loads(state["rows"]), state["seen"])

    def run(self) -> None:
        """Train to the end, and leave the bad rows beside the weights.

        Raises:
            DataError: too many rows are bad, or a file was changed.
            ManusError: the process that reads was killed.
        """
        with told_plainly(self.title, "reads the rows"):
            super().run()
        bad = self._of_all_ranks().rows
        if ranks.is_first():
            write_jsonl(self.staging / QUARANTINE, bad[:LARGEST_QUARANTINE])
