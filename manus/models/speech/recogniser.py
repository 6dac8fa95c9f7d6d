"""A Whisper model that reads speech back, and says when each word of a known text begins. Knows no talker.

It judges what is said and aligns what is learned from; it is never the ear of the model that is judged.

Shape suffixes: S samples at 16 kHz, B batch, T tokens, D heads, F frames of 20 ms, M mels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AutoTokenizer, WhisperFeatureExtractor, WhisperForConditionalGeneration

from manus.errors import ModelError, blamed_on
from manus.models.encoders.finding import CTRANSLATE2
from manus.models.encoders.packaged_whisper import read_whisper
from manus.models.json_files import read_object
from manus.models.loaders import load_from
from manus.models.speech.alignment import monotonic_starts, snapped
from manus.models.speech.words import word_spans

RATE_HERTZ = 16_000
WINDOW_SECONDS = 30.0
FRAMES_PER_SECOND = 50
AT_ONCE = 8
MULTILINGUAL = 51_865  # entries of a vocabulary, and more: tokens for languages
TOKENS_A_SECOND, MORE_TOKENS = 8, 8  # no speech has more; a recogniser that repeats itself does
LEAST_LIKELY = -2.5  # mean of the log-probabilities of a text's tokens
CONFIGS = ("generation_config.json", "config.json")
Head = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Recogniser:
    """A Whisper model, its tokenizer and what a transcript starts with; `seconds` is its window.

    Use the full window of 30 seconds to judge: with a shorter one Whisper says short sentences twice. A
    shorter one is good enough to align, and faster in proportion.
    """

    model: WhisperForConditionalGeneration
    tokenizer: Tokenizer
    prompt: list[int]
    heads: tuple[Head, ...]
    seconds: float

    @classmethod
    def of(cls, folder: Path, seconds: float = WINDOW_SECONDS) -> Recogniser:
        """Read a folder of transformers, or one of CTranslate2 as packages have it.

        Args:
            folder: with Whisper's weights and its tokenizer.
            seconds: the window, 30 at most.

        Raises:
            ModelError: it holds no Whisper that can be read, or the window is longer.
        """
        if not 0 < seconds <= WINDOW_SECONDS:
            raise ModelError(f"a Whisper hears up to {WINDOW_SECONDS:g} seconds at once, not {seconds:g}")
        if (folder / CTRANSLATE2).is_file():
            model = read_whisper(folder / CTRANSLATE2)
            with blamed_on(f"{folder} has no tokenizer.json that can be read", ModelError):
                tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        else:
            failed = f"{folder} holds no Whisper that can be loaded"
            model = load_from(WhisperForConditionalGeneration, folder, failed, use_safetensors=True)
            tokenizer = load_from(AutoTokenizer, folder, failed).backend_tokenizer
        heads = _alignment_heads(folder, model.config)
        model = model.float().eval().requires_grad_(False)
        model.set_attn_implementation("eager")  # the only one that shows what it attends to
        _shorten(model, seconds)
        return cls(model, tokenizer, _prompt(folder, tokenizer, model.config), heads, seconds)

    def transcribe(self, waves: Sequence[Tensor]) -> list[str]:
        """Return what is said in sounds [S], each within the window: the likeliest words, token by token.

        Raises:
            ValueError: a sound is longer than the window.
        """
        found = []
        for start in range(0, len(waves), AT_ONCE):
            found += self._transcripts(waves[start : start + AT_ONCE])
        return found

    @torch.no_grad()
    def _transcripts(self, waves: Sequence[Tensor]) -> list[str]:
        heard = self._heard(waves)
        seconds = [len(wave_S) / RATE_HERTZ for wave_S in waves]
        most_B = torch.tensor([MORE_TOKENS + round(TOKENS_A_SECOND * each) for each in seconds])
        room = self.model.config.max_target_positions - len(self.prompt)
        end = int(self.model.config.eos_token_id)
        marks = [token for token in self._marks if token != end]
        ids_BT = torch.tensor([self.prompt] * len(waves), device=self.model.device)
        past, said, is_done_B = None, list[Tensor](), torch.zeros(len(waves), dtype=torch.bool)
        for count in range(min(int(most_B.max()), room)):
            out = self.model.model.decoder(
                input_ids=ids_BT, encoder_hidden_states=heard, past_key_values=past, use_cache=True
            )
            past = out.past_key_values
            logits = self.model.proj_out(out.last_hidden_state[:, -1])
            logits[:, [*marks, end] if count == 0 else marks] = -torch.inf
            is_done_B = is_done_B | (count >= most_B)
            chosen_B = logits.argmax(-1).cpu().masked_fill(is_done_B, end)
            is_done_B = is_done_B | (chosen_B == end)
            said.append(chosen_B)
            ids_BT = chosen_B[:, None].to(ids_BT.device)
            if bool(is_done_B.all()):
                break
        rows = torch.stack(said, 1).tolist()
        return [self.tokenizer.decode([token for token in row if token != end]).strip() for row in rows]

    def word_starts(self, wave_S: Tensor, text: str) -> list[float]:
        """Return when each word of a text starts in a sound, and last when speech ends, in seconds.

        The decoder reads the known text; where its alignment heads look is followed forward, and each start
        is moved to the quietest 10 ms nearby. The first word starts at 0.

        Args:
            wave_S: the sound, within the window.
            text: what is said in it.

        Raises:
            ValueError: the sound does not hold this text, or cannot be aligned with it.
        """
        words, tokens = self._tokens(text)
        if not words:
            raise ValueError(f"{text!r} has no word")
        likelihood, attention_DTF = self._attention(wave_S, tokens)
        if likelihood < LEAST_LIKELY:
            raise ValueError(
                f"the sound does not seem to say {text!r}: {likelihood:.2f} nats a token, below {LEAST_LIKELY}"
            )
        if attention_DTF.shape[2] < attention_DTF.shape[1]:
            raise ValueError(f"{len(wave_S) / RATE_HERTZ:.2f} seconds are too short for {text!r}")
        units = [*words, words[-1] + 1]
        frames = monotonic_starts(attention_DTF, units)
        return snapped(wave_S, [frame / FRAMES_PER_SECOND for frame in frames])

    def likelihood(self, wave_S: Tensor, text: str) -> float:
        """Return the mean log-probability of a text's tokens in a sound, in nats."""
        return self._attention(wave_S, self._tokens(text)[1])[0]

    def _tokens(self, text: str) -> tuple[list[int], list[int]]:
        """Return, for each token of a text, the place of its word, and the tokens."""
        words, tokens = list[int](), list[int]()
        for place, (begin, end) in enumerate(word_spans(text)):
            gap = " " if begin == 0 or text[begin - 1].isspace() else ""
            own = self.tokenizer.encode(gap + text[begin:end], add_special_tokens=False).ids
            words += [place] * len(own)
            tokens += own
        return words, tokens

    @torch.no_grad()
    def _attention(self, wave_S: Tensor, tokens: list[int]) -> tuple[float, Tensor]:
        """Return the mean log-probability of tokens, and how much each, and the end, looks at each frame.

        The row that predicts a token is its own, so the last is that of the end.
        """
        prompt, end = self.prompt, int(self.model.config.eos_token_id)
        if len(prompt) + len(tokens) + 1 > self.model.config.max_target_positions:
            raise ValueError(f"a text of {len(tokens)} tokens is too long to be aligned at once")
        ids = torch.tensor([[*prompt, *tokens, end]], device=self.model.device)
        out = self.model.model.decoder(
            input_ids=ids, encoder_hidden_states=self._heard([wave_S]), output_attentions=True
        )
        rows = slice(len(prompt) - 1, -1)
        logits = self.model.proj_out(out.last_hidden_state[0, rows])
        right = ids[0, len(prompt) :]
        chances = logits.log_softmax(-1).gather(1, right[:, None])[:-1]
        frames = max(1, round(len(wave_S) / RATE_HERTZ * FRAMES_PER_SECOND))
        heads = [out.cross_attentions[layer][0, head] for layer, head in self.heads]
        return float(chances.mean()), torch.stack(heads)[:, rows, :frames].float().cpu()

    def _heard(self, waves: Sequence[Tensor]) -> Tensor:
        if longest := next((len(wave) for wave in waves if len(wave) > self.seconds * RATE_HERTZ), None):
            raise ValueError(f"{longest / RATE_HERTZ:.1f} seconds of sound; the window is {self.seconds:g}")
        config = self.model.config
        length = round(self.seconds * RATE_HERTZ)
        prepare = WhisperFeatureExtractor(feature_size=config.num_mel_bins)
        features_BMF = prepare(
            [wave_S.float().cpu().numpy() for wave_S in waves],
            sampling_rate=RATE_HERTZ,
            return_tensors="pt",
            padding="max_length",
            max_length=length,
        ).input_features
        heard: Tensor = self.model.model.encoder(features_BMF.to(self.model.device)).last_hidden_state
        return heard

    @property
    def _marks(self) -> list[int]:
        """The tokens that stand for no text."""
        marks = (token for token, added in self.tokenizer.get_added_tokens_decoder().items() if added.special)
        return [token for token in marks if token < self.model.config.vocab_size]


