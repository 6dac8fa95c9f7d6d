"""Shows the functions of a sample where its calls are taught: in the system turn. Knows nothing of rows."""

from __future__ import annotations

from typing import Any

from manus.data.forms.thought_format import spoken_part
from manus.data.forms.tool_format import parse_calls, render_tools
from manus.data.forms.tool_schemas import tools_within
from manus.data.sample import Message, RowError, Sample


def with_functions(sample: Sample) -> Sample:
    """Return a sample whose system turn lists its functions.

    Raises:
        RowError: it calls functions that it does not show, or its calls cannot be read.
    """
    messages = sample["messages"]
    try:
        _check_calls_are_shown(messages, {tool["name"] for tool in sample.get("tools", [])})
        if not sample.get("tools"):
            return sample
        return {**sample, "messages": _listed(messages, sample["tools"])}
    except RowError:
        raise
    except ValueError as error:
        raise RowError(str(error)) from None


def _listed(messages: list[Message], tools: list[dict[str, Any]]) -> list[Message]:
    shown = render_tools(tools)
    if messages[0]["role"] != "system":
        return [{"role": "system", "content": shown}, *messages]
    own = messages[0]["content"]
    # A system turn that lists functions teaches a form of its own; any other says something of the user's.
    content = shown if tools_within(own) else f"{own}\n\n{shown}"
    return [{"role": "system", "content": content}, *messages[1:]]


def _check_calls_are_shown(messages: list[Message], names: set[str]) -> None:
    """Refuse calls of functions that neither the row lists nor a text before them names.

    They would be taught from nothing.
    """
    before = ""
    for number, message in enumerate(messages, 1):
        if message["role"] != "assistant":
            before += message["content"]
            continue
        for call in parse_calls(spoken_part(message["content"])):
            if call["name"] not in names and call["name"] not in before:
                listed = (
                    f"which is none of its functions ({', '.join(sorted(names))})"
                    if names
                    else ("and the row shows no functions; give them in a column 'tools'")
                )
                raise RowError(f"turn {number} calls {call['name']!r}, {listed}")
