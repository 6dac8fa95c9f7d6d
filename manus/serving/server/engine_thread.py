"""Runs the engine in its own thread, and hands its tokens to answers that wait on the event loop.

Questions wait here, not in the engine: when a step fails, what was being answered fails with it, and what
waits goes on with a fresh engine. Knows nothing of texts.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from manus.models.generation.questions import Limit, Question, Step, Unanswered
from manus.serving.server.refusals import BUSY, FAILED, LOST, Refused

if TYPE_CHECKING:
    from torch import Tensor

    from manus.models.generation.engine import Engine

LOG = logging.getLogger(__name__)
T = TypeVar("T")


class Stopped(Exception):
    """The thread is over: nothing more is answered."""


@dataclass(eq=False)
class Answer:
    """One question on its way; its tokens arrive in a queue that several answers of one request share."""

    question: Question
    loop: asyncio.AbstractEventLoop
    arrived: Arrived
    ticket: int | None = None
    failure: Refused | None = None  # of what the question itself brings along
    is_over: bool = False


Arrived = asyncio.Queue[tuple[Answer, Step | Refused]]


class EngineThread:
    """Owns the model. `ask`, `run` and `leave` are called on the event loop; the rest is in the thread."""

    def __init__(self, build: Callable[[], Engine], places: int, waiting: int) -> None:
        """Start the thread.

        Args:
            build: makes the engine; called again after one has failed.
            places: answers that are made side by side.
            waiting: answers that may wait for a place.
        """
        self.build, self.places, self.most_waiting = build, places, waiting
        self.engine = build()
        self.orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.waiting: deque[Answer] = deque()
        self.running: dict[int, Answer] = {}
        self.taken = 0  # answers that run or wait, as the event loop counts them
        self.failures = 0
        self.is_closing = False
        self.is_lost = False  # the thread died: nothing is answered any more
        self.thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self.thread.start()

    # On the event loop

    def check_room(self, answers: int) -> None:
        """See to it that so many more answers find a place or may wait.

        Raises:
            Refused: 429, or 503 where the server is stopping or its engine is lost.
        """
        if self.is_lost:
            raise _lost()
        if self.is_closing:
            raise Refused("the server is stopping", status=503, code="stopping")
        if self.taken + answers > self.places + self.most_waiting:
            raise Refused(BUSY, status=429, code="queue_full")

    def ask(self, question: Question, arrived: Arrived) -> Answer:
        """Let a question wait for its place; the caller sees to it that `leave` is called in the end.

        Args:
            question: what is asked.
            arrived: takes the tokens of the answer as they are made, until one has a `finish` or it is
                refused.
        """
        answer = Answer(question, asyncio.get_running_loop(), arrived)
        if question.limit is not None:
            answer.question = replace(question, limit=_guarded(answer, question.limit))
        self.taken += 1
        self.orders.put(lambda: self.waiting.append(answer))
        if self.is_lost:  # since there was room: nobody reads orders any more
            arrived.put_nowait((answer, _lost()))
        return answer

    def leave(self, answer: Answer) -> None:
        """Free the place of an answer, whether it is over or not; a second time does nothing."""
        if not answer.is_over:
            self._free(answer)
            self.orders.put(lambda: self._drop(answer))

    async def run(self, work: Callable[[], T]) -> T:
        """Do something with the model, between two steps of the engine; return what that returns.

        Raises:
            Refused: the server is stopping, or its engine is lost.
        """
        self.check_room(0)
        loop = asyncio.get_running_loop()
        found: asyncio.Future[T] = loop.create_future()

        def tell(take: Callable[[Any], None], value: Any) -> None:
            if not found.done():  # nobody waits for it any more
                take(value)

        def order() -> None:
            told: tuple[Callable[[Any], None], Any] = (found.set_exception, _lost())
            try:
                told = (found.set_result, work())
            except Exception as error:  # it is told to who waits, and the thread goes on
                told = (found.set_exception, error)
            finally:
                with contextlib.suppress(RuntimeError):  # the loop was closed
                    loop.call_soon_threadsafe(tell, *told)

        self.orders.put(order)
        if self.is_lost:  # since it was looked at: nobody reads orders any more
            raise _lost()
        return await found

    async def close(self, seconds: float, is_urgent: Callable[[], bool] = lambda: False) -> None:
        """Take no more questions, let running answers end for so long or until it is urgent, then stop."""
        self.is_closing = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.taken and not self.is_lost and not is_urgent():
                    await asyncio.sleep(0.02)
        self.orders.put(None)
        await asyncio.to_thread(self.thread.join)

    def _free(self, answer: Answer) -> None:
        answer.is_over = True
        self.taken -= 1

    # In the thread

    def _work(self) -> None:
        try:
            while True:
                self._obey()
                self._admit()
                if self.running:
                    self._step()
        except Stopped:
            return
        except BaseException:  # nobody else would hear of it: those who wait are told, and the server ends
            LOG.critical("the engine's thread is lost", exc_info=True)
            self._end_all()

    def _end_all(self) -> None:
        """Tell all who wait that nothing is answered any more."""
        self.is_lost = True
        while not self.orders.empty():
            if (order := self.orders.get()) is not None:
                with contextlib.suppress(
                    Exception
                ):  # what is broken may break again; who waits is told below
                    order()
        self._tell([(answer, _lost()) for answer in (*self.running.values(), *self.waiting)])
        self.running, self.waiting = {}, deque()

    def _obey(self) -> None:
        """Carry out what was ordered meanwhile; with nothing to do, wait for an order."""
        is_idle = not self.running and not self.waiting
        while is_idle or not self.orders.empty():
            order = self.orders.get()
            if order is None:
                for answer in (*self.running.values(), *self.waiting):
                    self._tell([(answer, Refused("the server is stopping", status=503, code="stopping"))])
                raise Stopped
            order()
            is_idle = False

    def _admit(self) -> None:
        while self.waiting and len(self.running) < self.places:
            answer = self.waiting.popleft()
            try:
                answer.ticket = self.engine.add(answer.question)
            except Exception:
                LOG.exception("a question could not be begun")
                self._tell([(answer, Refused(FAILED, status=500))])
            else:
                self.running[answer.ticket] = answer

    def _step(self) -> None:
        try:
            steps = self.engine.step()
        except Unanswered as failed:
            LOG.error("the engine could not answer %d questions: %s", len(failed.tickets), failed)
            self.failures += 1
            lost = [self.running.pop(ticket) for ticket in failed.tickets if ticket in self.running]
            self._tell([(answer, answer.failure or Refused(FAILED, status=500)) for answer in lost])
            return
        except Exception:
            LOG.exception(
                "a step of the engine failed; %d answers end, %d wait", len(self.running), len(self.waiting)
            )
            self.failures += 1
            lost, self.running = list(self.running.values()), {}
            self._tell([(answer, Refused(FAILED, status=500)) for answer in lost])
            self.engine = self.build()
            return
        told: list[tuple[Answer, Any]] = []
        for step in steps:
            answer = self.running[step.ticket]
            if answer.failure is not None:
                self.engine.cancel(step.ticket) if step.finish is None else None
                told.append((self.running.pop(step.ticket), answer.failure))
                continue
            told.append((answer, step))
            if step.finish is not None:
                del self.running[step.ticket]
        self._tell(told)

    def _drop(self, answer: Answer) -> None:
        if answer.ticket is None:
            with contextlib.suppress(ValueError):  # it was refused as it was begun
                self.waiting.remove(answer)
        elif self.running.pop(answer.ticket, None) is not None:
            self.engine.cancel(answer.ticket)

    def _tell(self, told: list[tuple[Answer, Step | Refused]]) -> None:
        """Wake the event loop once for all that is new."""
        if not told:
            return

        def put() -> None:
            for answer, step in told:
                answer.arrived.put_nowait((answer, step))
                if not answer.is_over and (isinstance(step, Refused) or step.finish is not None):
                    self._free(answer)  # also while its client reads slowly

        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
            told[0][0].loop.call_soon_threadsafe(put)


def _lost() -> Refused:
    return Refused(LOST, status=503, code="engine_lost")


def _guarded(answer: Answer, limit: Limit) -> Limit:
    """Return a question's own limit so that what it raises fails this answer alone."""

    def guarded(ids: list[int], logits: Tensor) -> Tensor:
        if answer.failure is not None:
            return logits
        try:
            return limit(ids, logits)
        except Refused as refused:
            answer.failure = refused
        except Exception:
            LOG.exception("the limit of a question failed")
            answer.failure = Refused(FAILED, status=500)
        return logits

    return guarded
