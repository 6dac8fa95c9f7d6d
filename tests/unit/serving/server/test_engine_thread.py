"""The thread that owns the engine: places, failures, those who leave, and the end."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
import torch

from manus.models.generation.questions import Drawing, Question, Step, Unanswered
from manus.serving.server.engine_thread import Answer, EngineThread
from manus.serving.server.refusals import Refused


class Counting:
    """An engine that answers [n, ...] with n tokens; a 13 breaks it, a 7 has no answer, a 5 cannot begin."""

    tickets = itertools.count()
    built: ClassVar[list[Counting]] = []

    def __init__(self) -> None:
        self.left: dict[int, tuple[Question, int]] = {}
        self.cancelled: list[int] = []
        Counting.built.append(self)

    def add(self, question: Question) -> int:
        if 5 in question.ids:
            raise ValueError("no")
        ticket = next(Counting.tickets)
        self.left[ticket] = (question, question.ids[0])
        return ticket

    def cancel(self, ticket: int) -> None:
        self.cancelled.append(ticket)
        self.left.pop(ticket, None)

    def step(self) -> list[Step]:
        if any(13 in question.ids for question, _ in self.left.values()):
            raise RuntimeError("broken")
        if lost := [ticket for ticket, (question, _) in self.left.items() if 7 in question.ids]:
            for ticket in lost:
                del self.left[ticket]
            raise Unanswered(lost, ValueError("no"))
        steps = []
        for ticket, (question, count) in [*self.left.items()]:
            if question.limit is not None:
                question.limit([], torch.zeros(1))
            self.left[ticket] = (question, count - 1)
            steps.append(Step(ticket, count, finish="length" if count == 1 else None))
            if count == 1:
                del self.left[ticket]
        return steps


def question(*ids: int, limit: Any = None) -> Question:
    return Question(ids, Drawing(max_new_tokens=9, ends=()), limit=limit)


async def gathered(thread: EngineThread, asked: Question) -> list[int] | int:
    """Return the tokens of an answer, or the status of its refusal."""
    arrived: asyncio.Queue[tuple[Answer, Any]] = asyncio.Queue()
    answer = thread.ask(asked, arrived)
    found = []
    try:
        while True:
            _, step = await asyncio.wait_for(arrived.get(), 10)
            if isinstance(step, Refused):
                return step.status
            found.append(step.token)
            if step.finish:
                return found
    finally:
        thread.leave(answer)


def with_thread(work: Callable[[EngineThread], Any], places: int = 2, waiting: int = 8) -> Any:
    async def run() -> Any:
        thread = EngineThread(Counting, places, waiting)  # type: ignore[arg-type]
        try:
            return await work(thread)
        finally:
            await thread.close(5)
            assert not thread.thread.is_alive()

    return asyncio.run(run())


def test_all_are_answered_whatever_the_places() -> None:
    async def work(thread: EngineThread) -> Any:
        return await asyncio.gather(*(gathered(thread, question(n % 4 + 1)) for n in range(10)))

    assert with_thread(work) == [[*range(n % 4 + 1, 0, -1)] for n in range(10)]


def test_a_step_that_fails_fails_what_runs_and_what_waits_goes_on() -> None:
    async def work(thread: EngineThread) -> Any:
        found = await asyncio.gather(*(gathered(thread, question(3, *more)) for more in ([13], [], [], [])))
        return [*found, thread.failures, thread.taken]

    before = len(Counting.built)
    assert with_thread(work) == [500, 500, [3, 2, 1], [3, 2, 1], 1, 0]
    assert len(Counting.built) == before + 2


@pytest.mark.parametrize("bad", [7, 5])
def test_a_question_that_cannot_be_answered_fails_alone(bad: int) -> None:
    async def work(thread: EngineThread) -> Any:
        return await asyncio.gather(gathered(thread, question(3, bad)), gathered(thread, question(3)))

    assert with_thread(work) == [500, [3, 2, 1]]


@pytest.mark.parametrize(("error", "status"), [(Refused("no", 400), 400), (ZeroDivisionError(), 500)])
def test_a_limit_that_fails_fails_its_own_answer_alone(error: Exception, status: int) -> None:
    def limit(ids: list[int], logits: torch.Tensor) -> torch.Tensor:
        raise error

    async def work(thread: EngineThread) -> Any:
        return await asyncio.gather(gathered(thread, question(3, limit=limit)), gathered(thread, question(3)))

    assert with_thread(work) == [status, [3, 2, 1]]


def test_who_leaves_frees_the_place_whether_running_or_waiting() -> None:
    async def work(thread: EngineThread) -> Any:
        arrived: asyncio.Queue[Any] = asyncio.Queue()
        running = [thread.ask(question(10**9), arrived) for _ in range(2)]
        waiting = thread.ask(question(1), arrived)
        await arrived.get()
        assert thread.taken == 3
        thread.leave(waiting)
        thread.leave(running[0])
        thread.leave(running[0])
        found = await gathered(thread, question(2))
        thread.leave(running[1])
        return found, thread.taken, thread.failures

    assert with_thread(work) == ([2, 1], 0, 0)
    assert len(Counting.built[-1].cancelled) == 2


def test_more_than_may_wait_are_told_to_come_again() -> None:
    async def work(thread: EngineThread) -> Any:
        arrived: asyncio.Queue[Any] = asyncio.Queue()
        taken = [thread.ask(question(10**9), arrived) for _ in range(4)]
        with pytest.raises(Refused) as refused:
            thread.check_room(1)
        for answer in taken:
            thread.leave(answer)
        thread.check_room(4)
        return refused.value.status

    assert with_thread(work, places=1, waiting=3) == 429


def test_closing_lets_answers_end_and_refuses_the_rest() -> None:
    async def work(thread: EngineThread) -> Any:
        short, long = (asyncio.create_task(gathered(thread, question(n))) for n in (4, 10**9))
        await asyncio.sleep(0.01)
        await thread.close(0.3)
        with pytest.raises(Refused) as refused:
            thread.check_room(1)
        return await short, await long, refused.value.status

    assert with_thread(work) == ([4, 3, 2, 1], 503, 503)


class Dying(Counting):
    """Cannot be built again, as where memory is used up."""

    def __init__(self) -> None:
        if any(isinstance(one, Dying) for one in Counting.built):
            raise MemoryError
        super().__init__()


def test_when_the_thread_dies_all_who_wait_are_told_and_nobody_else_is_taken() -> None:
    async def work() -> Any:
        thread = EngineThread(Dying, 2, 9)  # type: ignore[arg-type]
        found = await asyncio.gather(*(gathered(thread, question(3, *more)) for more in ([13], [], [], [])))
        await asyncio.to_thread(thread.thread.join, 10)
        with pytest.raises(Refused, match="engine is lost") as refused:
            thread.check_room(1)
        late = await gathered(thread, question(3))
        await asyncio.wait_for(thread.close(30.0), 5)
        return [*found, refused.value.status, late, thread.is_lost, thread.taken]

    assert asyncio.run(work()) == [500, 500, 503, 503, 503, 503, True, 0]


def test_closing_does_not_wait_when_it_is_urgent() -> None:
    async def work(thread: EngineThread) -> Any:
        long = asyncio.create_task(gathered(thread, question(10**9)))
        await asyncio.sleep(0.01)
        await asyncio.wait_for(thread.close(60.0, lambda: True), 10)
        return await long

    assert with_thread(work) == 503
