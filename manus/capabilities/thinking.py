r"""Thinking: think first, in a block of its own, then answer.

Format taught:

    <think>
    the thought
    </think>
    the answer, with \boxed{} where it is one value

s1K's trajectory and attempt, GSM8K's steps and answer, and OpenThoughts' marked thoughts become this form;
other rows must already have it. The probe asks for both: the block is there once, closed, not empty and
followed by an answer (part `well_formed`), and the answer is right.
"""

from __future__ import annotations

from pydantic import Field

from manus.capabilities._answers import conversation, final_answer, with_answer, without_markers
from manus.data.forms.columns import Columns
from manus.data.forms.messages import as_messages
from manus.data.forms.shown_functions import with_functions
from manus.data.forms.thought_format import render_thought, split_thought
from manus.data.forms.worked_solutions import split_worked
from manus.data.sample import Row, RowError, Sample
from manus.scorers import math_answer
from manus.scorers.score import Score
from manus.settings.frozen import Frozen

VERSION = 1
MODALITIES = ("text",)
SAMPLE_KINDS = ("messages", "preference", "prompt")
DEFAULT_DATA = {"hub": "simplescaling/s1K-1.1", "split": "train"}
GENERATOR = "thinking"
METRIC = "accuracy"

# s1K's solutions are either the bare answer or a text; no bare answer is longer than this.
LONGEST_BARE_ANSWER_CHARACTERS = 40


class Settings(Frozen):
    """Settings of the probe."""

    max_new_tokens: int = Field(
        1024, gt=0, description="The longest thought and answer that the probe lets be."
    )


def read(row: Row) -> Sample:
    """Return a row as thought and answer.

    Raises:
        RowError: the row holds no thought, or no answer after it.
    """
    row = Columns.of(row)
    if worked := split_worked(row):
        asked, steps, answer = worked
        said = render_thought(steps, f"The answer is \\boxed{{{answer}}}.")
        return with_answer(conversation(asked, "question", said), answer)
    if "deepseek_thinking_trajectory" in row:
        return _read_s1k(row)
    sample = without_markers(with_functions(as_messages(row)))
    if split_thought(sample["messages"][-1]["content"]) is None:
        raise RowError("the answer is not one <think>...</think> block with text, followed by an answer")
    return with_answer(sample, final_answer(sample))


def _read_s1k(row: Columns) -> Sample:
    columns = ("question", "deepseek_thinking_trajectory", "deepseek_attempt")
    for column in columns:
        if not isinstance(row.get(column), str) or not row[column].strip():
            raise RowError(f"{column!r} is missing, empty or not text")
    _, thought, attempt = (row.take(column).strip() for column in columns)
    said = render_thought(thought, attempt)
    if split_thought(said) is None:
        raise RowError("the thought or the attempt contains a <think> tag of its own")
    solution = row.take("solution").strip() if isinstance(row.get("solution"), str) else ""
    bare = solution if len(solution) <= LONGEST_BARE_ANSWER_CHARACTERS and "\n" not in solution else None
    return with_answer(
        conversation(row, "question", said), math_answer.boxed(solution) or bare or math_answer.boxed(attempt)
    )


def can_score(sample: Sample) -> bool:
    """Return whether the sample has an answer to compare with."""
    return bool(sample.get("answer"))


def score(sample: Sample, completion: str) -> Score:
    """Return whether the model thought in the form taught and then answered rightly."""
    thought_and_answer = split_thought(completion)
    if thought_and_answer is None:
        return Score(
            False, "no closed <think> block followed by an answer", {"well_formed": 0.0, "answered": 0.0}
        )
    result = math_answer.score(sample["answer"], thought_and_answer[1])
    return Score(result.correct, result.note, {"well_formed": 1.0, **result.parts})
