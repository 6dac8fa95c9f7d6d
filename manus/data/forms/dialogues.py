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
from manus.data.sample import Message, RowError, Sample

_SPEAKERS = (
    {"Human": "user", "Assistant": "assistant"},
    {"USER": "user", "ASSISTANT": "assistant", "FUNCTION RESPONSE": "tool"},
    {"User": "user", "Assistant": "assistant"},
)
_MARKS = [re.compile(r"(?:^|\n+)[ \t]*(?:### ?)?(" + "|".join(roles) + "):") for roles in _SPEAKERS]

_ANSWERS = re.compile(r"()(?:(?:### ?)?(?:Assistant|ASSISTANT)|### ?Response):\s*")
_ANY = re.compile(r"^[ \t]*(?:### ?)?(?:Assistant|ASSISTANT|Human|User|USER|### ?Response):", re.MULTILINE)
_ASKS = re.compile(r"((?:<\|?(?:image|video|audio)\|?>\s*)*)(?:### ?)?(?:Human|User|USER):\s*")
# The next question and its answer, or the next question's mark at the end, behind an answer.
_NEXT = re.compile(
    r"\S[ \t]*\n+[ \t]*((?:### ?)?(?:Human|User|USER):)"
    r"(?:[\s\S]*\n[ \t]*(?:### ?)?(?:Assistant|ASSISTANT):|\s*\Z)"
    r"|\S[ \t]*\n\n((?:### ?)?Human:)\s"
    r"|\S[ \t]*\n+(### Instruction:)[\s\S]*\n### Response:"
)
_NEXT_OF_TEMPLATES = re.compile(
    r"^<\|(?:user|assistant|im_start\|>user)(?:\|>)?[ \t]*$|\[INST\][\s\S]*\[/INST\]|<\|endoftext\|>(?=\s*\S)",
    re.MULTILINE,
)
_LISTED = re.compile(r"\w+:\s")
_ABOUT_DIALOGUES = re.compile(
    r"dialog|conversation|transcript|script|chat|interview|assistant|human|user|prompt"
    r"|example|instruction|format|continue",
    re.IGNORECASE,
)


def without_marks(messages: list[Message]) -> list[Message]:
    """Return turns without the marks of who speaks, where each turn of a side begins with its own alone.

    Questions marked as `User:` count where the answers are marked, too.
    """
    marks = {"assistant": _ANSWERS, "user": _ASKS}
    if any(isinstance(one.get("learn"), list) for one in messages):
        return messages
    is_marked = {
        role: all(
            mark.match(one["content"]) and len(_ANY.findall(one["content"])) == 1
            for one in messages
            if one["role"] == role
        )
        for role, mark in marks.items()
    }
    is_human = all(
        one["content"].startswith(("Human:", "### Human:")) for one in messages if one["role"] == "user"
    )
    if not is_marked["assistant"]:
        is_marked["user"] = is_marked["user"] and is_human
    return [
        {**one, "content": marks[one["role"]].sub(r"\1", one["content"], count=1)}
        if is_marked.get(one["role"])
        else one
        for one in messages
    ]


def refuse_going_on(sample: Sample) -> Sample:
    """Return a sample whose learned answers end where they end.

    Raises:
        RowError: one goes on with the next question and its answer, and nothing asks for a dialogue.
    """
    asked = " ".join(one["content"] for one in sample.get("messages", ()) if one["role"] == "user")
    for number, message in enumerate(sample.get("messages", ()), 1):
        if message["role"] != "assistant" or message.get("learn") is False:
            continue
        if _ABOUT_DIALOGUES.search(asked):
            continue
        said = message["content"]
        mark = next(filter(None, (marks.search(said) for marks in (_NEXT, _NEXT_OF_TEMPLATES))), None)
        if mark is None or mark[0].startswith(":") or (mark.re is _NEXT and _LISTED.match(said)):
            continue
        raise RowError(
            f"turn {number} (assistant) goes on with the next question, behind "
            f"{next(filter(None, mark.groups()), mark[0].partition(' ')[0])!r}: "
            "give the turns, with their roles, or the answer alone"
        )
    return sample


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
