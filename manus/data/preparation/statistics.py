"""What there is to say of prepared data, whichever way prepared. Knows numbers, and the media on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from manus.data.forms.columns import Unread
from manus.data.preparation.distribution import histogram, quantiles
from manus.data.preparation.media_intake import media_statistics
from manus.data.preparation.quarantine import Failures
from manus.errors import DataError
from manus.files import write_json

STATISTICS = "statistics.json"


@dataclass
class Lengths:
    """How many training samples of an epoch have each number of tokens, and how many of these are learned."""

    counted: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, dtype=np.int64))
    learned: float = 0

    @classmethod
    def of(cls, lengths: npt.NDArray[np.integer[Any]], learned: float) -> Lengths:
        """Return those of samples by their tokens."""
        found = cls(learned=learned)
        found.add(lengths)
        return found

    def add(self, lengths: npt.NDArray[np.integer[Any]]) -> None:
        """Count samples by their tokens."""
        more = np.bincount(lengths, minlength=len(self.counted))
        more[: len(self.counted)] += self.counted
        self.counted = more

    @property
    def samples(self) -> int:
        """How many there are."""
        return int(self.counted.sum())

    @property
    def tokens(self) -> int:
        """How many tokens they have in all."""
        return int((self.counted * np.arange(len(self.counted))).sum())


def check_some_fit(count: int, max_length: int) -> None:
    """Refuse data of which no sample is short enough.

    Raises:
        DataError: there are none.
    """
    if not count:
        raise DataError(
            f"every sample is longer than max_length {max_length} tokens; raise it or set too_long: truncate"
        )


def statistics(
    failures: Failures,
    lengths: Lengths,
    held_out: int,
    left_aside: Mapping[str, int],
    names: Sequence[str],
    unread: Counter[str],
    columns: Unread,
    folder: Path,
    **more: Any,
) -> dict[str, Any]:
    """Return what there is to say of prepared data, and write it beside them.

    Args:
        failures: of the rows.
        lengths: of the training samples.
        held_out: how many samples are.
        left_aside: how many samples are not used, by reason.
        names: of the sources.
        unread: how many rows have media that are not read, by kind.
        columns: that nothing reads, by source.
        folder: of the artifact; its media are there already.
        more: what only one way to prepare has to say.
    """
    found: dict[str, Any] = {
        "rows": failures.seen,
        "quarantined": failures.bad,
        "train_samples": lengths.samples,
        "held_out_samples": held_out,
        "tokens": lengths.tokens,
        "learned_share": round(lengths.learned / lengths.tokens, 4),
        "tokens_per_sample": quantiles(lengths.counted),
        "length_histogram": histogram(lengths.counted),
        "left_aside": dict(left_aside),
        "sources": list(names),
        **more,
    }
    if columns:
        # Plain, since a manifest is copied by dataclasses.asdict, which makes other counts of a Counter.
        found["columns_not_read"] = {source: dict(counted) for source, counted in columns.items()}
    if unread:
        found["media_not_read"] = dict(sorted(unread.items()))
    if media := media_statistics(folder):
        found["media"] = media
    write_json(folder / STATISTICS, found)
    return found
