"""Samples that say the same as an earlier one are found, in memory and in parts on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from manus.data.preparation import duplicates


@pytest.mark.parametrize("count", [0, 1, 49, 500])
def test_duplicates_are_marked_whatever_the_parts(
    tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "SAMPLES_IN_PART", 50)
    draw = np.random.default_rng(count)
    digests = draw.integers(0, 2**64, (max(1, count // 3), 2), dtype=np.uint64)[
        draw.integers(0, max(1, count // 3), count)
    ]
    marked = duplicates.duplicates(np.array_split(digests, 7), count, tmp_path).between(0, count)
    seen: set[tuple[int, ...]] = set()
    for digest, is_repeated in zip(digests.tolist(), marked, strict=True):
        assert is_repeated == (tuple(digest) in seen)
        seen.add(tuple(digest))
