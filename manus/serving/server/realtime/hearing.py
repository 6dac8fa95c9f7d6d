"""Incoming sound: from the client's PCM to what the model hears, and when someone speaks (silero VAD).

Knows nothing of sessions. Shapes: S samples at 16 kHz.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from manus.data.media.sound import RATE_HERTZ, Resampler, Waves

CLIENT_HERTZ = 24_000  # the interface's only rate of audio/pcm
FRAME = 512  # samples that the detector looks at
FRAME_MS = FRAME * 1000 / RATE_HERTZ
LONGEST_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Spoken:
    """Someone began to speak, or has stopped; `at_ms` counts from the session's beginning."""

    kind: Literal["started", "stopped"]
    at_ms: int


class SoundBuffer:
    """What was heard since the last commit, and optionally who speaks when.

    A thread may append while another looks at what is there.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()  # for the pieces, and where they begin and end
        self.resampler = Resampler(CLIENT_HERTZ)
        self.pieces: list[Waves] = []
        self.begin = 0  # of the buffer, in samples from the session's beginning
        self.end = 0
        self.detector: Any = None
        self.looked_at = 0  # up to where the detector has looked
        self.silence_ms, self.prefix_ms, self.threshold = 0, 0, 0.0

    def listen(self, threshold: float, silence_ms: int, prefix_ms: int) -> None:
        """Look for speech from now on."""
        self.threshold, self.silence_ms, self.prefix_ms = threshold, silence_ms, prefix_ms
        self.detector = detector(threshold, silence_ms)
        self.looked_at = self.end

    def listen_no_more(self) -> None:
        """Leave it to the client to say when a turn is over."""
        self.detector = None

    @property
    def seconds(self) -> float:
        """How much is in the buffer."""
        return (self.end - self.begin) / RATE_HERTZ

    def append(self, pcm: bytes) -> list[Spoken]:
        """Take in 16-bit little-endian PCM of 24 kHz; return who began to speak or stopped meanwhile.

        Raises:
            ValueError: it is no such PCM, or the buffer is full.
        """
        if not pcm or len(pcm) % 2:
            raise ValueError("audio/pcm has two bytes a sample")
        if self.seconds + len(pcm) / 2 / CLIENT_HERTZ > LONGEST_SECONDS:
            raise ValueError(f"more than {LONGEST_SECONDS:g} s without a commit")
        with self.lock:
            waves_S = self.resampler.add(np.frombuffer(pcm, dtype="<i2"))
            self.pieces.append(waves_S)
            self.end += len(waves_S)
            found = self._spoken() if self.detector is not None else []
            self._forget_silence()
        return found

    @property
    def is_turn(self) -> bool:
        """Whether the buffer holds part of a turn: someone speaks, or the client says when turns are over."""
        return self.detector is None or bool(self.detector.triggered)

    def heard(self) -> Waves:
        """Return what is in the buffer."""
        with self.lock:
            return self._joined()

    def take(self) -> Waves:
        """Return what is in the buffer, and empty it."""
        with self.lock:
            waves_S = self._joined()
            self.pieces, self.begin = [], self.end
        return waves_S

    def _joined(self) -> Waves:
        self.pieces = [np.concatenate(self.pieces)] if self.pieces else []
        return self.pieces[0] if self.pieces else np.zeros(0, np.float32)

    def _spoken(self) -> list[Spoken]:
        found = []
        waves_S = self._joined()
        while self.end - self.looked_at >= FRAME:
            at = self.looked_at - self.begin
            event = self.detector(waves_S[at : at + FRAME])
            self.looked_at += FRAME
            if event is not None:
                kind: Literal["started", "stopped"] = "started" if "start" in event else "stopped"
                found.append(Spoken(kind, round(self.looked_at * 1000 / RATE_HERTZ)))
        return found

    def _forget_silence(self) -> None:
        """Before someone speaks, keep only as much as belongs to the beginning of what is said."""
        if self.detector is None or self.detector.triggered or not self.pieces:
            return
        kept = max(self.end - self.looked_at, round(self.prefix_ms / 1000 * RATE_HERTZ)) + FRAME
        if self.end - self.begin > 2 * kept and not self.detector.temp_end:
            self.pieces = [np.concatenate(self.pieces)[-kept:]]
            self.begin = self.end - kept


def detector(threshold: float, silence_ms: int) -> Any:
    """Return silero's detector of speech; each session has its own, as it remembers what it heard."""
    import torch

    threads = torch.get_num_threads()
    from silero_vad import VADIterator, load_silero_vad

    torch.set_num_threads(threads)  # importing the package sets them to one, for all models of the process
    return VADIterator(load_silero_vad(onnx=True), threshold, RATE_HERTZ, silence_ms)