def _prompt(folder: Path, tokenizer: Tokenizer, config: Any) -> list[int]:
    """Return what a transcript starts with: in a model of many languages, that it is English as it is said."""
    marks = ["<|startoftranscript|>", "<|notimestamps|>"]
    if config.vocab_size >= MULTILINGUAL:
        marks[1:1] = ["<|en|>", "<|transcribe|>"]
    tokens = {mark: tokenizer.token_to_id(mark) for mark in marks}
    if lacking := [mark for mark, token in tokens.items() if token is None]:
        raise ModelError(f"{folder}: the tokenizer is not Whisper's; it lacks {', '.join(lacking)}")
    return [int(token) for token in tokens.values() if token is not None]


def _alignment_heads(folder: Path, config: Any) -> tuple[Head, ...]:
    """Return the heads that follow the words: as the checkpoint says, else all of the decoder's upper half.

    The second is what openai/whisper does with models that it knows no heads of.
    """
    for name in CONFIGS:
        if (folder / name).is_file() and (said := read_object(folder / name).get("alignment_heads")):
            return tuple((int(layer), int(head)) for layer, head in said)
    upper = range(config.decoder_layers // 2, config.decoder_layers)
    return tuple((layer, head) for layer in upper for head in range(config.decoder_attention_heads))


def _shorten(model: WhisperForConditionalGeneration, seconds: float) -> None:
    """Let the encoder hear a shorter window: its first positions are kept."""
    encoder = model.model.encoder
    positions = round(seconds * FRAMES_PER_SECOND)
    if positions >= encoder.config.max_source_positions:
        return
    kept = encoder.embed_positions.weight[:positions].clone()
    encoder.embed_positions.weight = nn.Parameter(kept, requires_grad=False)
    encoder.embed_positions.num_embeddings = positions
    encoder.config.max_source_positions = encoder.max_source_positions = positions
