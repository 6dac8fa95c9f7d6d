"""Reads worked solutions that end in `#### answer`, as GSM8K writes them. Knows nothing of formats taught."""

from __future__ import annotations

import re

from manus.data.forms.columns import Columns
from manus.data.forms.questions import choices_of

# GSM8K marks what a calculator would fill in: "48/2 = <<48/2=24>>24".
_CALCULATOR = re.compile(r"<<[^<>]*>>")


_CONVERSATIONS = ("messages", "conversations", "conversation", "problem", "prompt")  # which are read instead


def solution_as_answer(row: Columns) -> Columns:
    """Return a row of question, final answer and the work to it, as LIMO's, with the work as what is said.

    Of `answer` and `solution` the longer one is the work; any other row stays as it is.
    """
    question, solution, answer = (row.get(name) for name in ("question", "solution", "answer"))
    if any(row.get(name) is not None for name in _CONVERSATIONS) or not isinstance(question, str):
        return row
    if not isinstance(solution, str) or not isinstance(answer, str | int | float) or isinstance(answer, bool):
        return row
    if len(solution.strip()) <= len(str(answer).strip()) or choices_of(row, "question") is not None:
        return row
    return row.replaced(("question",), problem=row.take("question"))


def split_worked(row: Columns) -> tuple[Columns, str, str] | None:
    """Return steps and answer of a row in GSM8K's shape, with all else in it; None for any other row."""
    question, answer = row.get("question"), row.get("answer")
    if not isinstance(question, str) or not isinstance(answer, str) or "####" not in answer:
        return None
    steps, _, final = answer.rpartition("####")
    steps, final = _CALCULATOR.sub("", steps).strip(), final.strip().replace(",", "")
    if not (question.strip() and steps and final):
        return None
    row.take_all(("question", "answer"))
    return row.replaced(("answer",)), steps, final
