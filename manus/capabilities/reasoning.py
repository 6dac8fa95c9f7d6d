r"""Reasoning: solve problems of mathematics and logic, measured by level of difficulty.

Format taught: the solution as the data set writes it, its answer in `\boxed{}`. The verifiable answer of
NuminaMath and MATH rows is the last balanced `\boxed{}` of the solution; proofs have none, train, and are
not probed. The probe compares the final answer and reports accuracy by `level`: the row's own, or
NuminaMath's `source` (its sources differ in difficulty as levels do). The `entry` of a generated row stays
with the sample, so that reasoning-gym's own scorer can reward it.
"""

from __future__ import annotations

from pydantic import Field

from manus.capabilities._answers import final_answer, with_answer, without_markers
from manus.data.forms.columns import Columns
from manus.data.forms.messages import as_messages
from manus.data.forms.shown_functions import with_functions
from manus.data.forms.thought_format import spoken_part
from manus.data.forms.worked_solutions import solution_as_answer
from manus.data.sample import Row, Sample
from manus.scorers import math_answer
from manus.scorers.score import Score
from manus.settings.frozen import Frozen

VERSION = 3
MODALITIES = ("text",)
SAMPLE_KINDS = ("messages", "preference", "prompt", "text")
DEFAULT_DATA = {"hub": "AI-MO/NuminaMath-CoT", "split": "train"}
GENERATOR = "reasoning"
METRIC = "accuracy"


class Settings(Frozen):
    """Settings of the probe."""

    max_new_tokens: int = Field(
        512, gt=0, description="The longest answer that the probe lets the model give."
    )


def read(row: Row) -> Sample:
    """Return a row as a problem and its solution.

    Raises:
        RowError: the row holds none.
    """
    row = solution_as_answer(Columns.of(row))
    levelled = row
    if row.get("level") is None and "source" in row:
        levelled = row.replaced(level=row.take("source"))
    sample = without_markers(with_functions(as_messages(levelled)))
    if isinstance(row.get("entry"), str):
        sample["entry"] = row.take("entry")
    if isinstance(solution := row.get("solution"), str):
        boxed = math_answer.boxed(solution)
        if boxed or any(message["content"] == solution.strip() for message in sample["messages"]):
            row.take("solution")
        return with_answer(sample, sample.get("answer") or boxed)
    return with_answer(sample, final_answer(sample))


def can_score(sample: Sample) -> bool:
    """Return whether the sample has an answer to compare with."""
    return bool(sample.get("answer"))


def score(sample: Sample, completion: str) -> Score:
    """Return whether the final answer is right."""
    return math_answer.score(sample["answer"], spoken_part(completion))
