"""Holds a conversation with a model behind a server. Prints nothing, loads nothing."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from httpx2 import Client, HTTPError, InvalidURL, Response

from manus.data.sample import MediumKind
from manus.errors import DataError, InputError
from manus.serving.events import events_of
from manus.serving.replies import Reply

TIMEOUT_SECONDS = 600.0
KINDS: dict[MediumKind, str] = {"image": "image/png", "video": "video/mp4", "audio": "audio/wav"}


@dataclass
class RemoteConversation:
    """What has been said so far, as `Conversation` has it; media wait until the next question."""

    server: str  # the address, with or without /v1
    key: str | None = None
    max_new_tokens: int = 512
    temperature: float = 0.0
    system: str | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)
    waiting: list[dict[str, Any]] = field(default_factory=list)
    last: Reply = field(default_factory=Reply)

    def __post_init__(self) -> None:
        headers = {"authorization": f"Bearer {self.key}"} if self.key else {}
        base = f"{self.server.rstrip('/').removesuffix('/v1')}/v1/"
        try:
            self.client = Client(base_url=base, headers=headers, timeout=TIMEOUT_SECONDS)
            answer = self.client.get("models")
            self._check(answer)
            (model, *_) = answer.json()["data"]
            self.name, told = str(model["id"]), model.get("senses", [])
        except (HTTPError, InvalidURL) as error:
            raise InputError(f"--server {self.server}: {error or type(error).__name__}") from None
        except (ValueError, KeyError, TypeError):
            raise InputError(f"--server {self.server}: lists no models as OpenAI's interface does") from None
        self.senses: set[MediumKind] = {kind for kind in KINDS if kind in told}
        self.folder = Path(self.name)
        self.reset()

    def reset(self) -> None:
        """Forget what has been said, and media that wait."""
        self.messages = [{"role": "system", "content": self.system}] if self.system else []
        self.waiting = []

    def attach(self, kind: MediumKind, file: Path) -> None:
        """Let a medium go with the next question.

        Raises:
            InputError: the model has no such sense, or the file cannot be read; names the file.
        """
        if kind not in self.senses:
            raise InputError(
                f"{file}: {self.name} takes {', '.join(sorted(self.senses)) or 'text only'}, no {kind}"
            )
        try:
            content = base64.b64encode(file.read_bytes()).decode()
        except OSError as error:
            raise DataError(f"{file}: {(error.strerror or str(error)).lower()}") from None
        if kind == "audio":
            self.waiting.append({"type": "input_audio", "input_audio": {"data": content, "format": "wav"}})
        else:
            name = f"{kind}_url"
            self.waiting.append({"type": name, name: {"url": f"data:{KINDS[kind]};base64,{content}"}})

    def reply(self, question: str) -> Iterator[str]:
        """Answer a question, piece by piece; afterwards `last` tells what it took.

        An iterator that is closed early stops the answer, and keeps what was said.

        Raises:
            InputError: the server refuses the question or cannot be reached.
        """
        content: Any = [*self.waiting, {"type": "text", "text": question}] if self.waiting else question
        asked = [*self.messages, {"role": "user", "content": content}]
        body = {
            "model": self.name,
            "messages": asked,
            "max_tokens": self.max_new_tokens,
            "temperature": self.temperature,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        self.last, began = Reply(), time.perf_counter()
        try:
            with self.client.stream("POST", "chat/completions", json=body) as answer:
                self._check(answer)
                for piece in self._pieces(answer):
                    if not self.last.text:
                        self.last.first_token_seconds = time.perf_counter() - began
                    self.last.text += piece
                    yield piece
        except HTTPError as error:
            raise InputError(f"{self.server}: {error or type(error).__name__}") from None
        except (GeneratorExit, KeyboardInterrupt):
            self.last.was_stopped = True
            self._remember(asked)
            raise
        finally:
            self.last.seconds = time.perf_counter() - began
        self._remember(asked)

    def _remember(self, asked: list[dict[str, Any]]) -> None:
        self.messages = [*asked, {"role": "assistant", "content": self.last.text}]
        self.waiting = []

    def _pieces(self, answer: Response) -> Iterator[str]:
        for event in events_of(answer.iter_lines()):
            if "error" in event:
                raise InputError(f"{self.server}: {event['error']['message']}")
            if usage := event.get("usage"):
                self.last.prompt_tokens, self.last.tokens = usage["prompt_tokens"], usage["completion_tokens"]
            for choice in event["choices"]:
                if piece := choice["delta"].get("content"):
                    yield piece

    def _check(self, answer: Response) -> None:
        if answer.is_success:
            return
        answer.read()
        try:
            said = answer.json()["error"]["message"]
        except (ValueError, KeyError, TypeError):
            said = f"status {answer.status_code}"
        raise InputError(f"{self.server}: {said}")
