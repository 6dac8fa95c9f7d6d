"""Splits a dialogue that is written as one text, with marks of who speaks, into turns. Knows nothing of rows.

| marks | written by |
|---|---|
| `Human:`, `Assistant:` | HH-RLHF and what was made from it |
| `USER:`, `ASSISTANT:`, `FUNCTION RESPONSE:` | Glaive |
| `User:`, `Assistant:` | |
"""

from __future__ import annotations

import re

from manus.data.forms.call_forms import without_end_marks
from manus.data.sample import Message

_SPEAKERS = (
    {"Human": "user", "Assistant": "assistant"},
    {"USER": "user", "ASSISTANT": "assistant", "FUNCTION RESPONSE": "tool"},
    {"User": "user", "Assistant": "assistant"},
)
_MARKS = [re.compile(r"(?:^|\n+)[ \t]*(?:### ?)?(" + "|".join(roles) + "):") for roles in _SPEAKERS]


def read_dialogue(text: str) -> list[Message] | None:
    """Return the turns of a dialogue; None for a text that is none: it begins with the user, and both speak.

    An assistant's turn that is still to come, at the end of a prompt, is an empty one.
    """
    for roles, marks in zip(_SPEAKERS, _MARKS, strict=True):
        before, *parts = marks.split(text)
        if (
            before.strip()
            or len(parts) < 4
            or roles[parts[0]] != "user"
            or "Assistant" not in map(str.title, parts[::2])
        ):
            continue
        spoken = zip(parts[::2], parts[1::2], strict=True)
        return [
            {"role": roles[speaker], "content": without_end_marks(said)}  # type: ignore[typeddict-item]
            for speaker, said in spoken
        ]
    return None
