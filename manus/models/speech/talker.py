"""A talker: says words, one after the other, in the codes of a codec.

At each frame it sees the word that is being said, the words beside it, how many frames it has lasted, the
frames before and the voice. It predicts the frame's codes, each codebook in sight of those above it, and an
action: stay with the word or go on to the next. The script is consumed in order: no word can be skipped,
none said twice (docs/decisions/0031). Knows no text, no sound and no training loop.

Shape suffixes: B batch, K codebooks, T frames, N words, L letters, S numbers of a word from the language
model, D width, V codes of a codebook.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from manus.models.speech.layers import Block, PastFrames, looking_back, rotation, two_layers
from manus.models.speech.script import Script
from manus.models.speech.word_encoder import WordEncoder

LONGEST_WORD_FRAMES = 64  # longer ones are left: 2 seconds at 31 frames, 5 at 12.5
LABEL_SMOOTHING = 0.05
EMBEDDING_DEVIATION = 0.3
FIRST_SEED = 0


@dataclass(frozen=True)
class TalkerConfig:
    """The sizes of a talker; 2.8 M weights as they stand, with four codebooks of 256.

    `text_size` counts the numbers of a word from the language model, `voices` the speakers there is room
    for, `window` the frames that a layer sees, `history_dropout` the share of earlier frames that are hidden
    while it learns, so that it listens to the words and not to itself alone.
    """

    codebooks: int
    codebook_size: int
    text_size: int
    hidden: int = 192
    layers: int = 3
    heads: int = 4
    voices: int = 64
    window: int = 32
    dropout: float = 0.1
    history_dropout: float = 0.3

    def to_dict(self) -> dict[str, Any]:
        """Return all settings, for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> TalkerConfig:
        """Return the configuration of what `to_dict` gave.

        Raises:
            ValueError: a setting is missing or unknown.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(settings.keys() - known):
            raise ValueError(f"a talker has no setting {', '.join(unknown)}")
        needed = {"codebooks", "codebook_size", "text_size"}
        if missing := sorted(needed - settings.keys()):
            raise ValueError(f"the talker's configuration lacks {', '.join(missing)}")
        return cls(**settings)


@dataclass(frozen=True)
class TalkerLosses:
    """What a batch costs, in nats: all in one, each codebook's codes a frame, the action a frame."""

    loss: Tensor
    codes_K: Tensor
    action: Tensor


