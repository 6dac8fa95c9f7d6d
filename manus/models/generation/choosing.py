"""Chooses the next token of each answer from logits: the likeliest, or one drawn. Knows nothing of models."""

# Shapes: B rows, V vocabulary.

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import LogitsProcessorList, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from manus.models.generation.questions import Finish, Question, Step

SEEDS = 2**63 - 1

Failure = tuple[list[int], Exception]  # the tickets of questions that cannot be answered, and why


@dataclass(slots=True)
class Answer:
    """An answer that is being given: its question, its tokens so far, and the state of its draws.

    `joins` tells whether it may share a batch that changes.
    """

    ticket: int
    question: Question
    ids: list[int] = field(default_factory=list)
    draws: torch.Generator | None = None
    joins: bool = False

    def __post_init__(self) -> None:
        drawing = self.question.drawing
        if drawing.temperature > 0:
            seed = int(torch.randint(SEEDS, ())) if drawing.seed is None else drawing.seed
            self.draws = torch.Generator().manual_seed(
                seed
            )  # of the processor: the same draws on every device

    def add(self, token: int, logprob: float | None, top: tuple[tuple[int, float], ...]) -> Step:
        """Take a token in and say whether it is the last."""
        self.ids.append(token)
        drawing = self.question.drawing
        finish: Finish | None = None
        if token in drawing.ends:
            finish = "stop"
        elif len(self.ids) >= drawing.max_new_tokens:
            finish = "length"
        return Step(self.ticket, token, logprob, top, finish)


def choose(answers: Sequence[Answer], logits_BV: Tensor) -> tuple[list[Step], list[Failure]]:
    """Return the next token of each answer, and the answers whose limit failed.

    A draw takes one number of the answer's own generator, so it depends on its seed and logits alone. The
    logits are those of the batch, and differ in their last bits with what shares it: a draw that falls on
    such a border may too.

    Args:
        answers: B answers.
        logits_BV: of their next tokens.
    """
    logits_BV = logits_BV.float()
    logprobs, tops = _told(answers, logits_BV)
    logits_BV, failed = _limited(answers, logits_BV)
    tokens_B = logits_BV.argmax(-1)
    for drawing, rows in _alike(answers).items():
        tokens_B[rows] = _drawn(drawing, [answers[row] for row in rows], logits_BV[rows])
    steps = [
        answer.add(token, float(logprobs[row][token]) if row in logprobs else None, tops.get(row, ()))
        for row, (answer, token) in enumerate(zip(answers, tokens_B.tolist(), strict=True))
        if row not in failed
    ]
    return steps, [([answers[row].ticket], error) for row, error in failed.items()]


def _limited(answers: Sequence[Answer], logits_BV: Tensor) -> tuple[Tensor, dict[int, Exception]]:
    """Return logits as the questions' limits change them, and which rows' limits failed."""
    rows = [row for row, answer in enumerate(answers) if answer.question.limit is not None]
    failed: dict[int, Exception] = {}
    if rows:
        logits_BV = logits_BV.clone()
    for row in rows:
        limit = answers[row].question.limit
        assert limit is not None
        try:
            logits_BV[row] = limit(answers[row].ids, logits_BV[row])
        except Exception as error:  # whatever a limit does is its question's failure alone
            failed[row] = error
    return logits_BV, failed


def _told(
    answers: Sequence[Answer], logits_BV: Tensor
) -> tuple[dict[int, Tensor], dict[int, tuple[tuple[int, float], ...]]]:
    """Return the log-probabilities [V] of the rows that ask for them, and their likeliest tokens."""
    logprobs = {
        row: logits_BV[row].log_softmax(-1).cpu()
        for row, answer in enumerate(answers)
        if answer.question.top_logprobs is not None
    }
    tops = {}
    for row, values_V in logprobs.items():
        best = values_V.topk(answers[row].question.top_logprobs or 0)
        tops[row] = tuple(zip(best.indices.tolist(), best.values.tolist(), strict=True))
    return logprobs, tops


def _alike(answers: Sequence[Answer]) -> dict[tuple[float, int, float], list[int]]:
    """Return the rows that are drawn, by how: their temperature, top_k and top_p."""
    rows: dict[tuple[float, int, float], list[int]] = {}
    for row, answer in enumerate(answers):
        drawing = answer.question.drawing
        if drawing.temperature > 0:
            rows.setdefault((drawing.temperature, drawing.top_k, drawing.top_p), []).append(row)
    return rows


def warpers(temperature: float, top_k: int, top_p: float) -> LogitsProcessorList:
    """Return transformers' own changes of logits for a drawing, in the order of `generate`."""
    found = LogitsProcessorList()
    if temperature != 1.0:
        found.append(TemperatureLogitsWarper(temperature))
    if top_k:
        found.append(TopKLogitsWarper(top_k))
    if top_p < 1.0:
        found.append(TopPLogitsWarper(top_p))
    return found


def _drawn(drawing: tuple[float, int, float], answers: Sequence[Answer], logits_BV: Tensor) -> Tensor:
    """Draw by inversion: the token at which the sum of probabilities passes a number between 0 and 1."""
    probabilities_BV = warpers(*drawing)(None, logits_BV).softmax(-1, dtype=torch.float64)
    sums_BV = probabilities_BV.cumsum(-1)
    numbers_B = torch.cat([torch.rand(1, generator=answer.draws, dtype=torch.float64) for answer in answers])
    reached_B = numbers_B.to(sums_BV.device) * sums_BV[:, -1]
    return (
        torch.searchsorted(sums_BV, reached_B[:, None], right=True).squeeze(1).clamp(max=sums_BV.shape[1] - 1)
    )
