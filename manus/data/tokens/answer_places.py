"""Finds where in a rendered conversation the assistant speaks, in any chat template. Knows no tokens.

The last turn stands behind the prompt that asks for it. Of the turns before, each gets a mark in its words;
where the marks come out, and nothing else has changed, the words stand. A turn that the text does not show as
the model is asked for it (without its thought, behind another prompt, with another end) is not learned there:
it is learned as the last turn of the conversation up to it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from manus.data.forms.thought_format import CLOSE, OPEN
from manus.data.sample import RowError
from manus.data.tokens.chat_templates import (
    FIRST_MARK,
    LAST_MARK,
    Answering,
    Turn,
    answering,
    asking,
    opened_thought,
    placed,
    rendered,
    shown,
)
from manus.data.tokens.learned_parts import learned_parts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Span = tuple[int, int]  # of characters: where it begins and ends
Place = Span | None
_ANY_MARK = re.compile(f"[{chr(FIRST_MARK)}-{chr(LAST_MARK)}]")
_SHARES = (0.5, 0.0, 1.0)  # of a turn's words, that stand before its mark


@dataclass(frozen=True, slots=True)
class Written:
    """A conversation as text, and where in it the assistant's turns stand, with the marks that end them.

    `spans` are by the turn's place in the conversation, `parts` what of each is learned. `apart` are the
    places of the turns to learn that are not shown here as the model is asked for them.
    """

    text: str
    spans: dict[int, Span]
    parts: dict[int, list[Span]]
    apart: tuple[int, ...]

    @property
    def learned(self) -> list[Span]:
        """What is learned, in its order."""
        return [part for place in sorted(self.parts) for part in self.parts[place]]

    @property
    def last(self) -> list[Span]:
        """What is learned of the last answer."""
        return self.parts[max(self.parts)]


def written(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Turn]) -> Written:
    """Return a conversation as the template writes it, its last answer behind the prompt that asks for it.

    Args:
        tokenizer: one with a chat template.
        messages: turns, the last one the assistant's; contents are texts, or parts where the template takes
            them.

    Raises:
        RowError: the template refuses the conversation, or leaves out a turn; the message says which.
    """
    turns = placed(tokenizer, messages)
    moved = len(messages) - len(turns)
    prompt, text = _accepted(tokenizer, turns, moved)
    how = answering(tokenizer, tokenizer.get_chat_template())
    asked = turns[:-1]
    earlier = [place for place, turn in enumerate(asked) if turn["role"] == "assistant"]
    places = _checked_places(tokenizer, asked, prompt, moved, is_every_wanted=bool(earlier))
    whole = _with_answer(prompt, text, _words_of(turns[-1], len(messages)), how)
    spans = {
        place: span for place in earlier if (span := _span(tokenizer, asked, place, places, prompt, how))
    }
    spans[len(asked)] = (len(prompt), len(whole))
    apart = tuple(
        place + moved for place in earlier if place not in spans and turns[place].get("learn", True)
    )
    spans = {place + moved: span for place, span in spans.items()}
    parts = {place: learned_parts(messages[place], whole, span) for place, span in spans.items()}
    return Written(whole, spans, parts, apart)


def _accepted(tokenizer: PreTrainedTokenizerBase, turns: Sequence[Turn], moved: int) -> tuple[str, str]:
    """Return the prompt for the last answer, and the text with it.

    Raises:
        RowError: the template refuses them; the message says at which turn.
    """
    try:
        return rendered(tokenizer, turns[:-1], True), rendered(tokenizer, turns, False)
    except RowError as error:
        place = next((n for n in range(len(turns)) if not _takes(tokenizer, turns[: n + 1])), len(turns) - 1)
        raise RowError(f"turn {place + moved + 1} ({turns[place]['role']}): {error}") from None


def _takes(tokenizer: PreTrainedTokenizerBase, turns: Sequence[Turn]) -> bool:
    try:
        rendered(tokenizer, turns, turns[-1]["role"] != "assistant")
    except RowError:
        return False
    return True


def _words_of(turn: Turn, number: int) -> str:
    words = turn["content"]
    if not isinstance(words, str):
        raise RowError(
            f"turn {number} ({turn['role']}) holds media, which a model that answers in text cannot say"
        )
    return words.strip()


def _with_answer(prompt: str, text: str, answer: str, how: Answering) -> str:
    """Return the text that ends with the answer: the template's own, or the prompt with answer and end."""
    end = how.end_text
    if (
        text.startswith(prompt)
        and text.endswith(end)
        and _says(text[len(prompt) : len(text) - len(end)], answer, prompt, how)
    ):
        return text
    return f"{prompt}{'' if how.opens_thoughts else how.opening}{_behind(prompt, answer)}{end}"


