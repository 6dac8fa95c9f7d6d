"""Samples are grouped by the kinds of their media, whichever way they lie on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from manus.data.media.files import ENTRY, KINDS, MEDIA_TABLE
from manus.data.prepared.media_numbers import MediaNumbers, NumbersWritten, write_numbers
from manus.data.prepared.samples import PreparedSamples, write_tokens
from manus.data.prepared.senses import by_senses
from manus.data.sample import Sample, Tokens

MEDIA = [[], [0], [1, 0], [], [2], [0, 2]]  # of each sample; an image, a video and a sound


def test_samples_with_the_same_senses_are_one_group(tmp_path: Path) -> None:
    table = np.zeros(3, dtype=ENTRY)
    table["kind"] = [KINDS.index("image"), KINDS.index("video"), KINDS.index("audio")]
    np.save(tmp_path / MEDIA_TABLE, table)
    write_tokens(tmp_path, (Tokens([1], [True]) for _ in MEDIA))
    written = NumbersWritten()
    for numbers in MEDIA:
        sample: Sample = {"media": [{"kind": "image", "number": number} for number in numbers]}
        written.add(sample, [None])
    written.write(tmp_path)
    samples = PreparedSamples(tmp_path)
    assert [samples.media_of(place) for place in range(6)] == MEDIA
    found = {senses: places.tolist() for senses, places in by_senses(samples, tmp_path).items()}
    assert found == {
        (): [0, 3],
        ("audio",): [4],
        ("audio", "image"): [5],
        ("image",): [1],
        ("image", "video"): [2],
    }
    assert next(iter(found)) == ()


def test_without_media_there_are_no_files(tmp_path: Path) -> None:
    write_numbers(tmp_path, np.zeros(3, dtype=np.int64), np.zeros(0, dtype=np.int32))
    assert not list(tmp_path.iterdir())
    assert MediaNumbers(tmp_path).of(1) == [] and MediaNumbers(tmp_path).kinds(3, np.array([1])).tolist() == [
        0,
        0,
        0,
    ]
