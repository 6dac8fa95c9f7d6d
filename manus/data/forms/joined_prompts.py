"""Makes one conversation of a prompt and a completion, both lists of turns. Knows nothing of their words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manus.data.forms.columns import Columns
from manus.data.forms.flags import OF_TURNS
from manus.data.forms.messages import CONVERSATIONS, PAIRS
from manus.data.forms.questions import are_turns, listed_turns
from manus.data.forms.roles import is_from_assistant
from manus.data.sample import RowError


def joined(row: Columns) -> Columns:
    """Return a row whose prompt and completion are lists of turns as one conversation; any other as it is."""
    if any(row.get(key) is not None for key in CONVERSATIONS):
        return row
    for asked, answered in PAIRS:
        sides = [
            (listed_turns(row.get(name), name), role)
            for name, role in ((asked, "user"), (answered, "assistant"))
        ]
        if any(side is None for side, _ in sides):
            continue
        if not any(are_turns(side) for side, _ in sides):
            return row
        row.take_all((asked, answered))
        asks, says = (
            [*side] if are_turns(side) else [{"role": role, "content": side}] for side, role in sides
        )
        return row.replaced(
            (asked, answered), messages=[*(_only_read(turn, asked, turn is asks[-1]) for turn in asks), *says]
        )
    return row


def _only_read(turn: Mapping[str, Any], column: str, is_last: bool) -> Mapping[str, Any]:
    """Return a turn of a prompt, of which none is learned that does not ask for it.

    Raises:
        RowError: it is the last one, and the assistant's.
    """
    if not is_from_assistant(turn):
        return turn
    if is_last:
        raise RowError(
            f"{column!r} ends with a turn of the assistant, which the answer goes on with; "
            "put its words into the answer"
        )
    says_nothing = column == "prompt" and not any(turn.get(name) is not None for name in OF_TURNS)
    return {**turn, "train": False} if says_nothing else turn
