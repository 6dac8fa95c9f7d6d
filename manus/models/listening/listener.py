"""A session that listens and looks as it comes, is asked, and listens on; what it remembers is bounded.

Knows nothing of clients. The user speaks, shows and writes in turn with the model's answers, as the chat
template has it; each piece of sound, picture and frame is read when it comes, so that an answer waits for the
last alone.
"""

# Shapes: S samples of sound, H x W pixels, T tokens, H hidden size, V vocabulary.

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from manus.data.media.sound import RATE_HERTZ
from manus.data.sample import NEVER_WRITTEN
from manus.errors import ModelError
from manus.models.generation.choosing import Answer, choose
from manus.models.generation.questions import Drawing, Question, Step
from manus.models.listening.context import NO_MEDIA, Context, Media, Unit
from manus.models.listening.fitness import why_unfit
from manus.models.listening.memory import Memory, Part, Size
from manus.models.listening.pieces import Pieces
from manus.models.listening.turns import Turns
from manus.models.omni.processing import ManusOmniProcessor


@dataclass(slots=True)
class Held:
    """A unit in memory, and what the language model read for it, [1, T, H], so that it can be read again."""

    unit: Unit
    embeds: Tensor
    size: Size


class Listener:
    """One session with one omni model.

    The state after pieces is that of one prompt with the same text and media, to rounding, as long as nothing
    had to be forgotten; then it is that of a prompt with what is remembered.
    """

    def __init__(
        self,
        model: Any,
        processor: ManusOmniProcessor,
        *,
        instructions: str = "",
        memory: Memory | None = None,
    ) -> None:
        """Begin a session.

        Args:
            model: an omni model, in evaluation mode.
            processor: its processor, which has its tokenizer.
            instructions: what the model is told at the beginning; they are never forgotten.
            memory: what is remembered; 2048 tokens, or what the model can read where that is less, without
                it.

        Raises:
            ModelError: the model cannot listen as it comes, its chat template cannot be written as it comes,
                or it reads fewer tokens than are to be remembered.
        """
        if why := why_unfit(model):
            raise ModelError(f"this model cannot listen as it comes: {why}")
        reach = getattr(model.config.get_text_config(decoder=True), "max_position_embeddings", None)
        self.memory = memory or Memory(min(Memory().most_tokens, reach or Memory().most_tokens))
        if reach is not None and self.memory.most_tokens > reach:
            raise ModelError(
                f"most_tokens: {self.memory.most_tokens} cannot be remembered by a model that reads {reach}"
            )
        self.model, self.processor = model, processor
        self.layout = processor.media_layout
        self.turns = Turns.of(processor.tokenizer, instructions)
        self.context = Context(model)
        self.held: list[Held] = []
        self.turn = 0
        self.frames = 0  # that were looked at in this turn
        self.said: list[int] | None = None  # tokens of the last answer, until the user goes on
        self.pieces = Pieces(round(self.layout.longest_audio_seconds * RATE_HERTZ))
        self._read_text(self.turns.beginning, "beginning")

    @property
    def ids(self) -> list[int]:
        """All tokens that are remembered."""
        return [token for unit in self.context.units for token in unit.ids]

    @property
    def logits(self) -> Tensor:
        """The logits [1, V] of what would follow."""
        assert self.context.logits_1V is not None, "the beginning has been read"
        return self.context.logits_1V

    # What the user says and shows

    def say(self, text: str) -> None:
        """Read what the user writes; sound that is waiting for its piece to be whole is read before.

        Raises:
            ValueError: the text holds what stands for a medium.
        """
        if found := NEVER_WRITTEN.search(text):
            raise ValueError(f"a text holds {found[0]}; give the medium as such instead")
        self._go_on()
        self._end_sound()
        self._read_text(text, "content")

    def hear(self, samples_S: Any, rate: int) -> None:
        """Take in sound of any length; its pieces are read as soon as they are whole.

        Args:
            samples_S: mono, floats in about -1..1, as a numpy array or a tensor.
            rate: samples a second.

        Raises:
            ValueError: the model does not hear, or this is no such sound.
        """
        self.layout.check_heard(0)
        self._go_on()
        for piece in self.pieces.add(samples_S, rate):
            self._read_sound(piece)

    def see(self, picture: Image.Image) -> None:
        """Read a picture.

        Raises:
            ValueError: the model does not see.
        """
        picture = picture.convert("RGB")
        media = self.processor.image_inputs([picture])
        self._go_on()
        count = self.layout.image_tokens(picture.width, picture.height)
        self._read("image", [self._place("image")] * count, media)

    def watch(self, frame: np.ndarray, seconds: float | None = None) -> None:
        """Read a frame of uint8 [H, W, 3] behind its time.

        Args:
            frame: upright, RGB.
            seconds: since the turn's first frame; without it, frames come as often as the model was taught
                (`frames_per_second`), and each stands for the middle of its time.

        Raises:
            ValueError: the model does not see, or this is no frame.
        """
        frame = np.asarray(frame)
        if frame.ndim != 3 or frame.shape[-1] != 3 or frame.dtype != np.uint8:
            raise ValueError(f"a frame is uint8 [H, W, 3]; this is {frame.dtype} {list(frame.shape)}")
        media = self.processor.video_inputs([frame[None]])
        self._go_on()
        time = (self.frames + 0.5) / self.layout.frames_per_second if seconds is None else seconds
        self.frames += 1
        stamp = self._tokens(f"<{time:.1f} seconds>")
        count = self.layout.frame_tokens(frame.shape[1], frame.shape[0])
        self._read("text", stamp, NO_MEDIA)
        self._read("video", [self._place("video")] * count, media)

    # What the model says

    def answer(self, drawing: Drawing) -> Iterator[Step]:
        """Answer what came so far, token by token; each is remembered, even if the caller stops early.

        Raises:
            ValueError: so long an answer cannot be remembered.
        """
        self.memory.check_fits(self._beginning, drawing.max_new_tokens)
        self._go_on()
        self._end_sound()
        self._read_text(self.turns.asking, "around")
        return self._answer(drawing)

    def _answer(self, drawing: Drawing) -> Iterator[Step]:
        answer = Answer(0, Question((), drawing))
        self.said = []
        while True:
            steps, failed = choose([answer], self.logits)
            assert not failed, "a question without a limit cannot fail"
            (step,) = steps
            if step.token not in drawing.ends:
                self.said.append(step.token)
                self._read("text", [step.token], NO_MEDIA)
            yield step
            if step.finish is not None:
                return

    # Reading

    def _go_on(self) -> None:
        """Open the user's next turn, where the model has answered."""
        if self.said is None:
            return
        self.said = None
        self.turn += 1
        self.frames = 0
        self._read_text(self.turns.next, "around")

    def _end_sound(self) -> None:
        for piece in self.pieces.end():
            self._read_sound(piece)

    def _read_sound(self, piece_S: np.ndarray) -> None:
        media = self.processor.audio_inputs([piece_S])
        self._read("audio", [self._place("audio")] * int(media["audio_tokens"][0]), media)

    def _read_text(self, text: str, part: Part) -> None:
        if tokens := self._tokens(text):
            self._read("text", tokens, NO_MEDIA, part)

    def _tokens(self, text: str) -> list[int]:
        ids: list[int] = self.processor.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _place(self, kind: str) -> int:
        token: int = self.model.config.placeholder_ids[kind]
        return token

    @property
    def _beginning(self) -> int:
        return sum(held.size.tokens for held in self.held if held.size.part == "beginning")

    def _read(self, kind: str, ids: list[int], media: Media, part: Part = "content") -> None:
        if part != "beginning":
            self.memory.check_fits(self._beginning, len(ids))
        embeds_1TH = self.context.embedded(ids, media)
        unit, size = Unit(kind, tuple(ids)), Size(len(ids), part, self.turn)
        if self.memory.is_full([held.size for held in self.held], len(ids)):
            self._forget_for(len(ids))
        self.context.append([unit], embeds_1TH)
        self.held.append(Held(unit, embeds_1TH, size))

    def _forget_for(self, coming: int) -> None:
        """Keep what the memory's rule says, and read it again."""
        staying = self.memory.staying([held.size for held in self.held], coming)
        self.held = [self.held[number] for number in staying]
        self.context.forget()
        embeds_1TH = torch.cat([held.embeds for held in self.held], dim=1)
        self.context.append([held.unit for held in self.held], embeds_1TH)
