"""Brings functions' results into the order of the calls that they answer. Knows nothing of what they say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from manus.data.forms.literals import shortened
from manus.data.forms.roles import ROLES, first, word
from manus.data.sample import RowError

_RESPONSES = re.compile(r"(?:<tool_response>(?:(?!</?tool_response>)[\s\S])*</tool_response>\s*)+")
RESULT_IDS = ("tool_call_id", "tool_use_id", "call_id")


def in_order_of_calls(turns: Sequence[Any]) -> list[Any]:
    """Return turns with several calls' results in the order of these: all that tells them apart then."""
    ordered, ids, called = list(turns), list[Any](), list[Any]()
    begin = 0
    for place, turn in enumerate(turns):
        if not isinstance(turn, Mapping) or not isinstance(turn.get("role"), str):
            begin = place + 1
        elif ROLES.get(word(turn["role"])) == "tool":
            results = turns[begin : place + 1]
            are_named = not any(first(one, *RESULT_IDS) for one in results)
            ordered[begin : place + 1] = (
                _sorted_by(called, results, ("name",)) if are_named else _sorted_by(ids, results)
            )
        else:
            content = turn.get("content")
            if isinstance(content, list) and content and all(map(is_result, content)):
                ordered[place] = {**turn, "content": _sorted_by(ids, content)}
            calls = turn.get("tool_calls") or content
            calls = calls if isinstance(calls, list | tuple) else ()
            ids = [one["id"] for one in calls if isinstance(one, Mapping) and one.get("id") is not None]
            called = [_name_of(one) for one in calls if isinstance(one, Mapping)]
            begin = place + 1
    return ordered


def _name_of(call: Mapping[str, Any]) -> Any:
    body = call.get("function")
    return body.get("name") if isinstance(body, Mapping) else call.get("name")


def _sorted_by(
    ids: Sequence[Any], results: Sequence[Mapping[str, Any]], keys: tuple[str, ...] = RESULT_IDS
) -> list[Mapping[str, Any]]:
    """Return results in the order of the calls they name; as they are if one names none, or two the same."""
    named = [first(one, *keys) for one in results]
    if not all(name in ids for name in named) or any(named.count(name) > 1 for name in named):
        return list(results)
    return [
        one for _, one in sorted(zip(map(ids.index, named), results, strict=True), key=lambda pair: pair[0])
    ]


def check_results(turns: Sequence[Any]) -> None:
    """Refuse calls of which one has no result, where results say whose they are and the conversation goes on.

    Raises:
        RowError: one has none: another's would be taken for it.
    """
    ids, named = list[Any](), list[Any]()
    for number, turn in enumerate(turns, 1):
        if not isinstance(turn, Mapping) or not isinstance(turn.get("role"), str):
            ids, named = [], []
        elif ROLES.get(word(turn["role"])) == "tool":
            named.append(first(turn, *RESULT_IDS))
        else:
            missing = [one for one in ids if one not in named]
            if named and missing and all(one in ids for one in named):
                raise RowError(
                    f"turn {number}: the call {shortened(missing[0])} has no result before it, "
                    "and others have"
                )
            calls = turn.get("tool_calls")
            calls = calls if isinstance(calls, list | tuple) else ()
            ids = [one["id"] for one in calls if isinstance(one, Mapping) and one.get("id") is not None]
            named = []


def is_result(part: Any) -> bool:
    """Return whether a part of a turn's content is a result, as Anthropic writes one."""
    return isinstance(part, Mapping) and part.get("type") == "tool_result"


def are_results(text: str) -> bool:
    """Return whether a text consists of results in the tags that Hermes' and Qwen's templates write."""
    return _RESPONSES.fullmatch(text) is not None
