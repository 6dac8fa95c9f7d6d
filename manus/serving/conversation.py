"""Holds a conversation with a model: text, and media where the model has the senses. Prints nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manus.data.sample import MediumKind
from manus.errors import DataError, InputError
from manus.models.generation.engine import Engine
from manus.models.generation.questions import Drawing, Question
from manus.models.generation.settings import drawn, greedy
from manus.models.generation.text import Stream
from manus.models.omni.layout import SAMPLES_PER_SECOND
from manus.models.omni.reading import read_audio, read_image, video_facts
from manus.serving.hosted import Asked, Hosted
from manus.serving.replies import Reply

SENSES: dict[MediumKind, str] = {"image": "vision", "video": "video", "audio": "hearing"}
TOP_P = 0.95


@dataclass
class Conversation:
    """A model and what has been said so far; media wait until the next question."""

    folder: Path
    max_new_tokens: int = 512
    temperature: float = 0.0
    system: str | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)
    waiting: list[dict[str, Any]] = field(default_factory=list)
    last: Reply = field(default_factory=Reply)

    def __post_init__(self) -> None:
        self.hosted = Hosted.load(self.folder, self.folder.name)
        self.model, self.tokenizer = self.hosted.model, self.hosted.tokenizer
        self.engine = Engine(
            self.model,
            places=1,
            pad_token_id=int(self.tokenizer.pad_token_id),  # type: ignore[arg-type]
        )
        self.reset()

    @property
    def senses(self) -> set[MediumKind]:
        """The kinds of media that can be attached."""
        return self.hosted.senses

    def reset(self) -> None:
        """Forget what has been said, and media that wait."""
        self.messages = [{"role": "system", "content": self.system}] if self.system else []
        self.waiting = []

    def attach(self, kind: MediumKind, file: Path) -> None:
        """Decode a medium and let it go with the next question.

        Raises:
            InputError: the model has no such sense, or the file cannot be read or is too long; names the
                file.
        """
        if kind not in self.senses:
            has = ", ".join(sorted(self.senses)) or "text only"
            raise InputError(f"{file}: {self.folder} has no {SENSES[kind]}; it takes {has}")
        self.waiting.append({"type": kind, kind: self._decoded(kind, file)})

    def _decoded(self, kind: MediumKind, file: Path) -> Any:
        if not file.is_file():
            raise DataError(f"{file}: no such file")
        if kind == "image":
            return read_image(file)
        if kind == "video":
            video_facts(file)
            return file
        sound = read_audio(file)
        try:
            self.hosted.layout.check_heard(len(sound) / SAMPLES_PER_SECOND)
        except ValueError as error:
            raise InputError(f"{file}: {error}") from None
        return sound

    def reply(self, question: str) -> Iterator[str]:
        """Answer a question, piece by piece; afterwards `last` tells what it took.

        An iterator that is closed early stops the model, and keeps what was said.

        Raises:
            InputError: the question cannot be asked, or the conversation has become too long.
        """
        content = [*self.waiting, {"type": "text", "text": question}] if self.senses else question
        asked = [*self.messages, {"role": "user", "content": content}]
        if self.senses:
            self.hosted.refuse_unmeant(question)
        put = self.hosted.asked(asked, None)
        self.last = Reply(prompt_tokens=len(put.ids))
        self._check_length(self.last.prompt_tokens)
        try:
            yield from self._streamed(put)
        except (GeneratorExit, KeyboardInterrupt):
            self.last.was_stopped = True
            self._remember(asked)
            raise
        self._remember(asked)

    def _remember(self, asked: list[dict[str, Any]]) -> None:
        self.messages = [*asked, {"role": "assistant", "content": self.last.text}]
        self.waiting = []

    def _streamed(self, put: Asked) -> Iterator[str]:
        """Yield the answer's text as its tokens come; who stops listening frees the engine."""
        stream = Stream(self.tokenizer)
        begin = time.perf_counter()
        ticket = self.engine.add(Question(put.ids, self._drawing(), put.media))
        try:
            while steps := self.engine.step():
                (step,) = steps
                self.last.tokens += 1
                piece = stream.add(step.token) + (stream.end() if step.finish else "")
                if piece:
                    self.last.first_token_seconds = (
                        self.last.first_token_seconds or time.perf_counter() - begin
                    )
                    self.last.text += piece
                    yield piece
        finally:
            self.engine.cancel(ticket)
            self.last.seconds = time.perf_counter() - begin

    def _check_length(self, tokens: int) -> None:
        most = self.hosted.context
        if most is not None and tokens + 1 > most:
            raise InputError(
                f"the conversation has {tokens} tokens, the model reads {most}; /reset begins a new one"
            )

    def _drawing(self) -> Drawing:
        if self.temperature > 0:
            return drawn(self.model, self.tokenizer, self.max_new_tokens, self.temperature, TOP_P)
        return greedy(self.model, self.tokenizer, self.max_new_tokens)
