"""Reads worked solutions that end in `#### answer`, as GSM8K writes them. Knows nothing of formats taught."""

from __future__ import annotations

import re

from manus.data.forms.columns import Columns

# GSM8K marks what a calculator would fill in: "48/2 = <<48/2=24>>24".
_CALCULATOR = re.compile(r"<<[^<>]*>>")


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
