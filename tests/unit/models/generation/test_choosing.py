"""The next token: the likeliest, or one drawn with the probability that the drawing gives it."""

from __future__ import annotations

import torch

from manus.models.generation.choosing import Answer, choose
from manus.models.generation.questions import Drawing, Question


def counts(logits: list[float], draws: int = 4000, **drawing: float) -> list[float]:
    answers = [
        Answer(seed, Question([1], Drawing(max_new_tokens=2, ends=(), seed=seed, **drawing)))
        for seed in range(draws)
    ]
    steps, failed = choose(answers, torch.tensor([logits]).expand(draws, -1))
    assert not failed
    return [sum(step.token == token for step in steps) / draws for token in range(len(logits))]


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    logits = [0.0, 1.0, 2.0, float("-inf")]
    for temperature in (0.5, 1.0, 2.0):
        expected = (torch.tensor(logits) / temperature).softmax(-1)
        assert torch.allclose(torch.tensor(counts(logits, temperature=temperature)), expected, atol=0.025)
    assert counts(logits, temperature=1.0)[3] == 0


def test_few_tokens_are_drawn_from_where_asked() -> None:
    logits = [0.0, 1.0, 2.0, 3.0]
    assert counts(logits, temperature=1.0, top_k=2)[:2] == [0, 0]
    assert counts(logits, temperature=1.0, top_p=0.5)[:3] == [0, 0, 0]
    assert counts(logits)[:3] == [0, 0, 0]


def test_answers_of_several_drawings_share_a_batch() -> None:
    kinds = [{}, {"temperature": 1.0}, {"temperature": 1.0, "top_k": 1}, {"temperature": 1.0}]
    answers = [
        Answer(row, Question([1], Drawing(max_new_tokens=1, ends=(), seed=row, **kind)))
        for row, kind in enumerate(kinds)
    ]
    logits_BV = torch.randn(4, 50, generator=torch.Generator().manual_seed(0))
    together = [step.token for step in choose(answers, logits_BV)[0]]
    assert [together[0], together[2]] == [int(logits_BV[row].argmax()) for row in (0, 2)]
    again = Answer(9, Question([1], Drawing(max_new_tokens=1, ends=(), seed=3, temperature=1.0)))
    (alone,), _ = choose([again], logits_BV[3:])
    assert alone.token == together[3] and alone.finish == "length"
