"""A codec that is fitted in a minute: two frames of log-mel as four codes, one after the other, 31.25 times a second.

Each code says what those above it left over (residual k-means). Sound comes back by `vocoder`: pulses at a
pitch that a small network reads off the quantised mels. It speaks with the voices that it was fitted to.

Shape suffixes: S samples, F frames, K codebooks, V codes of one, C numbers of a frame, M mels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel

from manus.models.speech import pitch, vocoder
from manus.models.speech.codecs import SpeechCodec
from manus.models.speech.spectrum import FFT, HOP, MELS, SAMPLE_RATE, log_mel

MODEL_TYPE = "manus_mel_codec"
STACKED = 2
ROUNDS, MOST_FRAMES, AT_ONCE = 10, 40_000, 8192
PITCH_STEPS, PITCH_BATCH, PITCH_RATE = 900, 512, 2e-3


class MelCodecConfig(PreTrainedConfig):
    """How many codes a frame has, and of how many each is one."""

    model_type = MODEL_TYPE
    codebooks: int = 4
    codebook_size: int = 256
    pitch_width: int = 128


class MelCodec(PreTrainedModel):
    """See the module. What `fit` returns; loaded by AutoModel, too."""

    config_class = MelCodecConfig
    main_input_name = "waves_S"

    def __init__(self, config: MelCodecConfig) -> None:
        super().__init__(config)
        width = STACKED * MELS
        self.pitch = pitch.PitchReader(config.pitch_width)
        self.register_buffer("mean_C", torch.zeros(width))
        self.register_buffer("books_KVC", torch.zeros(config.codebooks, config.codebook_size, width))
        self.register_buffer("noise_S", torch.zeros(vocoder.NOISE_SAMPLES))
        self.post_init()

    @property
    def sample_rate(self) -> int:
        """Samples a second."""
        return SAMPLE_RATE

    @property
    def frames_per_second(self) -> float:
        """31.25."""
        return SAMPLE_RATE / (HOP * STACKED)

    @property
    def codebooks(self) -> int:
        """How many codes a frame has."""
        return int(self.config.codebooks)

    @property
    def codebook_size(self) -> int:
        """Of how many codes each is one."""
        return int(self.config.codebook_size)

    @property
    def left_context_frames(self) -> int:
        """How far the shape of the sound reaches back; the pulses' phase goes on by `decode_after` alone."""
        return FFT // (HOP * STACKED)

    @torch.no_grad()
    def encode(self, waves_S: Tensor) -> Tensor:
        """Return the codes [K, F] of a sound [S]; F is S / 512, rounded to whole frames."""
        left_FC = _stacked(waves_S.float().cpu()) - self.mean_C
        codes = []
        for book_VC in self.books_KVC:
            codes.append(nearest_codes(left_FC, book_VC))
            left_FC = left_FC - book_VC[codes[-1]]
        return torch.stack(codes)

    @torch.no_grad()
    def decode(self, codes_KF: Tensor) -> Tensor:
        """Return the sound [S] of codes: 512 samples a frame."""
        return self.decode_after(codes_KF, None, is_last=True)[0]

    @torch.no_grad()
    def decode_after(self, codes_KF: Tensor, past: Any, is_last: bool) -> tuple[Tensor, Any]:
        """Return the samples that are certain, and what the next call needs: see `ResumableCodec`."""
        kept = vocoder.beginning() if past is None else past
        return vocoder.continued(self.pitch, self.noise_S, self.log_mel(codes_KF), kept, is_last)

    def log_mel(self, codes_KF: Tensor) -> Tensor:
        """Return the mels [2 F, M] that codes stand for."""
        parts = [book_VC[codes_F] for book_VC, codes_F in zip(self.books_KVC, codes_KF.cpu(), strict=True)]
        mels_TM: Tensor = (self.mean_C + sum(parts)).reshape(-1, MELS)
        return mels_TM

    def forward(self, waves_S: Tensor) -> Tensor:
        """Return a sound as it comes back from its codes."""
        return self.decode(self.encode(waves_S))


def codec(model: PreTrainedModel) -> SpeechCodec:
    """Return a loaded MelCodec, which is a codec by itself."""
    assert isinstance(model, MelCodec), f"{type(model).__name__} has the type {MODEL_TYPE}"
    return model


def fit(waves: Sequence[Tensor], seed: int, config: MelCodecConfig | None = None) -> MelCodec:
    """Return a codec fitted to sounds at 16 kHz: the codes by k-means, then the network that reads the pitch.

    Args:
        waves: sounds [S]; some minutes of each voice.
        seed: of all that is drawn.
        config: its sizes.

    Raises:
        ValueError: there are fewer frames than codes of one codebook.
    """
    codec_model = MelCodec(config or MelCodecConfig())
    draw = torch.Generator().manual_seed(seed)
    fit_books(codec_model, waves, draw)
    codec_model.noise_S.copy_(vocoder.drawn_noise(seed))
    for _ in pitch_steps(codec_model, waves, draw):
        pass
    codec_model.eval().requires_grad_(False)
    return codec_model