def _says(said: str, answer: str, prompt: str, how: Answering) -> bool:
    """Tell whether a template says behind a prompt what an answer says.

    Its words must be the same to the letter, the rest but for white space.
    """
    thought, words = _thought_and_words(answer)
    if not said.rstrip().endswith(words):
        return False
    # An opening with a thought of its own is for answers without one.
    ways = (_behind(prompt, answer), "" if thought and how.opens_thoughts else how.opening + answer)
    return _squeezed(said) in map(_squeezed, filter(None, ways))


def _behind(prompt: str, answer: str) -> str:
    """Return an answer as it goes on from a prompt; a thought that it opens, the answer closes."""
    opened = opened_thought(prompt)
    if not opened or (CLOSE in answer and OPEN not in answer):
        return answer
    thinks = answer if answer.startswith(OPEN) else f"{OPEN}\n\n{CLOSE}\n\n{answer}"
    return thinks.removeprefix(OPEN).removeprefix(opened.removeprefix(OPEN))


def _thought_and_words(answer: str) -> tuple[str, str]:
    """Return what stands before the words that are meant for the user, and those words."""
    thought, closing, words = answer.rpartition(CLOSE)
    return thought + closing, words.strip()


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _checked_places(
    tokenizer: PreTrainedTokenizerBase, turns: Sequence[Turn], prompt: str, moved: int, is_every_wanted: bool
) -> list[Place]:
    """Return where turns stand in a prompt, as far as it is found out, having seen that none is left out.

    Raises:
        RowError: one is.
    """
    roles = tuple(turn["role"] for turn in turns)
    is_shown = shown(tokenizer, tokenizer.get_chat_template(), roles)
    stands = [all(said in prompt for said in _texts_of(turn)) for turn in turns]
    if not is_every_wanted and is_shown is not None and all(is_shown) and all(stands):
        return [None] * len(turns)
    marks = _marks(turns)
    found = _marked(tokenizer, turns, prompt, marks)
    for place, turn in enumerate(turns):
        is_there = (
            marks[place] in found
            if found is not None
            else stands[place] and (not is_shown or is_shown[place])
        )
        if not is_there and turn["role"] != "assistant" and any(_texts_of(turn)):
            raise RowError(f"turn {place + moved + 1} ({turn['role']}): the chat template leaves it out")
    return [
        _words_at(turn, found.get(mark) if found else None, prompt)
        for turn, mark in zip(turns, marks, strict=True)
    ]


def _texts_of(turn: Turn) -> list[str]:
    content = turn["content"]
    parts = (
        [content]
        if isinstance(content, str)
        else [part["text"] for part in content if part["type"] == "text"]
    )
    return [part.strip() for part in parts]


def _marks(turns: Sequence[Turn]) -> list[str]:
    """Return one mark a turn, of characters that no turn holds."""
    held = set(_ANY_MARK.findall("".join(text for turn in turns for text in _texts_of(turn))))
    free = (chr(code) for code in range(FIRST_MARK, LAST_MARK + 1) if chr(code) not in held)
    return list(islice(free, len(turns)))