class Talker(nn.Module):
    """See the module."""

    def __init__(self, config: TalkerConfig) -> None:
        super().__init__()
        width, books, size = config.hidden, config.codebooks, config.codebook_size
        if width % config.heads or (width // config.heads) % 2:
            raise ValueError(f"hidden {width} does not split into {config.heads} heads of even width")
        self.config = config
        with torch.random.fork_rng(devices=[]):  # nobody else's draws change
            self.words = WordEncoder(width, config.text_size)
            self.around = nn.Linear(3 * width, width, bias=False)
            self.voice = nn.Embedding(config.voices, width)
            self.since = nn.Embedding(LONGEST_WORD_FRAMES, width)
            self.heard = nn.ModuleList(
                nn.Embedding(size + 1, width) for _ in range(books)
            )  # the last: no code
            self.blocks = nn.ModuleList(
                Block(width, config.heads, config.dropout) for _ in range(config.layers)
            )
            self.norm = nn.LayerNorm(width)
            self.said = nn.ModuleList(nn.Embedding(size, width) for _ in range(books))
            self.codes = nn.ModuleList(two_layers(width, size) for _ in range(books))
            self.action = two_layers(width, 1)
        self.reset_parameters(FIRST_SEED)

    def reset_parameters(self, seed: int) -> None:
        """Draw all weights anew; the same seed draws the same."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for module in self.modules():
                if isinstance(module, nn.Linear | nn.Conv1d | nn.LayerNorm | nn.Embedding):
                    module.reset_parameters()
            for table in (self.voice, self.since, *self.said, *self.heard):
                nn.init.normal_(table.get_parameter("weight"), std=EMBEDDING_DEVIATION)
            with torch.no_grad():
                for table in self.heard:  # they are summed
                    table.get_parameter("weight").div_(1 + self.config.codebooks)

    # Learning

    def forward(self, batch: Mapping[str, Tensor]) -> TalkerLosses:
        """Return the losses of a batch of `examples.collate`, each frame in sight of the true ones before it."""
        codes_BKT, is_frame_BT = batch["codes"], batch["is_frame"]
        frames_BTD = self._frames(batch)
        losses = []
        for table, head, codes_BT in zip(self.said, self.codes, codes_BKT.unbind(1), strict=True):
            logits = head(frames_BTD)[is_frame_BT]
            losses.append(F.cross_entropy(logits, codes_BT[is_frame_BT], label_smoothing=LABEL_SMOOTHING))
            frames_BTD = frames_BTD + table(codes_BT)
        goes_on = self.action(frames_BTD)[..., 0][is_frame_BT]
        action = F.binary_cross_entropy_with_logits(goes_on, batch["goes_on"][is_frame_BT].to(goes_on.dtype))
        codes_K = torch.stack(losses)
        return TalkerLosses(codes_K.mean() + action, codes_K.detach(), action.detach())

    def _frames(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Return what the layers make of all frames of a batch at once: [B, T, D]."""
        words_BND = self.words(batch["letters"], batch.get("states"), batch["is_word"])
        script_BND = self.around(_beside(words_BND))
        word_BTD = script_BND.gather(1, batch["word"][..., None].expand(-1, -1, self.config.hidden))
        none = self.config.codebook_size
        before_BKT = F.pad(batch["codes"][:, :, :-1], (1, 0), value=none)
        if self.training and self.config.history_dropout:
            hidden_B1T = torch.rand(before_BKT[:, :1].shape, device=before_BKT.device)
            before_BKT = before_BKT.masked_fill(hidden_B1T < self.config.history_dropout, none)
        inputs = self._inputs(before_BKT, word_BTD, batch["since"], batch["voice"])
        length = inputs.shape[1]
        mask_TT = looking_back(length, self.config.window, inputs.device)
        return self._layers(inputs, torch.arange(length, device=inputs.device), mask_TT, None)

    def _inputs(self, before_BKT: Tensor, word_BTD: Tensor, since_BT: Tensor, voice_B: Tensor) -> Tensor:
        heard = sum(table(codes_BT) for table, codes_BT in zip(self.heard, before_BKT.unbind(1), strict=True))
        lasted = self.since(since_BT.clamp(max=LONGEST_WORD_FRAMES - 1))
        inputs: Tensor = heard + word_BTD + lasted + self.voice(voice_B)[:, None]
        return inputs

    def _layers(
        self, frames_BTD: Tensor, places_T: Tensor, mask_TT: Tensor | None, past: list[PastFrames] | None
    ) -> Tensor:
        turns = rotation(places_T, self.config.hidden // self.config.heads)
        for index, block in enumerate(self.blocks):
            kept = None if past is None else past[index]
            frames_BTD = block(frames_BTD, turns, mask_TT, kept, self.config.window)
        frames: Tensor = self.norm(frames_BTD)
        return frames

    # Speaking

    @torch.no_grad()
    def speak(
        self, words: Mapping[str, Tensor], voice_B: Tensor, most_frames: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield frame after frame of what is said: codes [B, K], and whose rows still speak [B].

        The likeliest codes are taken. It goes on to the next word where the chance of still being in this
        one has fallen below one half, which is the median of how long it should last. Call `eval()` before.

        Args:
            words: of `words.words_batch`.
            voice_B: whose voice each row has.
            most_frames: where to stop, whatever is left to be said.
        """
        vectors_BND = self.words(words["letters"], words.get("states"), words["is_word"])
        script = Script(self.around(_beside(vectors_BND)), words["is_word"].sum(1), LONGEST_WORD_FRAMES)
        yield from self._said(script, voice_B, most_frames)

    @torch.no_grad()
    def speak_as_it_comes(
        self, words: Iterable[Mapping[str, Tensor]], voice_B: Tensor, most_frames: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the frames of one text whose words come one by one, as `speak` does for all at once.

        A word is asked for when the one before it begins: one word of look-ahead.

        Args:
            words: each as `words.words_batch` would give it alone: letters [1, 1, L], states [1, 1, S],
                is_word [1, 1]; the last is the end.
            voice_B: the voice, [1].
            most_frames: where to stop.
        """
        source = iter(words)

        def next_vector() -> Tensor | None:
            word = next(source, None)
            if word is None:
                return None
            vector: Tensor = self.words(word["letters"], word.get("states"), word["is_word"])
            return vector

        nothing = torch.zeros(1, 1, self.config.hidden, device=voice_B.device, dtype=self.norm.weight.dtype)
        before, current, following = nothing, next_vector(), next_vector()
        if current is None:
            return

        def script_of(*three: Tensor) -> Tensor:
            joined: Tensor = self.around(torch.cat(three, -1))
            return joined

        def further() -> Tensor | None:
            """Return what the layers read of the next word, None behind the last."""
            nonlocal before, current, following
            if current is None or following is None:
                return None
            before, current, following = current, following, next_vector()
            return script_of(current, before, nothing if following is None else following)

        first = script_of(current, before, nothing if following is None else following)
        script = Script(first, None, LONGEST_WORD_FRAMES, further)
        yield from self._said(script, voice_B, most_frames)

    def _said(self, script: Script, voice_B: Tensor, most_frames: int) -> Iterator[tuple[Tensor, Tensor]]:
        past = [PastFrames() for _ in self.blocks]
        books, none = self.config.codebooks, self.config.codebook_size
        before_BK1 = torch.full((len(voice_B), books, 1), none, device=voice_B.device)
        for frame in range(most_frames):
            inputs = self._inputs(before_BK1, script.word(), script.since_B[:, None], voice_B)
            place = torch.full((1,), frame, device=voice_B.device)
            codes_BK, goes_on_B = self._chosen(self._layers(inputs, place, None, past)[:, 0])
            is_speaking_B = script.is_speaking_B
            script.step(goes_on_B)
            before_BK1 = codes_BK[..., None]
            yield codes_BK, is_speaking_B
            if not bool(script.is_speaking_B.any()):
                return

    def _chosen(self, frames_BD: Tensor) -> tuple[Tensor, Tensor]:
        """Return the likeliest codes of a frame [B, K], and how likely the word ends with it [B]."""
        chosen = []
        for table, head in zip(self.said, self.codes, strict=True):
            chosen.append(head(frames_BD).argmax(-1))
            frames_BD = frames_BD + table(chosen[-1])
        return torch.stack(chosen, 1), self.action(frames_BD)[:, 0].sigmoid()


def _beside(words_BND: Tensor) -> Tensor:
    """Return each word's vector with those before and behind it: [B, N, 3 D]."""
    nothing = torch.zeros_like(words_BND[:, :1])
    before = torch.cat([nothing, words_BND[:, :-1]], 1)
    behind = torch.cat([words_BND[:, 1:], nothing], 1)
    return torch.cat([words_BND, before, behind], -1)
