"""Speech as a talker learns it, on disk: texts, who says them, codes, how long each word lasts. Trains nothing.

The codes of all clips lie one after the other in one file, read where they are needed: memory does not grow
with them. A clip is coded at several offsets within a frame: where in a frame a word begins is an accident.

Shape suffixes: K codebooks, F frames, S samples.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypedDict

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from manus.data.media.files import MediaFiles
from manus.data.sample import Sample
from manus.errors import DataError
from manus.files import read_jsonl, write_json, write_jsonl
from manus.guards.progress import progress
from manus.guards.run import RUN
from manus.models.speech.codecs import SpeechCodec
from manus.models.speech.examples import durations_of
from manus.models.speech.recogniser import RATE_HERTZ, Recogniser

CODES, CLIPS, FACTS, LEFT_OUT = "codes.int16", "clips.jsonl", "speech.json", "quarantine.jsonl"
EDGE_SECONDS = 0.06  # of silence that is left around speech
SMOOTHED_SECONDS = 0.02
QUIET = 2e-4  # of the loudest moment's power
TOLD_REASONS = 3


class Clip(TypedDict):
    """A text that is said: frames of each offset, and how many of these each word and the end last."""

    text: str
    speaker: str
    frames: list[int]
    durations: list[list[int]]


@dataclass(frozen=True, slots=True)
class Coder:
    """Makes clips of samples: trims them, finds where words begin, and codes them at several offsets."""

    codec: SpeechCodec
    recogniser: Recogniser
    shifts: int

    def clip(self, sample: Sample, files: MediaFiles) -> tuple[Clip, list[Tensor]]:
        """Return a sample's clip, and its codes [K, F] at each offset.

        Raises:
            ValueError: it cannot be aligned with its text, or has too few frames for it.
        """
        number, text = sample["media"][0]["number"], sample["messages"][0]["content"]
        seconds = files.facts(number)["seconds"]
        if seconds > self.recogniser.seconds:
            raise ValueError(
                f"{seconds:.1f} seconds are more than the {self.recogniser.seconds:g} that are aligned"
            )
        heard_S = torch.from_numpy(files.audio(number, RATE_HERTZ))
        begin, end = speech_within(heard_S)
        heard_S = heard_S[round(begin * RATE_HERTZ) : round(end * RATE_HERTZ)]
        rate = self.codec.sample_rate
        waves_S = torch.from_numpy(files.audio(number, rate))[round(begin * rate) : round(end * rate)]
        starts = self.recogniser.word_starts(heard_S, text)
        clip: Clip = {"text": text, "speaker": sample["speaker"], "frames": [], "durations": []}
        codes = []
        for shift in range(self.shifts):
            late = round(shift * rate / self.codec.frames_per_second / self.shifts)
            codes_KF = self.codec.encode(F.pad(waves_S, (late, 0)))
            shifted = [0.0, *(start + late / rate for start in starts[1:])]
            clip["durations"].append(durations_of(shifted, codes_KF.shape[1], self.codec.frames_per_second))
            clip["frames"].append(int(codes_KF.shape[1]))
            codes.append(codes_KF)
        return clip, codes


def speech_within(heard_S: Tensor) -> tuple[float, float]:
    """Return between which seconds a sound at 16 kHz is not silent, with a little of what is around."""
    size = round(SMOOTHED_SECONDS * RATE_HERTZ)
    power = F.avg_pool1d((heard_S * heard_S)[None, None], size, 1, padding=size // 2)[0, 0, : len(heard_S)]
    loud = torch.nonzero(power > QUIET * power.max())[:, 0]
    if not len(loud):
        return 0.0, len(heard_S) / RATE_HERTZ
    begin = max(0.0, float(loud[0]) / RATE_HERTZ - EDGE_SECONDS)
    return begin, min(len(heard_S) / RATE_HERTZ, float(loud[-1] + 1) / RATE_HERTZ + EDGE_SECONDS)


def write_coded(
    samples: Sequence[Sample],
    files: MediaFiles,
    coder: Coder,
    work: Path,
    folder: Path,
    failure_budget: float,
) -> dict[str, Any]:
    """Code all samples into a folder; a run that was stopped goes on with the next one.

    Args:
        samples: texts with a speaker and one sound.
        files: those sounds.
        coder: makes clips of them.
        work: where it is written until it is whole.
        folder: where it is put then.
        failure_budget: the share of samples that may be left out.

    Returns:
        The facts of `speech.json`.

    Raises:
        DataError: more cannot be aligned.
        Interrupted: a signal came.
    """
    done, entries = _begun(work, coder.codec.codebooks)
    with (
        (work / CODES).open("ab") as codes,
        (work / CLIPS).open("a", encoding="utf-8") as clips,
        progress("align and code speech", len(samples), "sounds") as advance,
    ):
        for place, sample in enumerate(samples[done:], done + 1):
            RUN.cross("coding speech")
            entries.append(_coded(sample, files, coder, codes, clips))
            advance(place)
    made = [entry for entry in entries if "frames" in entry]
    left_out = [entry for entry in entries if "frames" not in entry]
    _check_budget(left_out, len(samples), failure_budget)
    (work / CODES).replace(folder / CODES)
    write_jsonl(folder / CLIPS, made)
    write_jsonl(folder / LEFT_OUT, left_out)
    facts = {
        "codebooks": coder.codec.codebooks,
        "codebook_size": coder.codec.codebook_size,
        "frames_per_second": coder.codec.frames_per_second,
        "shifts": coder.shifts,
        "voices": sorted({entry["speaker"] for entry in made}),
        "clips": len(made),
        "left_out": len(left_out),
        "seconds": round(sum(entry["frames"][0] for entry in made) / coder.codec.frames_per_second, 1),
    }
    write_json(folder / FACTS, facts)
    (work / CLIPS).unlink()
    return facts


def _begun(work: Path, codebooks: int) -> tuple[int, list[dict[str, Any]]]:
    """Return how many samples an earlier run has dealt with, and how; half-written ends are cut off."""
    clips, codes = work / CLIPS, work / CODES
    if not clips.exists() or not codes.exists():
        clips.unlink(missing_ok=True)
        codes.unlink(missing_ok=True)
        return 0, []
    whole = clips.read_bytes().rpartition(b"\n")[0]
    entries = [json.loads(line) for line in whole.splitlines()]
    width, kept, size = 2 * codebooks, list[dict[str, Any]](), 0
    for entry in entries:
        grown = size + width * sum(entry.get("frames", ()))
        if grown > codes.stat().st_size:
            break
        kept.append(entry)
        size = grown
    os.truncate(codes, size)
    clips.write_text("".join(json.dumps(entry) + "\n" for entry in kept), encoding="utf-8")
    return len(kept), kept


def _coded(
    sample: Sample, files: MediaFiles, coder: Coder, codes: IO[bytes], clips: IO[str]
) -> dict[str, Any]:
    entry: dict[str, Any]
    try:
        clip, coded = coder.clip(sample, files)
        entry = dict(clip)
        for codes_KF in coded:
            codes.write(codes_KF.T.contiguous().numpy().astype("<i2").tobytes())
    except ValueError as error:
        entry = {"reason": str(error), "row": {key: sample[key] for key in ("speaker", "answer")}}  # type: ignore[literal-required]
    codes.flush()
    clips.write(json.dumps(entry) + "\n")
    clips.flush()
    return entry


def _check_budget(left_out: Sequence[dict[str, Any]], count: int, failure_budget: float) -> None:
    if len(left_out) == count:
        raise DataError(f"none of the {count} sounds can be aligned with its text: {left_out[0]['reason']}")
    if len(left_out) > failure_budget * count:
        reasons = Counter(entry["reason"] for entry in left_out).most_common(TOLD_REASONS)
        told = "; ".join(f"{reason} ({times})" for reason, times in reasons)
        raise DataError(
            f"{len(left_out)} of {count} sounds cannot be aligned with their texts, more than "
            f"failure_budget {failure_budget:g} allows: {told}"
        )


class CodedSpeech:
    """Random access to coded clips."""

    def __init__(self, folder: Path) -> None:
        self.facts: dict[str, Any] = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        self.clips: list[Clip] = list(read_jsonl(folder / CLIPS))
        self.codes = np.memmap(folder / CODES, dtype="<i2", mode="r").reshape(-1, self.facts["codebooks"])
        frames = [count for clip in self.clips for count in clip["frames"]]
        self.ends = np.cumsum([0, *frames])

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def shifts(self) -> int:
        """At how many offsets each clip is coded."""
        return int(self.facts["shifts"])

    def codes_of(self, place: int, shift: int) -> Tensor:
        """Return the codes [K, F] of a clip at one offset."""
        at = place * self.shifts + shift
        part = np.array(self.codes[self.ends[at] : self.ends[at + 1]], dtype=np.int64)
        return torch.from_numpy(part.T.copy())

    def texts(self) -> Iterator[str]:
        """Yield the text of each clip."""
        return (clip["text"] for clip in self.clips)
