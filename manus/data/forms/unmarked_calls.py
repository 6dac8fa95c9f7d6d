"""Finds calls without any mark, by the names of the functions that a row has. Knows nothing of rows.

`w(c="x")` and nothing else, also between ``` marks, is a call of the function `w`. Other ways to name a
function as one that is called (`{"action": "w", ...}`, code in which it stands) are refused, so that they are
not taught as words.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from manus.data.forms.call_forms import without_end_marks, written_calls
from manus.data.forms.calls import Call
from manus.data.forms.literals import read_literal, shortened

_CODE_TAGS = re.compile(
    r"<(code|execute|python|execute_ipython)>(.*?)</\1>", re.DOTALL
)  # smolagents', CodeAct's
_FENCE = re.compile(r"```(?:python|py|json|tool_call|tool_code)?[ \t]*\n(.*?)\n?```", re.DOTALL)


def unmarked_calls(text: str, names: Collection[str]) -> list[Call]:
    """Return the calls that a text consists of; none where it says something else.

    Args:
        text: what an assistant says, without a mark of a call.
        names: of the row's functions.

    Raises:
        ValueError: it calls a function in a form that is not read.
    """
    said = without_end_marks(text)
    fenced = _FENCE.fullmatch(said)
    bare = fenced[1].strip() if fenced else said
    called = re.compile(rf"(?:{'|'.join(map(re.escape, names))})[ \t]*\(", re.MULTILINE)
    if called.match(bare) and bare.endswith(")"):
        try:
            return written_calls(f"[{';'.join(bare.splitlines()) if _is_one_a_line(bare, called) else bare}]")
        except ValueError:
            pass  # code, or words; seen below
    if (named := _named_in(bare, names)) is not None:
        raise ValueError(
            f"it names the function {named!r} in JSON that is no call; "
            "write the call as a turn's 'tool_calls'"
        )
    if found := re.search(
        r"""["'](?:name|tool|tool_name|function|action)["']\s*:\s*["']"""
        rf"""({"|".join(map(re.escape, names))})["']""",
        said,
    ):
        raise ValueError(
            f"it names the function {found[1]!r} in JSON among other words; "
            "write the call as a turn's 'tool_calls'"
        )
    if found := re.match(rf"<({'|'.join(map(re.escape, names))})>[\s\S]*</\1>\Z", bare):
        raise ValueError(
            f"it calls the function {found[1]!r} by a tag; write the call as a turn's 'tool_calls'"
        )
    is_code = re.match(
        rf"(?:\w+[ \t]*=[ \t]*|print\(|await[ \t]+|return[ \t]+){called.pattern}", said
    ) or called.match(said)
    for code in [
        *(block[1] for block in _FENCE.finditer(said)),
        *(block[2] for block in _CODE_TAGS.finditer(said)),
    ] or ([said] if is_code else []):
        if found := re.search(rf"(?<![\w.\"'#]){called.pattern}", code):
            raise ValueError(
                f"it calls a function in code, {shortened(found[0])}; "
                "write the call as a turn's 'tool_calls', or leave the function out"
            )
    return []


def _is_one_a_line(text: str, called: re.Pattern[str]) -> bool:
    return all(called.match(line) and line.rstrip().endswith(")") for line in text.splitlines())


def _named_in(text: str, names: Collection[str]) -> str | None:
    """Return the function that a JSON object, or one in a list, names as a value."""
    if not text.startswith(("{", "[")):
        return None
    try:
        value: Any = read_literal(text)
    except ValueError:
        return None
    for one in value if isinstance(value, list | tuple) else [value]:
        if isinstance(one, Mapping) and (
            found := [v for v in one.values() if isinstance(v, str) and v in names]
        ):
            return found[0]
    return None
