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
# What begins the next question behind an answer, and what must follow it somewhere.
_NEXT = [
    (re.compile(begins, re.MULTILINE), re.compile(follows, re.MULTILINE))
    for begins, follows in (
        (
            r"\S[ \t]*\n+[ \t]*((?:### ?)?(?:Human|User|USER):)",
            r"^[ \t]*(?:### ?)?(?:Assistant|ASSISTANT|AI|Bot|GPT):",
        ),
        (r"(?:^|\s)(\[\|?(?:Human|HUMAN|USER)\|?\]:?)\s", r"\[\|?(?:AI|Assistant|ASSISTANT|MOSS)\|?\]"),
        (r"\S[ \t]*\n+[ \t]*((?:### ?)?(?:Human|User|USER):)\s*\Z", ""),
        (r"\S[ \t]*\n\n((?:### ?)?Human:)\s", ""),
        (r"\S[ \t]*\n+(### Instruction:)", r"^### Response:"),
        (r"^(<\|(?:user|assistant)\|>|<\|im_start\|>user)[ \t]*$", ""),
        (r"(?<!['\"`])(\[INST\])", r"\[/INST\]"),
        (r"(?<=\S)(<\|endoftext\|>)(?=\s*\S)", ""),
    )
]
_LISTED = re.compile(r"\w+:\s")
_ABOUT_DIALOGUES = re.compile(
    r"dialog|conversation|transcript|script|chat|interview|assistant|human|user|prompt"
    r"|example|instruction|format|continue|token|llama|story|scene",
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


def _next_question(said: str) -> str | None:
    """Return the mark behind which a text goes on with the next question, None where there is none."""
    for begins, follows in _NEXT:
        found = begins.search(said)
        if found is not None and not found[0].startswith(":") and follows.search(said, found.end()):
            return None if _LISTED.match(said) else found[1]
    return None


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
        if (mark := _next_question(message["content"])) is None:
            continue
        raise RowError(
            f"turn {number} (assistant) goes on with the next question, behind "
            f"{mark!r}: "
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
