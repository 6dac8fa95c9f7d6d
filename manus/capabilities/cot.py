r"""Chain of thought: work a problem out in steps, then give the answer.

Format taught: the steps as plain sentences or equations, then `\boxed{answer}`. Rows of OpenThoughts put
their long thoughts into a `<think>` block before the solution; GSM8K's `#### 72` becomes `\boxed{72}`; any
other conversation is taught as it stands. The probe compares the final answer (`math_answer`); a sample
whose answer cannot be told from its text, such as a proof or a program, trains but is not probed.
"""

from __future__ import annotations

from pydantic import Field

from manus.capabilities._answers import conversation, final_answer, with_answer, without_markers
from manus.data.forms.columns import Columns
from manus.data.forms.messages import as_messages
from manus.data.forms.shown_functions import with_functions
from manus.data.forms.thought_format import spoken_part
from manus.data.forms.worked_solutions import solution_as_answer, split_worked
from manus.data.sample import Row, Sample
from manus.scorers import math_answer
from manus.scorers.score import Score
from manus.settings.frozen import Frozen

VERSION = 2
MODALITIES = ("text",)
SAMPLE_KINDS = ("messages", "preference", "prompt", "text")
DEFAULT_DATA = {"hub": "open-thoughts/OpenThoughts-114k", "split": "train"}
GENERATOR = "cot"
METRIC = "accuracy"


class Settings(Frozen):
    """Settings of the probe."""

    max_new_tokens: int = Field(
        512, gt=0, description="The longest answer that the probe lets the model give."
    )


def read(row: Row) -> Sample:
    """Return a row as a worked solution.

    Raises:
        RowError: the row holds none.
    """
    row = solution_as_answer(Columns.of(row))
    if worked := split_worked(row):
        asked, steps, answer = worked
        return with_answer(
            conversation(asked, "question", f"{steps}\nThe answer is \\boxed{{{answer}}}."), answer
        )
    sample = without_markers(with_functions(as_messages(row)))
    return with_answer(sample, final_answer(sample))


def can_score(sample: Sample) -> bool:
    """Return whether the sample has an answer to compare with."""
    return bool(sample.get("answer"))


def score(sample: Sample, completion: str) -> Score:
    """Return whether the answer after the steps is right."""
    return math_answer.score(sample["answer"], spoken_part(completion))
