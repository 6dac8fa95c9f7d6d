"""Tools: call the right function with the right arguments, or say that none fits.

Format taught (`manus.data.forms.tool_format`): the system turn lists the offered functions between <tools>
and </tools>, one JSON Schema a line; the assistant answers with one block per call,

    <tool_call>
    {"name":"get_weather","arguments":{"city":"Oslo"}}
    </tool_call>

or in words. Rows of xlam, OpenAI chats with `tool_calls`, Hermes, Glaive and calls as other models write them
become this form, and an answer in one of theirs is read as the calls that it makes; turns after a function's
result are kept. The last turn decides what the probe expects: the calls parsed from it, compared by name,
arguments and types in any order, or no call. A last turn that speaks of a function's result is not probed:
what is right there is no question of calls.
"""

from __future__ import annotations

from pydantic import Field

from manus.data.forms.messages import as_messages
from manus.data.forms.shown_functions import with_functions
from manus.data.forms.thought_format import spoken_part
from manus.data.forms.tool_format import parse_calls
from manus.data.sample import Row, RowError, Sample
from manus.scorers import tool_calls
from manus.scorers.score import Score
from manus.settings.frozen import Frozen

VERSION = 2
MODALITIES = ("text",)
SAMPLE_KINDS = ("messages", "preference", "prompt")
# Gated: needs an account that accepted its terms. Open instead, and read as well:
# {hub: NousResearch/hermes-function-calling-v1, subset: func_calling_singleturn}
DEFAULT_DATA = {"hub": "Salesforce/xlam-function-calling-60k", "split": "train"}
GENERATOR = "tools"
METRIC = "exact_call"


class Settings(Frozen):
    """Settings of the probe."""

    max_new_tokens: int = Field(
        256, gt=0, description="The longest answer that the probe lets the model give."
    )


def read(row: Row) -> Sample:
    """Return a row with its functions in the system turn and its calls as text.

    Raises:
        RowError: the row is no conversation, or its functions or calls cannot be read.
    """
    sample = with_functions(as_messages(row))
    try:
        sample["calls"] = parse_calls(spoken_part(sample["messages"][-1]["content"]))
    except ValueError as error:
        raise RowError(str(error)) from None
    if sample.get("tools"):
        sample.setdefault("level", {0: "no call", 1: "one call"}.get(len(sample["calls"]), "several calls"))
    return sample


def can_score(sample: Sample) -> bool:
    """Return whether a call, or none, can be told right or wrong."""
    if not sample.get("tools") or "calls" not in sample:
        return False
    return bool(sample["calls"]) or sample["messages"][-2]["role"] == "user"


def score(sample: Sample, completion: str) -> Score:
    """Return whether exactly the expected calls were made.

    Parts: `parsed`, whether calls were made at all and could be read, where some were expected; `name`,
    whether the right functions were called.
    """
    expected, said = sample["calls"], spoken_part(completion)
    if not said:
        return Score(False, "nothing was said", {"parsed": 0.0, "name": 0.0})
    try:
        got = parse_calls(said, may_be_bare=True)
    except ValueError as error:
        return Score(False, str(error), {"parsed": 0.0, "name": 0.0})
    correct, note = tool_calls.compare(expected, got, sample["tools"])
    parsed = float(bool(got) or not expected)
    return Score(correct, note, {"parsed": parsed, "name": float(tool_calls.same_names(expected, got))})
