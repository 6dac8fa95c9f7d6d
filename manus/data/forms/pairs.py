"""Reads rows that hold a better and a worse answer. Knows the shapes that people publish, and nothing of capabilities.

| shape | columns |
|---|---|
| TRL, argilla | `prompt` (or `question`, `instruction`, ...) with `chosen`, `rejected`, as text or as turns |
| UltraFeedback | `chosen`, `rejected`: whole conversations that part at their last turn |
| distilabel | `instruction`, `chosen_response`, `rejected_response` |
| LLaMA-Factory | `conversations` with `chosen`, `rejected`, one turn each; or `instruction`, `input` |
| HH-RLHF | `chosen`, `rejected`: one text each, with "Human:" and "Assistant:" marks |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from manus.data.forms.literals import read_literal
from manus.data.forms.prompts import question_of
from manus.data.forms.turns import checked, read_text, read_turns
from manus.data.sample import Message, Row, RowError, Sample

_ANSWERS = (("chosen", "rejected"), ("chosen_response", "rejected_response"))
_KEPT = ("answer", "level", "tools")
_SPEAKER = re.compile(r"(?:^|\n+)(Human|Assistant):")


def read_pair(row: Row, read: Callable[[Row], Sample]) -> Sample:
    """Return a row as the sample that `read` makes of its better answer, with the worse one as `rejected`.

    Raises:
        RowError: the row holds no two answers to one prompt, or `read` refuses the better one.
    """
    names = next((pair for pair in _ANSWERS if all(row.get(name) is not None for name in pair)), None)
    if names is None:
        columns = ", ".join(sorted(map(str, row))) or "(none)"
        raise RowError(f"no 'chosen' and 'rejected' answer: the columns are {columns}; on_policy: {{}} makes them")
    try:
        chosen, rejected = (_turns(row[name]) for name in names)
        asked = chosen[:-1] or question_of({name: value for name, value in row.items() if name not in names})
        if rejected[:-1] not in ([], chosen[:-1]):
            raise RowError("the chosen and the rejected conversation part before their last turn")
        better, worse = (checked([*asked, answers[-1]])[-1]["content"] for answers in (chosen, rejected))
    except RowError:
        raise
    except ValueError as error:
        raise RowError(str(error)) from None
    if better == worse:
        raise RowError("the chosen and the rejected answer are the same")
    kept = {name: row[name] for name in _KEPT if name in row}
    return {**read({**kept, "messages": [*asked, chosen[-1]]}), "rejected": worse}


def _turns(value: Any) -> list[Message]:
    """Return an answer as turns that end with the assistant's: a text, a turn, or a whole conversation."""
    if isinstance(value, Mapping):
        return read_turns([value])
    if isinstance(value, list | tuple) and not value:
        raise RowError("an answer holds no turn")
    if isinstance(value, str) and value.lstrip().startswith(("[{", "[ {")):
        value = read_literal(value)
    if not isinstance(value, str):
        return read_turns(value)
    marked = _SPEAKER.split(value)
    if len(marked) > 3 and not marked[0].strip():
        roles = {"Human": "user", "Assistant": "assistant"}
        pairs = zip(marked[1::2], marked[2::2], strict=True)
        return read_turns([{"role": roles[speaker], "content": text.strip()} for speaker, text in pairs])
    return [{"role": "assistant", "content": read_text(value)}]
