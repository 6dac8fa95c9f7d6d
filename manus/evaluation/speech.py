"""Measures speech: held-out sentences are said, and read back by a speech recogniser. Knows no recipes.

The recogniser is not the model's own ear. A sentence is understood where the word error rate of what is read
back is low enough. It is said again with the text cut off, and with another sentence in its place: then hardly
one can be understood, if what is said follows the text.
"""

from __future__ import annotations

import base64
import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch import Tensor

from manus.data.media.encoding import SoundWriter
from manus.data.media.sound import RATE_HERTZ, Resampler
from manus.data.sample import Sample
from manus.evaluation.ablations import DEFAULT_MOST_SAMPLES, compared, drawn
from manus.evaluation.intervals import wilson
from manus.evaluation.probes import Probe
from manus.guards.clock import CLOCK
from manus.guards.progress import progress
from manus.guards.run import RUN
from manus.models.speech.recogniser import Recogniser
from manus.models.speech.voice import Voice

AT_ONCE = 8
SOUNDS_KEPT = 6  # of what is said in a measurement, to be listened to
KEPT_BITS_A_SECOND = 24_000
CUT_OFF, SWAPPED = "text cut off", "text swapped"


@dataclass(frozen=True, slots=True)
class Reading:
    """Has sentences said, and reads them back."""

    voice: Voice
    recogniser: Recogniser

    def back(
        self, texts: Sequence[str], voices: Sequence[str], title: str, is_cut_off: bool = False
    ) -> tuple[list[str], list[Tensor]]:
        """Return what was read back of texts said in voices, and the sounds at 16 kHz [S].

        Raises:
            Interrupted: a signal came.
        """
        read: list[str] = []
        heard: list[Tensor] = []
        with progress(f"say {title}", len(texts), "sentences") as advance:
            for begin in range(0, len(texts), AT_ONCE):
                RUN.cross(f"measuring {title}")
                part = slice(begin, begin + AT_ONCE)
                said = self.voice.say(texts[part], voices[part], is_cut_off)
                sounds = [_resampled(waves_S, self.voice.sample_rate) for waves_S in said]
                longest = round(self.recogniser.seconds * RATE_HERTZ)
                read += self.recogniser.transcribe([sound_S[:longest] for sound_S in sounds])
                heard += sounds
                advance(len(read))
        return read, heard


def measure_speech(probe: Probe, reading: Reading, title: str) -> dict[str, Any]:
    """Return how many held-out sentences are understood, with an interval, and what was read back of each.

    `parts` hold the word error rate of all and of each voice; `levels` the voices. A few sounds are kept.

    Raises:
        Interrupted: a signal came.
    """
    started, samples = CLOCK.now(), probe.usable
    read, heard = reading.back([_text(one) for one in samples], [_speaker(one) for one in samples], title)
    result = _scored(probe, samples, read)
    for said, sound_S in zip(result["said"][:SOUNDS_KEPT], heard, strict=False):
        said["sound"] = data_uri(sound_S)
    return {**result, "samples": len(samples), "seconds": round(CLOCK.now() - started, 1)}


def measure_cut_off(probe: Probe, reading: Reading, whole: dict[str, Any], seed: int = 0) -> dict[str, Any]:
    """Return what is left with the text cut off, and with another sentence said in its place."""
    usable = probe.usable
    chosen = drawn(len(usable), DEFAULT_MOST_SAMPLES, seed)
    samples, values = [usable[index] for index in chosen], [whole["values"][index] for index in chosen]
    texts, voices = [_text(sample) for sample in samples], [_speaker(sample) for sample in samples]
    results: dict[str, Any] = {}
    for name in (CUT_OFF, SWAPPED):
        said = texts if name == CUT_OFF else [_another(texts, index) for index in range(len(texts))]
        if None in said:  # all are the same
            continue
        read, _ = reading.back(
            [str(text) for text in said], voices, f"{probe.stage}: {name}", name == CUT_OFF
        )
        results[name] = compared(samples, values, _scored(probe, samples, read), "")
    return results


def _another(texts: Sequence[str], place: int) -> str | None:
    """Return the text that shares the fewest words with one, None where all are the same."""
    own = set(texts[place].lower().split())
    others = [text for text in texts if text != texts[place]]
    return min(others, key=lambda text: len(own & set(text.lower().split())), default=None)


def _scored(probe: Probe, samples: Sequence[Sample], read: Sequence[str]) -> dict[str, Any]:
    scores = [probe.verifier(sample, text) for sample, text in zip(samples, read, strict=True)]
    right = sum(score.correct for score in scores)
    low, high = wilson(right, len(scores))
    rates, levels = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    for sample, score in zip(samples, scores, strict=True):
        for name in ("wer", f"wer {_speaker(sample)}"):
            rates[name].append(score.parts["wer"])
        levels[_speaker(sample)].append(float(score.correct))
    return {
        "value": right / len(scores) if scores else 0.0,
        "low": low,
        "high": high,
        "parts": {name: fmean(values) for name, values in sorted(rates.items())},
        "levels": {name: {"value": fmean(v), "samples": len(v)} for name, v in sorted(levels.items())},
        "values": [float(score.correct) for score in scores],
        "said": [{"text": text, "note": score.note} for text, score in zip(read, scores, strict=True)],
    }


def _text(sample: Sample) -> str:
    return sample["messages"][0]["content"]


def _speaker(sample: Sample) -> str:
    return sample["speaker"]


def _resampled(waves_S: Tensor, rate: int) -> Tensor:
    if rate == RATE_HERTZ:
        return waves_S
    resampler = Resampler(rate)
    samples = waves_S.numpy().astype(np.float32)
    return torch.from_numpy(np.concatenate([resampler.add(samples), resampler.end()]))


def data_uri(sound_S: Tensor) -> str:
    """Return a sound at 16 kHz as a small Opus file in a data URI."""
    stream = io.BytesIO()
    writer = SoundWriter(stream, "opus", RATE_HERTZ, KEPT_BITS_A_SECOND)
    writer.add(sound_S.numpy())
    writer.end()
    return f"data:audio/ogg;base64,{base64.b64encode(stream.getvalue()).decode()}"
