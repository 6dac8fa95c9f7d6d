"""Reads rows as verl has them: a prompt, and an answer that is compared with and not imitated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manus.data.forms.columns import Columns, is_empty
from manus.data.forms.questions import listed_answers
from manus.data.forms.services import there_in
from manus.data.sample import RowError

_SAYS_NOTHING = ("ability", "data_source")  # of what is asked or answered; the source is the level


def is_verl(row: Mapping[str, Any]) -> bool:
    """Tell whether a row is a prompt of verl's, whose answer is only compared with."""
    given = row.get("reward_model")
    return isinstance(given, Mapping) and "ground_truth" in given and row.get("prompt") is not None


def of_verl(row: Columns) -> Columns:
    """Return a prompt with its answer, which nothing imitates, under `ground_truth`."""
    given = row.take("reward_model")
    for name in there_in(given).keys() - {"ground_truth", "style"}:
        row.note(f"reward_model.{name}")
    extra = row.get("extra_info")
    if isinstance(extra, Mapping):
        row.take("extra_info")
        for name, value in extra.items():
            if name.endswith("kwargs") and not is_empty(value):  # what functions are made with
                row.note(f"extra_info.{name}")
    row.take_all(_SAYS_NOTHING)
    answer = listed_answers(given["ground_truth"], "answers")  # a list as a text, as Skywork-OR1 has it
    if isinstance(answer, list | tuple):
        if len(answer) != 1:
            raise RowError(
                f"reward_model has {len(answer)} right answers; give the one that is compared with"
            )
        answer = answer[0]
    level = (
        {}
        if row.get("level") is not None or row.get("data_source") is None
        else {"level": str(row["data_source"])}
    )
    return row.replaced(("reward_model", "extra_info", *_SAYS_NOTHING), ground_truth=answer, **level)
