"""Asks the engine itself, token by token and at once. Knows nothing of servers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from manus.models.generation.engine import Engine
from manus.models.generation.questions import Question
from manus.models.generation.text import Stream
from manus.serving.streaming.equality import Said

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def streamed(engine: Engine, tokenizer: PreTrainedTokenizerBase, questions: Sequence[Question]) -> list[Said]:
    """Return the answers as seen by who takes each token when it comes, and shows its piece of text."""
    tickets = [engine.add(question) for question in questions]
    tokens: dict[int, list[int]] = {ticket: [] for ticket in tickets}
    texts = {ticket: Stream(tokenizer) for ticket in tickets}
    pieces: dict[int, list[str]] = {ticket: [] for ticket in tickets}
    ends: dict[int, str | None] = {}
    while engine.running or engine.waiting:
        for step in engine.step():
            tokens[step.ticket].append(step.token)
            pieces[step.ticket].append(texts[step.ticket].add(step.token))
            if step.finish is not None:
                pieces[step.ticket].append(texts[step.ticket].end())
                ends[step.ticket] = step.finish
    return [
        Said("".join(pieces[ticket]), tokens=tuple(tokens[ticket]), finish=ends.get(ticket))
        for ticket in tickets
    ]


def at_once(engine: Engine, tokenizer: PreTrainedTokenizerBase, questions: Sequence[Question]) -> list[Said]:
    """Return the answers as got by who waits for all of each: whole tokens, made text in one go."""
    answers = engine.answers(questions)
    return [
        Said(
            # Without the repair of spaces that some tokenizers do afterwards: it takes back what was shown.
            tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False),
            tokens=tuple(ids),
            finish="stop" if ids and ids[-1] in question.drawing.ends else "length",
        )
        for ids, question in zip(answers, questions, strict=True)
    ]
