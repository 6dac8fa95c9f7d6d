"""Says texts: a language model reads them, a talker says their words, a codec makes sound of that.

A text is said sentence by sentence, each by itself, as the talker learned it; what is said of a text depends
on it and the voice alone. Knows nothing of conversations.

Shape suffixes: B sentences side by side, K codebooks, F frames, S samples.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from manus.errors import InputError, ModelError, did_you_mean
from manus.files import sha256_of
from manus.models.speech.codecs import SpeechCodec, codec_of, load_codec
from manus.models.speech.names import FACTS, SPEECH, WEIGHTS, speaks
from manus.models.speech.storing import StoredTalker, codec_folder, load_talker
from manus.models.speech.streaming import StreamedDecoding
from manus.models.speech.talker import Talker
from manus.models.speech.words import WordReader, split_words, words_batch

Waves = npt.NDArray[np.float32]
SENTENCES_AT_ONCE = 16
LONGEST_SENTENCE_WORDS = 30  # longer ones are cut, at a comma where there is one
SECONDS_A_WORD, MORE_SECONDS = 1.2, 1.0  # no sentence lasts longer
PAUSE_SECONDS = 0.15  # between sentences, beside the silence that the talker makes
PIECE_SECONDS = 0.25  # of sound that is given out at once while it is made
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|(?<=[.!?…][\"”')\]])\s+|\n+")
_PAUSE = re.compile(r"(?<=[,;:–—])\s+")


@dataclass(frozen=True, eq=False)
class Voice:
    """A model that speaks; `identity` tells it from all that would say the same text otherwise."""

    reader: WordReader
    stored: StoredTalker
    codec: SpeechCodec
    identity: str

    @classmethod
    def of(cls, folder: Path) -> Voice:
        """Load a model that speaks from its folder.

        Raises:
            ModelError: it does not speak, or cannot be loaded.
        """
        from manus.models.loading.composition import load_model
        from manus.models.loading.precision import device, held_dtype, precision_of
        from manus.models.tokenizer import load_tokenizer

        if not speaks(folder):
            raise ModelError(
                f"{folder} does not speak: no stage of its recipe trained a talker (`- podcast`)"
            )
        model = load_model(folder, held_dtype(precision_of("auto")), device()).eval()
        return cls.beside(folder, model, load_tokenizer(folder))

    @classmethod
    def beside(cls, folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Voice:
        """Load what makes a loaded model speak, from the model's folder.

        Raises:
            ModelError: it is missing or damaged.
        """
        speech = folder / SPEECH
        codec = codec_folder(speech)
        files = [speech / WEIGHTS, speech / FACTS, *sorted(folder.glob("*.safetensors"))]
        digest = hashlib.sha256("".join(map(sha256_of, files)).encode()).hexdigest()
        return cls.made(model, tokenizer, load_talker(speech), load_codec(codec), digest)

    @classmethod
    def made(
        cls,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        stored: StoredTalker,
        codec: PreTrainedModel,
        identity: str = "",
    ) -> Voice:
        """Return a voice of parts in memory; the talker goes where the model is."""
        from manus.models.senses.projectors import language_model_of

        stored.talker.eval().to(model.device)
        reader = WordReader(language_model_of(model), tokenizer)
        if reader.text_size != stored.talker.config.text_size:
            raise ModelError(
                f"the talker reads {stored.talker.config.text_size} numbers of a word, and "
                f"{type(model).__name__} gives {reader.text_size}: it was trained beside another model"
            )
        return cls(reader, stored, codec_of(codec), identity)

    @property
    def talker(self) -> Talker:
        """What says the words."""
        return self.stored.talker

    @property
    def voices(self) -> tuple[str, ...]:
        """The names of the voices."""
        return self.stored.voices

    @property
    def sample_rate(self) -> int:
        """Samples a second."""
        return self.codec.sample_rate

    def number_of(self, voice: str) -> int:
        """Return a voice's number.

        Raises:
            InputError: there is none of this name.
        """
        if voice not in self.voices:
            raise InputError(f"no voice is called {voice!r}; {did_you_mean(voice, self.voices)}")
        return self.voices.index(voice)

    def speak(self, text: str, voice: str) -> Waves:
        """Return a text as a voice says it: mono, float32 [S].

        Raises:
            InputError: no voice has this name, or the text has no word.
        """
        return np.concatenate(list(self.stream(text, voice)))

    def stream(self, text: str, voice: str) -> Iterator[Waves]:
        """Yield a text as a voice says it, bit by bit while it is made; see `speak`."""
        number, said = self.number_of(voice), sentences(text)
        if not said:
            raise InputError(f"{text!r} has no word that could be said")
        pause = np.zeros(round(PAUSE_SECONDS * self.sample_rate), dtype=np.float32)
        for place, sentence in enumerate(said):
            if place:
                yield pause
            yield from self._streamed(sentence, number)

    def _streamed(self, sentence: str, number: int) -> Iterator[Waves]:
        decoding, waiting = StreamedDecoding(self.codec), list[Tensor]()
        enough = max(1, round(PIECE_SECONDS * self.codec.frames_per_second))
        for codes_BK, _ in self._frames([sentence], [number], self._read([sentence])):
            waiting.append(codes_BK[0])
            if len(waiting) == enough:
                yield _array(decoding.add(torch.stack(waiting, 1).cpu()))
                waiting = []
        last = [decoding.add(torch.stack(waiting, 1).cpu())] if waiting else []
        yield _array(torch.cat([*last, decoding.end()]))

    def say(self, texts: Sequence[str], voices: Sequence[str], is_cut_off: bool = False) -> list[Tensor]:
        """Return short texts as voices say them, several side by side: [S] each.

        Args:
            texts: of one sentence each.
            voices: by name, one for each text.
            is_cut_off: hide the words from the talker, all but how many there are.
        """
        said: list[Tensor] = []
        for begin in range(0, len(texts), SENTENCES_AT_ONCE):
            part = texts[begin : begin + SENTENCES_AT_ONCE]
            numbers = [self.number_of(name) for name in voices[begin : begin + SENTENCES_AT_ONCE]]
            words = self._read(part)
            if is_cut_off:
                words |= {name: torch.zeros_like(words[name]) for name in ("letters", "states")}
            frames = list(self._frames(part, numbers, words))
            codes_BKF = torch.stack([codes_BK for codes_BK, _ in frames], 2).cpu()
            lengths = torch.stack([is_speaking_B for _, is_speaking_B in frames]).sum(0).tolist()
            said += [
                self.codec.decode(codes_KF[:, :length])
                for codes_KF, length in zip(codes_BKF, lengths, strict=True)
            ]
        return said

    def _read(self, texts: Sequence[str]) -> dict[str, Tensor]:
        device = self.talker.norm.weight.device
        batch = words_batch(texts, self.reader.read(texts))
        return {name: value.to(device) for name, value in batch.items()}

    def _frames(
        self, texts: Sequence[str], numbers: Sequence[int], words: dict[str, Tensor]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        longest = max(len(split_words(text)) for text in texts)
        most = math.ceil((SECONDS_A_WORD * longest + MORE_SECONDS) * self.codec.frames_per_second)
        voice_B = torch.tensor(list(numbers), device=self.talker.norm.weight.device)
        return self.talker.speak(words, voice_B, most)


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, in order; long ones are cut, those without a word left out."""
    found: list[str] = []
    for sentence in _SENTENCE.split(text):
        parts = _PAUSE.split(sentence) if len(split_words(sentence)) > LONGEST_SENTENCE_WORDS else [sentence]
        for part in parts:
            words = split_words(part)
            for begin in range(0, len(words), LONGEST_SENTENCE_WORDS):
                found.append(" ".join(words[begin : begin + LONGEST_SENTENCE_WORDS]))
    return found


def _array(waves_S: Tensor) -> Waves:
    return np.asarray(waves_S.cpu().numpy(), dtype=np.float32)
