"""Names what a row says that may not be meant: words that stand for nothing, prompts said twice, files within texts.

Each may be meant ("None" is an answer to "Any allergies?"), so nothing is changed or refused for it here. What
cannot be meant is: a question that holds nothing, and what a forum shows where a text was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from manus.data.forms.columns import says_nothing
from manus.data.forms.literals import read_literal, shortened
from manus.data.forms.tool_format import has_calls, parse_calls
from manus.data.sample import Message, RowError, Sample

_MARKS_ALONE = re.compile(r"[-–—_.…?*/·•~]+")
_WRITTEN_FOR_NOTHING = frozenset(
    ["undefined", "<empty>", "<none>", "<null>", "todo", "tbd", "#n/a", "#value!", "#ref!", "#name?", "n.a.", "<na>", "pd.na"]
)  # fmt: skip
_REMOVED = frozenset(["[deleted]", "[removed]", "[deleted by user]", "[ removed by reddit ]"])
_BYTES = re.compile(r"""b(['"])[\s\S]*\1""")
_WRITTEN_LINES = re.compile(r"\\n\\n(?![\"'`])")
SHORTEST_REPEATED = 12  # characters; shorter words begin answers that repeat no prompt

# What an environment says, in an answer that plays its part too; places in pictures, as other models write
# them (pictures are made smaller, so pixels are no longer what they were); words that a tokenizer did not know.
_OBSERVED = re.compile(
    r"^(?:Action|Action Input|Act)(?: \d+)?:[\s\S]*^(?:Observation|Obs)(?: \d+)?:", re.MULTILINE
)
_PLACES = re.compile(
    r"<\|box_start\|>|[\"'](?:bbox|point)_2d[\"']|<loc_?\d+>|<patch_index_\d+>|<box>\s*[\[(]*\d|<point x"
)
_UNKNOWN = re.compile(r"<unk>|<UNK>|\[UNK\]|\ufffd")
# How a template, a tokenizer or a set of repositories begins a text.
_TEMPLATED = re.compile(
    r"\A\s*(?:<s>|<bos>|<\|begin_of_text\|>|<\|endoftext\|>|<\|startoftext\|>|<reponame>|<repo_name>|<filename>|<file_sep>)"
    r"|(?:</s>|<\|endoftext\|>|<\|end_of_text\|>|<eos>)\s*\Z"
    r"|<\|im_start\|>|<\|start_header_id\|>|<start_of_turn>|\[/INST\]|^<\|assistant\|>"
)
_INSTRUCTED = re.compile(
    r"^### ?(?:Instruction|Human|User|Question):[\s\S]*^### ?(?:Response|Assistant|Answer|Output):",
    re.MULTILINE,
)

# Questions and answers in turn within an answer, as pages and tests of a few shots have them.
_ASKED = re.compile(
    r"\S[ \t]*\n+[ \t]*(?:#+ ?|\*\*)?(Q\d*|Question|Input|Instruction|Query|Problem|Prompt)(?: ?\d+)?(?:\*\*)?:(?:\*\*)?[ \t\n]*\S",
    re.MULTILINE,
)
_ANSWERED = re.compile(
    r"^[ \t]*(?:#+ ?|\*\*)?(?:A\d*|Answer|Output|Response|Solution)(?: ?\d+)?(?:\*\*)?:", re.MULTILINE
)
_ABOUT_QUESTIONS = re.compile(
    r"faq|q ?& ?a|question|answer|example|quiz|exam|test|sample|input|output|riddle|joke|interview|problem|exercise|prompt|flashcard",
    re.IGNORECASE,
)


def doubts(messages: Sequence[Message]) -> list[str]:
    """Return what of a conversation may not be meant, in words that name no text of the row's own."""
    found: dict[str, None] = {}
    asked = ""
    for message in messages:
        said = message["content"]
        if message["role"] == "user":
            asked = said
            continue
        if message["role"] != "assistant" or message.get("learn") is False:
            continue
        if stands_for_nothing(said):
            found[f"an answer ({shortened(said, 20)}, learned as it stands)"] = None
        if len(asked) >= SHORTEST_REPEATED and said != asked and said.startswith(asked):
            found["an answer (begins with its prompt, learned as it stands)"] = None
        if _goes_on_asking(said) and not _ABOUT_QUESTIONS.search(asked):
            found["an answer (goes on with questions and answers, learned as it stands)"] = None
        if _BYTES.fullmatch(said):
            found["an answer (bytes as Python writes them, learned as it stands)"] = None
        if _OBSERVED.search(said):
            found["an answer (with observations that nobody makes, learned as it stands)"] = None
        if _UNKNOWN.search(said):
            found["an answer (with marks of unknown words or characters, learned as it stands)"] = None
        if _PLACES.search(said):
            found["an answer (with places in a picture, which may be made smaller, learned as it stands)"] = (
                None
            )
        if "\n" not in said and _WRITTEN_LINES.search(said):
            found["an answer (ends of lines are written as \\n, learned as it stands)"] = None
    return list(found)


def unlisted_arguments(messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return which functions are called with arguments that they do not list; calls stand in our form."""
    listed = {
        tool["name"]: tool["parameters"]["properties"].keys()
        for tool in tools
        if tool["parameters"].get("properties") and not tool["parameters"].get("additionalProperties")
    }
    found = {
        f"a call of {call['name']} (with arguments that it does not list, learned as it stands)"
        for message in messages
        if message["role"] == "assistant"
        and message.get("learn") is not False
        and has_calls(message["content"])
        for call in parse_calls(message["content"])
        if call["name"] in listed and call["arguments"].keys() - listed[call["name"]]
    }
    return sorted(found)


def doubts_of_text(text: str) -> list[str]:
    """Return what of a text for continued pre-training may not be meant."""
    if text.lstrip().startswith(('{"messages"', '{"conversations"', '[{"role"', '[{"from"')):
        try:
            read_literal(text)
        except ValueError:
            return []
        return ["text (a conversation as JSON, learned as it stands)"]
    if _TEMPLATED.search(text):
        return ["text (with marks of a tokenizer or a template, learned as they stand)"]
    if _INSTRUCTED.search(text):
        return ["text (an instruction with its answer, both are learned)"]
    return []


def stands_for_nothing(text: str) -> bool:
    """Return whether a text may be what stands where there is nothing: a program's word, or marks alone."""
    return (
        says_nothing(text, in_any_case=True)
        or text.lower() in _WRITTEN_FOR_NOTHING
        or _MARKS_ALONE.fullmatch(text) is not None
    )


def refuse_nothing(number: int, message: Message, is_first: bool) -> None:
    """Refuse a turn in which nobody says anything.

    Args:
        number: the turn's, from 1.
        message: the turn.
        is_first: whether nothing but a system turn comes before it, so that it answers nothing.

    Raises:
        RowError: it is what a program or a forum writes where there is no text.
    """
    said, role = message["content"], message["role"]
    if said == "nan":
        raise RowError(f"turn {number} ({role}) is 'nan', which pandas writes where there is nothing")
    if said.lower() in _REMOVED:
        raise RowError(f"turn {number} ({role}) is {said!r}, which a forum shows where a text was")
    if role == "user" and is_first and (says_nothing(said, in_any_case=True) or said in ("-", "--", "_")):
        raise RowError(f"turn {number} ({role}) is {said!r}, which asks nothing")


def refuse_no_text(text: str) -> None:
    """Refuse a text for continued pre-training that is none.

    Raises:
        ValueError: it is what a program or a forum writes where there is no text.
    """
    said = text.strip()
    if says_nothing(said, in_any_case=True) or said.lower() in _REMOVED or said in ("-", "--", "_"):
        raise ValueError(f"it is {said!r}, as programs write it where there is nothing")


def note_of_answer(sample: Sample) -> list[str]:
    """Return what of the answer that is compared with may not be meant."""
    answer = sample.get("answer")
    if answer is not None and stands_for_nothing(answer):
        return [f"the expected answer ({shortened(answer, 20)}, compared with as it stands)"]
    return []


def _goes_on_asking(said: str) -> bool:
    found = _ASKED.search(said)
    return found is not None and _ANSWERED.search(said, found.end() - 1) is not None
