"""Puts single questions of a podcast's writer to a model. Knows nothing of what is asked."""

from __future__ import annotations

from pathlib import Path

from manus.data.forms.thought_format import spoken_part
from manus.errors import InputError
from manus.models.generation.engine import Engine
from manus.models.generation.questions import Question
from manus.models.generation.settings import drawn, greedy
from manus.models.generation.text import Stream
from manus.serving.hosted import Hosted
from manus.serving.podcast.answers import Ask

TEMPERATURE, TOP_P = 0.7, 0.95


def asking(folder: Path) -> Ask:
    """Load a model and return what asks it; each question stands alone.

    Raises:
        ModelError: it cannot be loaded.
    """
    hosted = Hosted.load(folder, folder.name)
    pad = int(hosted.tokenizer.pad_token_id)  # type: ignore[arg-type]
    engine = Engine(hosted.model, places=1, pad_token_id=pad)

    def ask(prompt: str, most_tokens: int, attempt: int) -> str:
        put = hosted.asked([{"role": "user", "content": _content(hosted, prompt)}], None)
        if hosted.context is not None and len(put.ids) + most_tokens > hosted.context:
            raise InputError(
                f"{hosted.name} reads {hosted.context} tokens, a question and its answer take "
                f"{len(put.ids) + most_tokens}; make the source's paragraphs shorter, or take a model that reads more"
            )
        drawing = (
            greedy(hosted.model, hosted.tokenizer, most_tokens)
            if attempt == 0
            else drawn(hosted.model, hosted.tokenizer, most_tokens, TEMPERATURE, TOP_P, seed=attempt)
        )
        stream, text = Stream(hosted.tokenizer), ""
        ticket = engine.add(Question(put.ids, drawing, put.media))
        try:
            while steps := engine.step():
                (step,) = steps
                text += stream.add(step.token) + (stream.end() if step.finish else "")
        finally:
            engine.cancel(ticket)
        return spoken_part(put.thought + text)

    return ask


def _content(hosted: Hosted, prompt: str) -> object:
    """Return a user's turn as the model takes it."""
    if not hosted.senses:
        return prompt
    hosted.refuse_unmeant(prompt)
    return [{"type": "text", "text": prompt}]