def _marked(
    tokenizer: PreTrainedTokenizerBase, turns: Sequence[Turn], prompt: str, marks: Sequence[str]
) -> dict[str, tuple[int, int]] | None:
    """Return where marks come out in the prompt, and how many characters of the turn stand before each.

    None where the template writes another text as soon as there are marks, wherever they stand.
    """
    pattern = re.compile(f"[{''.join(marks)}]")
    for share in _SHARES:
        within = [_within(turn, share) for turn in turns]
        given = [_with_mark(*each) for each in zip(turns, marks, within, strict=True)]
        try:
            pieces = pattern.split(written_ := rendered(tokenizer, given, True))
        except RowError:
            continue
        if "".join(pieces) != prompt:
            continue
        found: dict[str, tuple[int, int]] = {}
        twice: set[str] = set()
        at = 0
        for mark, piece in zip(pattern.findall(written_), pieces, strict=False):
            at += len(piece)
            twice |= {mark} & found.keys()
            found[mark] = (at, within[marks.index(mark)])
        return {mark: (-1, 0) if mark in twice else place for mark, place in found.items()}
    return None


def _within(turn: Turn, share: float) -> int:
    """Return where in a turn's words its mark goes: near the share of them, behind a space.

    Templates look for no space.
    """
    words = _marked_words(turn)
    near = int(len(words) * share)
    space = words.find(" ", near) if 0 < share < 1 else -1
    return near if space < 0 else space + 1


def _marked_words(turn: Turn) -> str:
    """Return the words to mark: what an answer says when it has thought; the longest text among parts."""
    if turn["role"] == "assistant" and isinstance(turn["content"], str):
        return _thought_and_words(turn["content"])[1]
    return max(_texts_of(turn), key=len, default="")


def _with_mark(turn: Turn, mark: str, within: int) -> Turn:
    words = _marked_words(turn)
    if not words:
        return turn
    marked = f"{words[:within]}{mark}{words[within:]}"

    def exchanged(text: str) -> str:
        before, _, behind = text.rpartition(words)
        return f"{before}{marked}{behind}"

    content = turn["content"]
    if isinstance(content, str):
        return {**turn, "content": exchanged(content)}
    parts = [
        {**part, "text": exchanged(part["text"])} if part.get("text", "").strip() == words else part
        for part in content
    ]
    return {**turn, "content": parts}


def _words_at(turn: Turn, found: tuple[int, int] | None, text: str) -> Place:
    """Return where a turn's words stand, if they stand there to the letter."""
    words = _marked_words(turn)
    if found is None or found[0] < 0:
        return None
    begin = found[0] - found[1]
    return (begin, begin + len(words)) if words and text[begin : begin + len(words)] == words else None


def _span(
    tokenizer: PreTrainedTokenizerBase,
    turns: Sequence[Turn],
    place: int,
    places: Sequence[Place],
    text: str,
    how: Answering,
) -> Place:
    """Return where an earlier answer stands with its end, if it is shown as the model is asked for it."""
    words, before = places[place], places[place - 1]
    roles = tuple(turn["role"] for turn in turns[:place])
    asked = asking(tokenizer, tokenizer.get_chat_template(), roles)
    if words is None or asked is None or not isinstance(turns[place]["content"], str):
        return None
    at = text.rfind(asked, before[1] if before else 0, words[0])
    if at < 0:
        return None
    begin = at + len(asked)
    if not _says(text[begin : words[1]], turns[place]["content"], asked, how):
        return None
    end = _end_at(text, words[1], how)
    return None if end is None else (begin, end)


def _end_at(text: str, at: int, how: Answering) -> int | None:
    """Return where an answer's end ends, as far as it is the last answer's; None if it begins otherwise."""
    begins = False
    for piece in how.end:
        if not text.startswith(piece, at):
            return at if begins else None
        at += len(piece)
        begins = begins or bool(piece.strip())
    return at


def prompt_text(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Any]) -> str:
    """Return the text that stands before the assistant's next words."""
    return rendered(tokenizer, placed(tokenizer, messages), True)
