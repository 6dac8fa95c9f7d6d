"""Answers many questions at once: answers that end leave, those that wait enter. Knows not what is asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor
from transformers import Cache

from manus.models.generation.choosing import Answer, Failure, choose
from manus.models.generation.inputs import on_device
from manus.models.generation.joined import Joined
from manus.models.generation.joining import may_join
from manus.models.generation.questions import Question, Step, Unanswered
from manus.models.generation.reading import Reader
from manus.models.generation.sealed import Sealed

PLACES = 32


class Engine:
    """Holds the answers that a model is giving; one `step` gives each of them one more token.

    Weights may change whenever nothing is running. Greedy tokens are those of `generate` for each prompt
    alone, as far as the rounding of sums in a batch lets them be.
    """

    def __init__(self, model: Any, *, places: int = PLACES, pad_token_id: int) -> None:
        """Args: a causal LM, or one with an adapter, in the mode that it keeps; how many answers at once."""
        self.model = model.get_base_model() if isinstance(model, PeftModel) else model
        self.places = places
        self._tickets = count()
        self._waiting: deque[Answer] = deque()
        self._batches: list[tuple[Joined | Sealed, list[Answer]]] = []
        self._reader = Reader(self.model, pad_token_id)
        self._held: list[Step] = []

    @property
    def running(self) -> int:
        """How many answers are being given."""
        return sum(len(answers) for _, answers in self._batches)

    @property
    def waiting(self) -> int:
        """How many questions wait for a place."""
        return len(self._waiting)

    def add(self, question: Question) -> int:
        """Let a question wait for a place; return its ticket."""
        ticket = next(self._tickets)
        self._waiting.append(Answer(ticket, question))
        return ticket

    def cancel(self, ticket: int) -> None:
        """Forget a question, waiting or running; its place is free before the next step. One over is none."""
        self._waiting = deque(answer for answer in self._waiting if answer.ticket != ticket)
        self._held = [step for step in self._held if step.ticket != ticket]
        self._leave({ticket})

    @torch.no_grad()
    def step(self) -> list[Step]:
        """Return one more token of every answer, those that enter included; nothing when none is asked.

        Raises:
            Unanswered: some questions failed and are forgotten. Step again: the others go on as if nothing
                had been.
        """
        if not self._held:
            failed = self._go_on() + self._enter()
            self._leave({step.ticket for step in self._held if step.finish})
            if failed:
                tickets = [ticket for tickets, _ in failed for ticket in tickets]
                raise Unanswered(tickets, failed[0][1]) from failed[0][1]
        steps, self._held = self._held, []
        return steps

    def answers(
        self, questions: Sequence[Question], on_done: Callable[[int, list[int]], None] | None = None
    ) -> list[list[int]]:
        """Return the tokens of the answer to each question, its end included, in the order of the questions.

        Args:
            questions: what is asked.
            on_done: is called with the number of a question and its answer as soon as it is over.

        Raises:
            Unanswered: a question failed.
        """
        numbers = {self.add(question): number for number, question in enumerate(questions)}
        said: list[list[int]] = [[] for _ in questions]
        try:
            while self.running or self.waiting:
                for step in self.step():
                    number = numbers[step.ticket]
                    said[number].append(step.token)
                    if step.finish and on_done is not None:
                        on_done(number, said[number])
        except BaseException:
            for ticket in numbers:
                self.cancel(ticket)
            raise
        return said

    def park(self) -> None:
        """Move what has been read to host memory; between steps only."""
        for cache in self._caches():
            for layer in cache.layers:
                layer.offload()

    def unpark(self) -> None:
        """Move it back to where it was."""
        for cache in self._caches():
            for layer in cache.layers:
                layer.prefetch()

    def _caches(self) -> list[Cache]:
        caches = [batch.cache for batch, _ in self._batches]
        return [cache for cache in (*caches, self._reader.cache) if isinstance(cache, Cache)]

    def _go_on(self) -> list[Failure]:
        """Compute one more token of all that runs; return what failed."""
        failed: list[Failure] = []
        for batch, answers in list(self._batches):
            try:
                logits_BV = batch.forward([answer.ids[-1] for answer in answers])
            except (
                Exception
            ) as error:  # whatever it is: others go on, and this batch's cache is in no known state
                tickets = [answer.ticket for answer in answers]
                self._leave(set(tickets))
                failed.append((tickets, error))
            else:
                failed += self._say(answers, logits_BV)
        return failed

    def _enter(self) -> list[Failure]:
        """Begin answers while there are places; return what failed.

        Where more wait than there is room for, a quarter of the places must be free: reading one prompt takes
        as long as reading several.
        """
        entering: list[Answer] = []
        failed: list[Failure] = []
        if self.places - self.running < min(self.waiting, self.places // 4):
            return failed
        while self._waiting and self.running + len(entering) < self.places:
            answer = self._waiting[0]
            try:
                answer.joins = may_join(self.model, answer.question)
            except Exception as error:  # the model is tried on it, and may raise anything: it fails alone
                failed.append(([answer.ticket], error))
                self._waiting.popleft()
                continue
            must_be_alone = (
                self.model._is_stateful and not answer.joins
            )  # its state may lie in the model itself
            if must_be_alone and (self.running or entering):
                break
            entering.append(self._waiting.popleft())
            if must_be_alone:
                break
        for answers in self._together(entering):
            failed += self._begin(answers)
        return failed

    def _together(self, entering: Sequence[Answer]) -> Iterator[list[Answer]]:
        """Yield answers whose prompts are read in one go: texts, and of one length if batches are sealed."""
        by_way: dict[int | None, list[Answer]] = {}
        for answer in entering:
            if answer.question.media or answer.question.begun is not None:
                yield [answer]
            else:
                by_way.setdefault(None if answer.joins else len(answer.question.ids), []).append(answer)
        yield from by_way.values()

    def _begin(self, answers: list[Answer]) -> list[Failure]:
        """Read prompts, say first tokens; return what failed and only that: one prompt spoils no other."""
        try:
            begun = self._read(answers)
        except Exception as error:  # of one prompt among several, nobody knows which: each is tried by itself
            if len(answers) == 1:
                return [([answers[0].ticket], error)]
            return [failure for answer in answers for failure in self._begin([answer])]
        failed: list[Failure] = []
        for batch, theirs, logits_BV in begun:
            self._take_in(batch, theirs)
            failed += self._say(theirs, logits_BV)
        return failed

    def _read(self, answers: list[Answer]) -> list[tuple[Joined | Sealed, list[Answer], Tensor]]:
        first = answers[0].question
        media = on_device(first.media, self.model)
        if not answers[0].joins:
            sealed = Sealed(self.model, [answer.question.ids for answer in answers], media)
            return [(sealed, answers, sealed.begin())]
        if first.begun is not None:
            row, logits_1V = first.begun.continued(first.ids, media)
            return [(row, answers, logits_1V)]
        if media:
            row, logits_1V = self._reader.read_with_media(tuple(first.ids), media)
            return [(row, answers, logits_1V)]
        coming = [tuple(answer.question.ids) for answer in self._waiting if not answer.question.media]
        parts = self._reader.read([tuple(answer.question.ids) for answer in answers], coming)
        return [
            (rows, [answers[number] for number in numbers], logits_BV) for numbers, rows, logits_BV in parts
        ]

    def _take_in(self, batch: Joined | Sealed, answers: list[Answer]) -> None:
        for mine, theirs in self._batches:
            if isinstance(mine, Joined) and isinstance(batch, Joined):
                mine.join(batch)
                theirs += answers
                return
        self._batches.append((batch, list(answers)))

    def _say(self, answers: Sequence[Answer], logits_BV: Tensor) -> list[Failure]:
        """Choose the next token of these answers; return those that could not be chosen."""
        steps, failed = choose(answers, logits_BV)
        self._held += steps
        self._leave({ticket for tickets, _ in failed for ticket in tickets})
        return failed

    def _leave(self, tickets: set[int]) -> None:
        """Free the places of these answers; with the last of all goes what was kept for others."""
        left: list[tuple[Joined | Sealed, list[Answer]]] = []
        for batch, answers in self._batches:
            kept = [row for row, answer in enumerate(answers) if answer.ticket not in tickets]
            if kept and len(kept) < len(answers):
                batch.keep(kept)
            if kept:
                left.append((batch, [answers[row] for row in kept]))
        self._batches = left
        if not left and not self._waiting:
            self._reader.forget()
