"""Reads worked solutions that end in `#### answer`, as GSM8K writes them. Knows nothing of formats taught."""

from __future__ import annotations

import re

from manus.data.sample import Row

# GSM8K marks what a calculator would fill in: "48/2 = <<48/2=24>>24".
_CALCULATOR = re.compile(r"<<[^<>]*>>")


def split_worked(row: Row) -> tuple[str, str, str] | None:
    """Return question, steps and answer of a row in GSM8K's shape, None for any other row."""
    question, answer = row.get("question"), row.get("answer")
    if not isinstance(question, str) or not isinstance(answer, str) or "####" not in answer:
        return None
    steps, _, final = answer.rpartition("####")
    steps, final = _CALCULATOR.sub("", steps).strip(), final.strip().replace(",", "")
    return (question.strip(), steps, final) if question.strip() and steps and final else None
