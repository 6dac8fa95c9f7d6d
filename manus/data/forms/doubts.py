"""Names what a row says that may not be meant: words that stand for nothing, prompts said twice, files within texts.

Each may be meant ("None" is an answer to "Any allergies?"), so nothing is changed or refused for it here. What
cannot be meant is: a question that holds nothing, and what a forum shows where a text was.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from manus.data.forms.columns import Columns, says_nothing
from manus.data.forms.literals import read_literal, shortened
from manus.data.forms.thought_format import CLOSE, OPEN
from manus.data.forms.tool_format import has_calls, parse_calls
from manus.data.sample import Message, RowError, Sample

_MARKS_ALONE = re.compile(r"[-–—_.…?*/·•~]+")
_WRITTEN_FOR_NOTHING = frozenset(
    ["undefined", "<empty>", "<none>", "<null>", "todo", "tbd", "#n/a", "#value!", "#ref!", "#name?", "n.a.", "<na>", "pd.na"]
)  # fmt: skip
_REMOVED = frozenset(["[deleted]", "[removed]", "[deleted by user]", "[ removed by reddit ]"])
_BYTES = re.compile(r"""b(['"])[\s\S]*\1""")
_LIST_OF_TEXTS = re.compile(r"\['[^']*'(?:, '[^']*')*\]\Z")
_WRITTEN_LINES = re.compile(r"\\n\\n(?![\"'`])")
_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict,
}  # fmt: skip
SHORTEST_REPEATED = 12  # characters; shorter words begin answers that repeat no prompt

# What an environment says, in an answer that plays its part too; places in pictures, as other models write
# them (pictures are made smaller, so pixels are no longer what they were); words that a tokenizer did not know.
_OBSERVED = (
    re.compile(r"^(?:Action|Action Input|Act)(?: \d+)?:", re.MULTILINE),
    re.compile(r"^(?:Observation|Obs)(?: \d+)?:", re.MULTILINE),
)
_PLACES = re.compile(
    r"<\|box_start\|>|[\"'](?:bbox|point)_2d[\"']|<loc_?\d+>|<patch_index_\d+>|<box>\s{0,9}[\[(]{0,3}\d|<point x"
)
_NUMBERS = re.compile(
    r"[\[(]\s{0,9}\d{1,9}(?:\.\d{1,20})?(?:\s{0,9},\s{0,9}\d{1,9}(?:\.\d{1,20})?){3}\s{0,9}[\])]"
    r"|\(\d{1,9},\s{0,9}\d{1,9}\)|<bbox>|\bx1?\s{0,9}=\s{0,9}\d{1,9},\s{0,9}y1?\s{0,9}=\s{0,9}\d"
)
_IN_PICTURES = "an answer (with places in a picture, which may be made smaller, learned as it stands)"
_UNKNOWN = re.compile(r"<unk>|<UNK>|\[UNK\]|\ufffd")
# What no person writes: control characters but those of terminals and pages, and what stands at a file's
# beginning; UTF-8 read as Windows-1252 or Latin-1.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\ufeff]")
_MISREAD = re.compile(
    r"[\u00c2\u00c3][\u0080-\u00bf]|\u00e2\u20ac[\u0080-\u00ff\u2122\u0153\u201c\u201d\u02dc\u00a6]"
)
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"
_ADDRESS = re.compile(
    r"!\[[^\]\[\n]{0,200}\]\([^()\n]{1,500}\)|<img\b[^<>]{0,500}\bsrc=|data:image/\w{1,9};base64,",
    re.IGNORECASE,
)
_SPEAKER = re.compile(r"(?:AI|assistant|Bot|bot|GPT|gpt|ChatGPT|Model|model): ?\S")
# How a template, a tokenizer or a set of repositories begins a text.
_TEMPLATED = re.compile(
    r"\A\s*(?:<s>|<bos>|<\|begin_of_text\|>|<\|endoftext\|>|<\|startoftext\|>|<reponame>|<repo_name>|<filename>|<file_sep>)"
    r"|(?:</s>|<\|endoftext\|>|<\|end_of_text\|>|<eos>)\s{0,9}\Z"
    r"|<\|im_start\|>|<\|endoftext\|>\s{0,9}\S|<\|start_header_id\|>|<start_of_turn>|\[/INST\]|^<\|assistant\|>"
)
_INSTRUCTED = (
    re.compile(r"^### ?(?:Instruction|Human|User|Question):", re.MULTILINE),
    re.compile(r"^### ?(?:Response|Assistant|Answer|Output):", re.MULTILINE),
)

# Questions and answers in turn within an answer, as pages and tests of a few shots have them.
_ASKED_ON = (
    re.compile(
        r"\S[ \t]*\n+[ \t]*(?:#+ ?|\*\*)?(Q\d*|Question|Input|Instruction|Query|Problem|Prompt)(?: ?\d+)?(?:\*\*)?:(?:\*\*)?[ \t\n]*\S",
        re.MULTILINE,
    ),
    re.compile(
        r"^[ \t]*(?:#+ ?|\*\*)?(?:A\d*|Answer|Output|Response|Solution)(?: ?\d+)?(?:\*\*)?:", re.MULTILINE
    ),
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
        if _CONTROLS.search(said):
            found["a turn (with control characters or a byte order mark, left as it stands)"] = None
        if message["role"] == "user":
            asked = said
            if _ADDRESS.search(said):
                found["a question (with a picture's address in its text, which is not opened)"] = None
            continue
        if message["role"] != "assistant" or message.get("learn") is False:
            continue
        if stands_for_nothing(said):
            found[f"an answer ({shortened(said, 20)}, learned as it stands)"] = None
        if len(asked) >= SHORTEST_REPEATED and said != asked and said.startswith(asked):
            found["an answer (begins with its prompt, learned as it stands)"] = None
        if _follow(_ASKED_ON, said) and not _ABOUT_QUESTIONS.search(asked):
            found["an answer (goes on with questions and answers, learned as it stands)"] = None
        if _MISREAD.search(said):
            found["an answer (UTF-8 that was read as another encoding, learned as it stands)"] = None
        if _SPEAKER.match(said):
            found["an answer (begins with a mark of who speaks, learned as it stands)"] = None
        if OPEN in said and (what := _unfinished(said)):
            found[f"an answer ({what}, learned as it stands)"] = None
        if _LIST_OF_TEXTS.match(said):
            found["an answer (a list as Python writes it, learned as it stands)"] = None
        if asked.endswith("\n###") or said.endswith((" END", "\n###")):
            found["an answer (with the separators of completions of old, learned as they stand)"] = None
        if _BYTES.fullmatch(said):
            found["an answer (bytes as Python writes them, learned as it stands)"] = None
        if _follow(_OBSERVED, said):
            found["an answer (with observations that nobody makes, learned as it stands)"] = None
        if _UNKNOWN.search(said):
            found["an answer (with marks of unknown words or characters, learned as it stands)"] = None
        if _PLACES.search(said):
            found[_IN_PICTURES] = None
        if "\n" not in said and _WRITTEN_LINES.search(said):
            found["an answer (ends of lines are written as \\n, learned as it stands)"] = None
    return list(found)


def _unfinished(said: str) -> str | None:
    """Return what is wrong with the thoughts of an answer that has some."""
    if not said.startswith(OPEN):
        return None
    if said.count(OPEN) > 1:
        return "with several thoughts"
    if CLOSE not in said:
        return "a thought that does not end"
    return "a thought without an answer" if said.rstrip().endswith(CLOSE) else None


def note_places(row: Columns, sample: Sample) -> None:
    """Note answers that say places in pictures as numbers: those of ms-swift's `objects` alone are shares."""
    if "objects" in row or all(one["kind"] == "audio" for one in sample.get("media", ())):
        return
    learned = (
        one for one in sample["messages"] if one["role"] == "assistant" and one.get("learn") is not False
    )
    if any(_NUMBERS.search(one["content"]) for one in learned):
        row.note(_IN_PICTURES)


def doubts_of_calls(messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return which calls do not fit their functions, and which functions have one name; calls are in our form."""
    known = {tool["name"]: tool["parameters"] for tool in tools}
    found = {
        f"tools (several that are called {name})"
        for name, count in Counter(tool["name"] for tool in tools).items()
        if count > 1
    }
    for message in messages:
        if (
            message["role"] != "assistant"
            or message.get("learn") is False
            or not has_calls(message["content"])
        ):
            continue
        for call in parse_calls(message["content"]):
            if (what := _misfit(call["arguments"], known.get(call["name"], {}))) is not None:
                found.add(f"a call of {call['name']} ({what}, learned as it stands)")
    return sorted(found)


def _misfit(arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> str | None:
    """Return how arguments do not fit what their function takes."""
    properties = schema.get("properties") or {}
    if properties and not schema.get("additionalProperties") and arguments.keys() - properties.keys():
        return "with arguments that it does not list"
    if any(name not in arguments for name in schema.get("required") or ()):
        return "without an argument that it requires"
    misfits = (
        _misfit_of_one(value, properties[name])
        for name, value in arguments.items()
        if isinstance(properties.get(name), Mapping)
    )
    return next((what for what in misfits if what is not None), None)


def _misfit_of_one(value: Any, described: Mapping[str, Any]) -> str | None:
    """Return how an argument does not fit its description; a null fits where the description takes one."""
    kind, choices = described.get("type"), described.get("enum")
    if value is None and (described.get("nullable") or described.get("default", "") is None):
        return None
    if isinstance(kind, str) and kind in _TYPES and not _is_of(value, kind):
        return "with an argument of another type"
    if isinstance(choices, list) and choices and value is not None and value not in choices:
        return "with an argument that is none of those it may be"
    return None


def _is_of(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[kind])


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
    if _MISREAD.search(text) or _UNKNOWN.search(text):
        return ["text (read in another encoding, or with marks of unknown characters, learned as it stands)"]
    if _CONTROLS.search(text):
        return ["text (with control characters or a byte order mark, learned as it stands)"]
    if _follow(_INSTRUCTED, text):
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
    if said and not said.strip(_INVISIBLE):
        raise RowError(f"turn {number} ({role}) is empty: it holds invisible characters alone")
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
    if answer is not None and _LIST_OF_TEXTS.match(answer):
        return ["the expected answer (a list as Python writes it, compared with as it stands)"]
    return []


def _follow(pair: tuple[re.Pattern[str], re.Pattern[str]], text: str) -> bool:
    """Return whether one pattern is found in a text, and another behind it, in time that grows with the text."""
    found = pair[0].search(text)
    return found is not None and pair[1].search(text, found.end() - 1) is not None
