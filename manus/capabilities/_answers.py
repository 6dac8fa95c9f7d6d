"""What the capabilities with one verifiable answer share. Knows nothing of their formats."""

from __future__ import annotations

from manus.data.forms.columns import Columns
from manus.data.forms.messages import as_messages
from manus.data.forms.shown_functions import with_functions
from manus.data.forms.thought_format import from_markers, spoken_part
from manus.data.forms.turns import read_text
from manus.data.sample import Message, RowError, Sample
from manus.scorers import math_answer

_CONVERSATIONS = ("messages", "conversations", "conversation")  # which would be read instead


def conversation(row: Columns, question: str, said: str) -> Sample:
    """Return the sample of a question and what the assistant says, with all that belongs to them in the row.

    Args:
        row: without its answer.
        question: the column of the question.
        said: the assistant's turn.

    Raises:
        RowError: something of it cannot be read.
    """
    asked = {"prompt": row[question], "completion": said}
    return with_functions(as_messages(row.replaced((question, *_CONVERSATIONS), **asked)))


def without_markers(sample: Sample) -> Sample:
    """Return the sample with OpenThoughts' markers as a <think> block, without the system turn for them.

    Raises:
        RowError: the markers are incomplete.
    """
    kept = [
        m for m in sample["messages"] if m["role"] != "system" or "<|begin_of_thought|>" not in m["content"]
    ]
    messages: list[Message] = []
    for message in kept:
        try:
            content = (
                from_markers(message["content"]) if message["role"] == "assistant" else message["content"]
            )
        except ValueError as error:
            raise RowError(str(error)) from None
        if content != message["content"] and isinstance(message.get("learn"), list):
            raise RowError(
                "a turn says which of its characters are learned, but its thought is written in another form"
            )
        messages.append({**message, "content": content})
    return {**sample, "messages": messages}


def final_answer(sample: Sample) -> str | None:
    """Return the sample's own answer, or the one that its last turn ends in."""
    return sample.get("answer") or math_answer.extract(spoken_part(sample["messages"][-1]["content"]))


def with_answer(sample: Sample, answer: str | None) -> Sample:
    """Return the sample with what the probe compares with; without an answer it is not probed.

    Raises:
        RowError: the answer is no text.
    """
    try:
        return {**sample, "answer": read_text(answer)} if answer else sample
    except ValueError as error:
        raise RowError(f"the answer: {error}") from None
