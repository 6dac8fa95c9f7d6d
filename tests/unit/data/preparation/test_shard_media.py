"""Media of several shards become one file: each content once, numbers of what is used alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from manus.data.media.files import MediaFiles
from manus.data.media.store import MediaWriter
from manus.data.preparation.shard_media import UNUSED, ShardMedia, with_kept_numbers
from manus.data.preparation.shards import Shard, Task, Told
from manus.data.prepared.media_numbers import MediaNumbers, NumbersWritten
from manus.data.sample import Sample
from tests.unit.data.media.corpus import encoded, noise


def shard(folder: Path, number: int, pictures: list[int]) -> Shard:
    """Return a shard with a training sample for each picture."""
    task = Task(number, 0, 0, 0, 1)
    place = folder / task.name
    place.mkdir()
    writer, written = MediaWriter(place), NumbersWritten()
    for picture in pictures:
        media = writer.add({"kind": "image", "bytes": encoded(noise(8, 8, picture), "PNG")}, folder)
        written.add({"media": media}, [None])
    writer.finish()
    written.write(place)
    return Shard(task, place, Told(media=len(set(pictures))))


def test_what_is_used_is_kept_once_and_found_by_its_new_number(tmp_path: Path) -> None:
    shards = [shard(tmp_path, 0, [1, 2, 3]), shard(tmp_path, 1, [3, 4, 5])]
    media = ShardMedia(shards)
    held_out: Sample = {"messages": [], "media": [{"kind": "image", "number": 2}]}  # picture 5
    held_out = media.numbered(1, held_out)
    media.add(0, np.array([0, 2]), np.array([True, True]))  # pictures 1 and 3 train
    media.add(1, np.array([0, 1]), np.array([True, False]))  # 3 trains, 4 is in no epoch
    out = tmp_path / "out"
    out.mkdir()
    renamed = media.finish(out)
    files, numbers = MediaFiles(out), MediaNumbers(out)
    assert renamed.tolist() == [0, UNUSED, 1, 1, UNUSED, 2] and len(files) == 3
    assert [np.asarray(files.image(n)).tobytes() for n in range(3)] == [
        noise(8, 8, n).tobytes() for n in (1, 3, 5)
    ]
    assert [numbers.of(n) for n in range(4)] == [[0], [1], [1], [UNUSED]]
    (kept,) = with_kept_numbers([held_out], renamed)
    assert kept["media"][0]["number"] == 2 and files.name(2).startswith("image of")


def test_without_media_nothing_is_written(tmp_path: Path) -> None:
    media = ShardMedia([Shard(Task(0, 0, 0, 0, 1), tmp_path, Told())])
    media.add(0, np.array([0]), np.array([True]))
    assert len(media) == 0 and not len(media.finish(tmp_path)) and not list(tmp_path.iterdir())
