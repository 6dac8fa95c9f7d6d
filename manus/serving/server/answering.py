"""Puts questions to the engine and takes its tokens apart, for every endpoint alike. Knows no endpoint.

An answer that is streamed and one that is given at once are made of the same deltas.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from manus.models.generation.questions import Begun, Drawing, Limit, Question, Step
from manus.models.generation.text import Stream
from manus.serving.hosted import Asked, Hosted
from manus.serving.server.access import Access
from manus.serving.server.constraints import Grammars
from manus.serving.server.engine_thread import Answer, Arrived, EngineThread
from manus.serving.server.limits import Limits
from manus.serving.server.metrics import Metrics
from manus.serving.server.pieces import KEPT, Piece, Splitter
from manus.serving.server.reading import Bodies
from manus.serving.server.refusals import Refused

if TYPE_CHECKING:
    from manus.serving.server.realtime.early import Early

SEEDS = 2**63
PREPARED_AT_ONCE = 2  # requests whose media are decoded: each may need some hundred MB


@dataclass
class Service:
    """All that endpoints share."""

    hosted: Hosted
    thread: EngineThread
    limits: Limits
    grammars: Grammars
    metrics: Metrics
    access: Access
    bodies: Bodies
    preparing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PREPARED_AT_ONCE))
    speaking: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))  # a piece of sound each
    why_late: str | None = None  # why realtime sessions read what is heard only when it is asked about
    sessions: int = 0  # realtime ones that are open
    listening: list[Early] = field(default_factory=list)  # those that hold what was heard, the latest last
    began: int = field(default_factory=lambda: int(time.time()))


Handler = Callable[[Request, Service], Awaitable[Response]]


@dataclass(frozen=True)
class Drawn:
    """How an answer is drawn, as far as a request says it."""

    max_new_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None


@dataclass(frozen=True)
class Wish:
    """What is put to the model, and how its answers are taken apart."""

    asked: Asked
    drawn: Drawn = Drawn()
    choices: int = 1
    stops: Sequence[str] = ()
    may_call: bool = False
    is_plain: bool = False  # a bare text: no thought is looked for
    top_logprobs: int | None = None
    limit: Callable[[], Limit | None] = lambda: None  # a new one for each answer
    begun: Begun | None = None  # what of the prompt was read before; for one choice


@dataclass(frozen=True)
class Delta:
    """What is new of one of the answers."""

    choice: int
    pieces: Sequence[Piece] = ()
    logprobs: Sequence[dict[str, Any]] = ()
    finish: str | None = None


BEGUN = Delta(-1)  # comes first, once the answers have their places


@dataclass
class Counted:
    """How many tokens prompt and answers have, and when the first one came; known in the end."""

    prompt: int = 0
    answers: int = 0
    first_seconds: float | None = None

    @property
    def usage(self) -> dict[str, int]:
        """The numbers as OpenAI's interface has them."""
        total = self.prompt + self.answers
        return {"prompt_tokens": self.prompt, "completion_tokens": self.answers, "total_tokens": total}


class Writer:
    """One answer as it is written."""

    def __init__(self, service: Service, wish: Wish, choice: int) -> None:
        self.service, self.wish, self.choice = service, wish, choice
        self.words = Stream(service.hosted.tokenizer, KEPT)
        opens = bool(wish.asked.thought) and not wish.is_plain
        self.splitter = Splitter(opens, wish.may_call, wish.stops, is_plain=wish.is_plain)
        self.told: list[dict[str, Any]] = []  # logprobs whose text is held back
        self.last = time.perf_counter()

    def write(self, step: Step) -> Delta:
        """Return what a further token adds."""
        is_end = step.finish == "stop"
        if self.wish.top_logprobs is not None and not is_end:
            self.told.append(self._logprob(step))
        pieces = [] if is_end else self.splitter.add(self.words.add(step.token))
        if self.splitter.is_stopped:
            return self._delta(pieces, "stop")
        if step.finish is not None:
            pieces += self._last()
            return self._delta(pieces, step.finish)
        return self._delta(pieces, None)

    def cut(self) -> Delta:
        """Return what is left when the answer's time is over."""
        return self._delta(self._last(), "length")

    def _last(self) -> list[Piece]:
        """Return what is held back, be it bytes of a character or what might have become a mark."""
        return [*self.splitter.add(self.words.end()), *self.splitter.end()]

    def _delta(self, pieces: Sequence[Piece], finish: str | None) -> Delta:
        if finish == "stop" and self.splitter.has_called:
            finish = "tool_calls"
        told: list[dict[str, Any]] = []
        if finish is not None or any(piece.kind == "words" for piece in pieces):
            told, self.told = self.told, []
        elif pieces:  # tokens of thoughts and calls
            self.told = []
        return Delta(self.choice, pieces, told, finish)

    def _logprob(self, step: Step) -> dict[str, Any]:
        vocabulary = self.service.grammars.vocabulary

        def entry(token: int, logprob: float | None) -> dict[str, Any]:
            content = vocabulary.decode_bytes([token]).removeprefix(b"\xff")
            logprob = max(float(logprob or 0.0), -9999.0)
            return {"token": content.decode(errors="replace"), "logprob": logprob, "bytes": list(content)}

        return {**entry(step.token, step.logprob), "top_logprobs": [entry(*one) for one in step.top]}