@torch.no_grad()
def fit_books(codec_model: MelCodec, waves: Sequence[Tensor], draw: torch.Generator) -> None:
    """Fit the codebooks to sounds, each to what those above it leave over."""
    frames_FC = torch.cat([_stacked(wave_S) for wave_S in waves])
    size = codec_model.codebook_size
    if len(frames_FC) < size:
        raise ValueError(f"{len(frames_FC)} frames of sound are too few for {size} codes; give more sound")
    frames_FC = frames_FC[torch.randperm(len(frames_FC), generator=draw)[:MOST_FRAMES]]
    codec_model.mean_C.copy_(frames_FC.mean(0))
    left_FC = frames_FC - codec_model.mean_C
    for place in range(codec_model.codebooks):
        book_VC = _k_means(left_FC, size, draw)
        codec_model.books_KVC[place].copy_(book_VC)
        left_FC = left_FC - book_VC[nearest_codes(left_FC, book_VC)]


def pitch_steps(
    codec_model: MelCodec, waves: Sequence[Tensor], draw: torch.Generator, steps: int = PITCH_STEPS
) -> Iterator[float]:
    """Teach the pitch reader, from the mels of codes, the pitches tracked in sounds; yield each step's loss."""
    seen_TC, class_T = pitch_examples(codec_model, waves)
    reader = codec_model.pitch
    with torch.no_grad():
        for weight in (reader.inner.weight, reader.outer.weight):
            weight.normal_(0, weight.shape[1] ** -0.5, generator=draw)
        for bias in (reader.inner.bias, reader.outer.bias):
            bias.zero_()
    optimizer = torch.optim.AdamW(reader.parameters(), lr=PITCH_RATE)
    for _ in range(steps):
        chosen = torch.randint(len(seen_TC), (PITCH_BATCH,), generator=draw)
        loss = F.cross_entropy(reader(seen_TC[chosen]), class_T[chosen])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        yield loss.item()


@torch.no_grad()
def pitch_examples(codec_model: MelCodec, waves: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return frames of mels as they come back from codes, with their context, and their classes of pitch."""
    seen, classes = [], []
    for wave_S in waves:
        mels_TM = codec_model.log_mel(codec_model.encode(wave_S))
        seen.append(pitch.with_context(mels_TM))
        classes.append(pitch.to_classes(pitch.track(_whole(wave_S)))[: len(mels_TM)])
    return torch.cat(seen), torch.cat(classes)


@torch.no_grad()
def pitch_accuracy(codec_model: MelCodec, waves: Sequence[Tensor]) -> dict[str, float]:
    """Return how often the reader is right of frames: whether they have a pitch, and which, to half a tone."""
    seen_TC, right_T = pitch_examples(codec_model, waves)
    said_T = codec_model.pitch(seen_TC).argmax(1)
    both = (said_T > 0) & (right_T > 0)
    near = (said_T - right_T)[both].abs() <= pitch.AN_OCTAVE / 24
    return {
        "voicing": round(((said_T > 0) == (right_T > 0)).float().mean().item(), 4),
        "within_half_tone": round(near.float().mean().item(), 4) if len(near) else 0.0,
    }


@torch.no_grad()
def round_trip_error(codec_model: MelCodec, waves: Sequence[Tensor]) -> float:
    """Return the root mean square of what the codes leave of log-mels, in natural logarithms of magnitude."""
    left = []
    for wave_S in waves:
        mels_FC = _stacked(wave_S)
        left.append(
            (codec_model.log_mel(codec_model.encode(wave_S)).reshape(mels_FC.shape) - mels_FC).flatten()
        )
    return round(torch.cat(left).pow(2).mean().sqrt().item(), 4)


def nearest_codes(frames_FC: Tensor, book_VC: Tensor) -> Tensor:
    """Return the nearest code of each frame: [F]."""
    lengths_V = book_VC.pow(2).sum(1)
    parts = torch.split(frames_FC, AT_ONCE)
    return torch.cat([(lengths_V - 2 * part @ book_VC.T).argmin(1) for part in parts])


def _stacked(waves_S: Tensor) -> Tensor:
    """Return the mels of a sound, two frames side by side: [F, C]."""
    mels_TM = log_mel(_whole(waves_S))
    return mels_TM[: len(mels_TM) // STACKED * STACKED].reshape(-1, STACKED * MELS)


def _whole(waves_S: Tensor) -> Tensor:
    """Return a sound with silence behind it, so that its last frame is whole."""
    return F.pad(waves_S, (0, -len(waves_S) % (STACKED * HOP)))


def _k_means(frames_FC: Tensor, size: int, draw: torch.Generator) -> Tensor:
    """Return the middles [V, C] of clusters (Lloyd 1982); one that is nobody's nearest moves to some frame."""
    book_VC = frames_FC[torch.randperm(len(frames_FC), generator=draw)[:size]].clone()
    for _ in range(ROUNDS):
        nearest = nearest_codes(frames_FC, book_VC)
        counts_V = torch.bincount(nearest, minlength=size)
        sums_VC = torch.zeros_like(book_VC).index_add_(0, nearest, frames_FC)
        book_VC = sums_VC / counts_V.clamp_min(1)[:, None]
        lost = counts_V == 0
        book_VC[lost] = frames_FC[torch.randint(len(frames_FC), (int(lost.sum()),), generator=draw)]
    return book_VC


AutoConfig.register(MODEL_TYPE, MelCodecConfig, exist_ok=True)
AutoModel.register(MelCodecConfig, MelCodec, exist_ok=True)
