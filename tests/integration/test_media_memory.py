"""Memory does not grow with the media of a stage: it is that of one picture, however many there are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from tests.unit.data.media import corpus

PICTURES, SIDE, ROWS_IN_GROUP = 240, 700, 20
MEGABYTES_OF_ROOM = 100  # the pictures are more than three times this

PREPARE = """
import json, resource, sys
from pathlib import Path
from manus.data.media.files import MediaFiles
from manus.data.forms.media import as_media_messages
from manus.data.preparation.choosing import prepare
from manus.data.settings import DataSettings, Source
from tests.unit.data.preparation.test_media_intake import FakeLayout, marked

class Small(FakeLayout):
    def expanded(self, text, facts):
        return text  # a token a picture

def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

folder, source = Path(sys.argv[1]), sys.argv[2]
words, out = marked(), folder / "out"
out.mkdir()
from PIL import Image  # what is imported once is no part of what grows
import pyarrow.parquet
Image.init()
before = peak()
settings = DataSettings(held_out=10, max_length=10_000)
told = prepare([Source(path=source)], settings, as_media_messages, "messages", words, folder, 0, out, folder / "work", Small())
files = MediaFiles(out)
for number in range(len(files)):
    files.image(number)
print(json.dumps({"grown": peak() - before, "media": told["media"]["image"]}))
"""

# Decodes the pictures at full size in two processes, and takes its time with what they send.
DECODE = """
import json, resource, sys, time
from pathlib import Path
import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader
from manus.data.media.files import MediaFiles
from manus.training.batches.beside import Beside, Copied

class Pictures(torch.utils.data.Dataset):
    def __init__(self, folder):
        self.files = MediaFiles(folder)
    def __len__(self):
        return len(self.files)
    def __getitem__(self, number):
        return Copied(pixels=torch.from_numpy(np.asarray(self.files.image(number), dtype=np.float32)))

def peak(who) -> float:
    return resource.getrusage(who).ru_maxrss / 1024

Image.init()
pictures = Pictures(Path(sys.argv[1]) / "out")
before, sent = peak(resource.RUSAGE_SELF), 0
for one in DataLoader(pictures, batch_size=None, collate_fn=lambda one: one, **Beside(2, 2).options):
    sent += one["pixels"].nbytes
    time.sleep(0.02)
grown = [peak(who) - before for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(json.dumps({"grown": grown, "sent": sent}))
"""


@pytest.mark.parametrize("form", [pytest.param("folder", marks=pytest.mark.exhaustive), "parquet"])
def test_memory_is_flat_over_a_folder_and_over_bytes_in_parquet(form: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    values = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    rows = []
    for n in range(PICTURES):
        path = data / f"{n}.bmp"
        Image.fromarray(np.roll(values, 11 * n, axis=1)).save(path)
        rows.append({"file_name": path.name, "text": f"picture {n}"})
    size = sum(path.stat().st_size for path in data.iterdir())
    if form == "folder":
        (data / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        with parquet.ParquetWriter(tmp_path / "rows.parquet", SCHEMA) as writer:
            for begin in range(0, PICTURES, ROWS_IN_GROUP):
                some = [
                    {"image": {"bytes": (data / row["file_name"]).read_bytes()}, "text": row["text"]}
                    for row in rows[begin : begin + ROWS_IN_GROUP]
                ]
                writer.write_table(pyarrow.Table.from_pylist(some, schema=SCHEMA))
    source = data if form == "folder" else tmp_path / "rows.parquet"
    told = told_by(PREPARE, tmp_path, source)
    assert told["media"]["bytes"] == size > 3 * MEGABYTES_OF_ROOM * 1_000_000
    assert told["grown"] < MEGABYTES_OF_ROOM, told
    told = told_by(DECODE, tmp_path)
    assert told["sent"] > 12 * MEGABYTES_OF_ROOM * 1_000_000
    assert max(told["grown"]) < MEGABYTES_OF_ROOM, told


def told_by(script: str, *arguments: Path) -> dict[str, Any]:
    """Run a script in a process of its own; return what it says last."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    result = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


# Prepares the parts of one long video, and decodes the frames of each.
CLIPS = """
import json, resource, sys, time
from pathlib import Path
from manus.data.media.files import MediaFiles
from manus.data.forms.media import as_media_messages
from manus.data.media.video import measure_video
from manus.data.preparation.choosing import prepare
from manus.data.settings import DataSettings, Source
from tests.unit.data.preparation.test_media_intake import FakeLayout, marked

def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

folder, source = Path(sys.argv[1]), sys.argv[2]
words, out = marked(), folder / "out"
out.mkdir()
with (folder / "short.mp4").open("rb") as short:  # what decoders take once
    measure_video(short, (folder / "short.mp4").stat().st_size, "short")
before = peak()
settings = DataSettings(held_out=4, max_length=10_000, clip_seconds=20)
told = prepare([Source(path=source)], settings, as_media_messages, "messages", words, folder, 0, out, folder / "work", FakeLayout())
files, shown = MediaFiles(out), 0
for number in range(len(files)):
    for time in range(int(files.facts(number)["seconds"])):
        shown += files.frames(number, [float(time)]).nbytes
print(json.dumps({"grown": peak() - before, "media": told["media"]["video"], "shown": shown}))
"""


def test_memory_is_flat_over_the_clips_of_a_long_video(tmp_path: Path) -> None:
    seconds = 400
    corpus.video(tmp_path / "short.mp4", 3, size=(1280, 720))
    corpus.video(tmp_path / "long.mp4", seconds, 1, size=(1280, 720))
    segments = [
        {"start": begin, "end": begin + 10, "text": f"from {begin}"} for begin in range(0, seconds, 10)
    ]
    (tmp_path / "rows.jsonl").write_text(json.dumps({"video": "long.mp4", "segments": segments}) + "\n")
    told = told_by(CLIPS, tmp_path, tmp_path / "rows.jsonl")
    assert told["media"]["files"] == 1 and told["media"]["count"] == 20
    assert told["media"]["total_seconds"] == seconds
    assert told["shown"] > 3 * MEGABYTES_OF_ROOM * 1_000_000
    assert told["grown"] < MEGABYTES_OF_ROOM, told


SCHEMA = pyarrow.schema(
    [("image", pyarrow.struct([("bytes", pyarrow.binary())])), ("text", pyarrow.string())]
)