def questions_of(service: Service, wish: Wish) -> list[Question]:
    """Return what the engine is asked.

    Raises:
        Refused: the prompt is longer than what the model reads, or a grammar cannot be followed.
    """
    hosted, drawn, limits = service.hosted, wish.drawn, service.limits
    room = (hosted.context or 1 << 40) - len(wish.asked.ids)
    if room < 1:
        raise Refused(
            f"the prompt has {len(wish.asked.ids)} tokens, and the model reads {hosted.context} with its "
            "answer",
            param="messages",
            code="context_length_exceeded",
        )
    if not wish.asked.ids:
        raise Refused("there is nothing to go on from: the prompt has no token", param="prompt")
    wanted = limits.default_tokens if drawn.max_new_tokens is None else drawn.max_new_tokens
    defaults = hosted.drawn_by_default
    seed = random.randrange(SEEDS) if drawn.seed is None else drawn.seed % SEEDS
    given = {"temperature": drawn.temperature, "top_p": drawn.top_p, "top_k": drawn.top_k}
    settings = defaults | {name: value for name, value in given.items() if value is not None}
    return [
        Question(
            wish.asked.ids,
            Drawing(
                max_new_tokens=min(wanted, room, limits.new_tokens),
                ends=hosted.ends,
                seed=(seed + choice) % SEEDS,
                **settings,
            ),
            wish.asked.media,
            wish.limit(),
            wish.top_logprobs,
            wish.begun,
        )
        for choice in range(wish.choices)
    ]


def deltas(service: Service, wish: Wish, counted: Counted) -> AsyncIterator[Delta]:
    """Yield what `deltas_of` does, of one wish."""
    return deltas_of(service, [wish], counted)


async def deltas_of(service: Service, wishes: Sequence[Wish], counted: Counted) -> AsyncIterator[Delta]:
    """Yield BEGUN, then what is new of the answers until all are over; leaving early frees their places.

    Args:
        service: of the server.
        wishes: what is asked; choices are numbered through all of them.
        counted: is filled.

    Raises:
        Refused: there is no room for them, they cannot be asked, or the engine fails.
    """
    asked = [
        (wish, question)
        for wish in wishes
        for question in await asyncio.to_thread(questions_of, service, wish)
    ]
    counted.prompt = sum(len(wish.asked.ids) for wish in wishes)
    service.metrics.prompt_tokens.inc(counted.prompt)
    began = time.perf_counter()
    arrived: Arrived = asyncio.Queue()
    service.thread.check_room(len(asked))
    answers = [service.thread.ask(question, arrived) for _, question in asked]
    writers: dict[Answer, Writer] = {
        answer: Writer(service, wish, choice)
        for choice, (answer, (wish, _)) in enumerate(zip(answers, asked, strict=True))
    }
    try:
        yield BEGUN
        while writers:
            async with asyncio.timeout(began + service.limits.answer_seconds - time.perf_counter()):
                answer, step = await arrived.get()
            if isinstance(step, Refused):
                raise step
            if answer not in writers:  # of an answer that met one of its stops
                continue
            _count(service, counted, writers[answer], began)
            delta = writers[answer].write(step)
            if delta.finish is not None:
                service.thread.leave(answer)
                del writers[answer]
            if delta.pieces or delta.finish is not None:
                yield delta
    except TimeoutError:
        if not counted.answers:
            message = f"no place became free within {service.limits.answer_seconds:g} s"
            raise Refused(message, status=429, code="timeout") from None
        for writer in writers.values():
            yield writer.cut()
    finally:
        for answer in answers:
            service.thread.leave(answer)


def _count(service: Service, counted: Counted, writer: Writer, began: float) -> None:
    now = time.perf_counter()
    if counted.first_seconds is None:
        counted.first_seconds = now - began
        service.metrics.first_token.observe(counted.first_seconds)
    else:
        service.metrics.gaps.observe(now - writer.last)
    writer.last = now
    counted.answers += 1
    service.metrics.answer_tokens.inc()
