"""Makes what a talker learns from: the codes of a stage's sounds, and where words begin in them."""

from __future__ import annotations

import json
import math
from typing import Any

from manus.jobs.job import Job
from manus.models.loading.imports import import_libraries

LEAST_SECONDS = 2.0


def build(job: Job) -> dict[str, Any]:
    """Align and code the sounds of a stage. Return what its manifest says was measured."""
    import_libraries()
    from manus.data.media.files import MediaFiles
    from manus.data.prepared.samples import SPEECH, read_arrow
    from manus.models.speech.codecs import codec_of, load_codec
    from manus.models.speech.coded import Coder, write_coded
    from manus.models.speech.recogniser import WINDOW_SECONDS, Recogniser

    stage, data = job.stage, job.folder(f"data/{job.artifact.name}")
    assert stage.voice is not None, "it is only planned where a stage speaks"
    samples = [json.loads(sample) for sample in read_arrow(data, SPEECH)["sample"]]
    files = MediaFiles(data)
    longest = max(files.facts(sample["media"][0]["number"])["seconds"] for sample in samples)
    window = min(WINDOW_SECONDS, max(LEAST_SECONDS, float(math.ceil(longest))))
    codec = codec_of(load_codec(job.codec))
    coder = Coder(codec, Recogniser.of(job.recogniser, window), stage.voice.frame_shifts)
    return write_coded(samples, files, coder, job.work, job.staging, stage.data.failure_budget)
