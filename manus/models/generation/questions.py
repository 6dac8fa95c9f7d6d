"""What the engine is asked, and what it answers token by token. Knows nothing of models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from torch import Tensor

if TYPE_CHECKING:
    from manus.models.generation.joined import Joined

Finish = Literal["stop", "length"]
Limit = Callable[[list[int], Tensor], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """How the tokens of an answer are drawn.

    Args:
        max_new_tokens: the longest answer.
        temperature: 0 takes the likeliest token.
        top_p: the smallest set of tokens that has this probability is drawn from.
        top_k: as many tokens are drawn from, 0 for all.
        seed: of the draws; None takes one from torch's random state when the question is added.
        ends: tokens that end an answer, as `ends_of_turn` returns them.
    """

    max_new_tokens: int
    ends: tuple[int, ...]
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int | None = None


class Begun(Protocol):
    """The beginning of a prompt that has been read; `manus.models.listening.context.Context` is one."""

    def continued(self, ids: Sequence[int], media: Mapping[str, Tensor]) -> tuple[Joined, Tensor]:
        """Read the rest of a prompt; return its row, and the logits [1, V] of its first token."""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """One prompt to be answered.

    Args:
        ids: the tokens of the prompt.
        drawing: how the answer is drawn.
        media: the model's further inputs for this prompt alone (pixels, sound, kinds of tokens), with a batch
            of one.
        limit: changes the logits [V] of the next token, given the tokens of the answer so far; for answers of
            a form.
        top_logprobs: how many of the likeliest tokens are told with each token; None tells no
            log-probabilities.
        begun: what has been read before the question was asked; it reads the rest.
    """

    ids: Sequence[int]
    drawing: Drawing
    media: Mapping[str, Tensor] = field(default_factory=dict)
    limit: Limit | None = None
    top_logprobs: int | None = None
    begun: Begun | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One more token of one answer.

    Args:
        ticket: of the question.
        token: the token, which may be one of the ends.
        logprob: its log-probability as the model gives it, before temperature and limits; None if not asked
            for.
        top: the likeliest tokens with theirs, best first.
        finish: why the answer ends with this token, None while it goes on.
    """

    ticket: int
    token: int
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()
    finish: Finish | None = None


class Unanswered(Exception):
    """Questions that could not be answered: model, medium or limit failed. The engine goes on with others."""

    def __init__(self, tickets: Sequence[int], cause: Exception) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}")
        self.tickets = tuple(tickets)
