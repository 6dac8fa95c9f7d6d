"""The trainer of batches that hold media."""

from __future__ import annotations

from typing import Any

from manus.training.batches.beside import told_plainly
from manus.training.batches.media import MediaRows
from manus.training.batches.order import loader
from manus.training.loop import StageTrainer


class MediaTrainer(StageTrainer):
    """A trainer of rows with media."""

    def get_train_dataloader(self) -> Any:
        """Return a loader of batches of one kind each, which are decoded meanwhile."""
        args, rows, collate = self.args, self.train_dataset, self.data_collator
        assert isinstance(rows, MediaRows), "what `supervised` makes"
        batches = rows.batches(args.per_device_train_batch_size, args.seed)
        return loader(self.accelerator, rows, args, collate, batches, collate.beside)

    def run(self) -> None:
        """Train to the end.

        Raises:
            DataError: a medium cannot be decoded any more.
            ManusError: a process that decodes was killed.
        """
        with told_plainly(self.title, "decodes media"):
            super().run()
