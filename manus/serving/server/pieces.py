"""Takes an answer apart as it is written: its thought, its words, its calls of functions. Knows no model.

What may still become a mark is held back until it is one or not, so that nothing has to be taken back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Literal

from manus.data.forms.call_forms import CALL_MARKS
from manus.data.forms.calls import Call
from manus.data.forms.thought_format import CLOSE, OPEN
from manus.data.forms.tool_format import CLOSE as END_OF_CALL
from manus.data.forms.tool_format import OPEN as CALL
from manus.data.forms.tool_format import parse_calls

# Written as tokens of their own by some vocabularies, and still a part of what is said.
KEPT = (OPEN, CLOSE, CALL, END_OF_CALL, *CALL_MARKS)
BARE = ("{", "[", "```")  # how a text begins that may be a list of calls and nothing else


@dataclass(frozen=True, slots=True)
class Piece:
    """Something that was said: text of a thought or of the answer, or a whole call."""

    kind: Literal["thought", "words", "call"]
    text: str = ""
    name: str = ""  # of the function; `text` is its arguments as JSON


class Place(Enum):
    """Where in an answer its writing stands."""

    BEGINNING = auto()
    THOUGHT = auto()
    BEHIND_THOUGHT = auto()
    WORDS = auto()
    CALLS = auto()


@dataclass
class Splitter:
    """One answer. `add` its text as it comes, then `end`; `is_stopped` tells that a stop was met."""

    opens_thought: bool = False  # the prompt ends inside a thought
    may_call: bool = False
    stops: Sequence[str] = ()
    is_plain: bool = False  # all of it is words
    is_stopped: bool = False
    has_called: bool = False
    has_thought: bool = False
    held: str = ""
    place: Place = field(init=False)
    calls: int = 0  # that were told

    def __post_init__(self) -> None:
        self.place = (
            Place.WORDS if self.is_plain else Place.THOUGHT if self.opens_thought else Place.BEGINNING
        )
        self.marks = (*self.stops, *((CALL, *CALL_MARKS) if self.may_call else ()))

    def add(self, text: str) -> list[Piece]:
        """Return what further text makes certain."""
        if self.is_stopped:
            return []
        self.held += text
        return [*self._pieces()]

    def end(self) -> list[Piece]:
        """Return what was held back, now that nothing follows."""
        if self.is_stopped:
            return []
        if self.place in (Place.BEGINNING, Place.BEHIND_THOUGHT):
            self.place = Place.WORDS
            self.held = self.held.lstrip()
            if self.may_call and self.held.startswith(BARE):
                self.place = Place.CALLS
        pieces = [*self._pieces()]
        rest, self.held = self.held, ""
        if self.place is Place.CALLS:
            pieces += self._last_calls(rest)
        elif rest.strip() or (rest and self.place is Place.WORDS):
            pieces.append(Piece("thought" if self.place is Place.THOUGHT else "words", rest))
        return pieces

    def _pieces(self) -> Iterator[Piece]:
        if self.place is Place.BEGINNING:
            self._begin()
        if self.place is Place.THOUGHT:
            yield from self._thought()
        if self.place is Place.BEHIND_THOUGHT:
            self._behind_thought()
        if self.place is Place.WORDS:
            yield from self._words()
        if self.place is Place.CALLS:
            yield from self._closed_calls()

    def _begin(self) -> None:
        said = self.held.lstrip()
        if said.startswith(OPEN):
            self.place, self.held = Place.THOUGHT, said.removeprefix(OPEN)
        elif said and not OPEN.startswith(said):
            self._begin_words(self.held)

    def _begin_words(self, text: str) -> None:
        is_bare = self.may_call and text.lstrip().startswith(BARE)
        self.place, self.held = (Place.CALLS if is_bare else Place.WORDS), text

    def _thought(self) -> Iterator[Piece]:
        thought, mark, rest = self.held.partition(CLOSE)
        if not self.has_thought:
            thought = thought.lstrip()
        if mark:
            self.place, self.held = Place.BEHIND_THOUGHT, rest
            sure = thought.rstrip()
        else:
            sure = thought[: len(thought) - _possible(thought, (CLOSE,))].rstrip()
            self.held = thought[len(sure) :]
        self.has_thought = self.has_thought or bool(sure)
        yield from _some("thought", sure)

    def _behind_thought(self) -> None:
        if said := self.held.lstrip():
            self._begin_words(said)

    def _words(self) -> Iterator[Piece]:
        found = [(place, mark) for mark in self.marks if (place := self.held.find(mark)) >= 0]
        if not found:
            sure = self.held[: len(self.held) - _possible(self.held, self.marks)]
            if self.may_call:  # white space before a call belongs to neither
                sure = sure.rstrip()
            self.held = self.held[len(sure) :]
            yield from _some("words", sure)
            return
        place, mark = min(found)
        words, rest = self.held[:place], self.held[place:]
        if mark in self.stops:
            self.is_stopped, self.held = True, ""
            yield from _some("words", words)
            return
        self.place, self.held = Place.CALLS, rest
        yield from _some("words", words.rstrip())

    def _closed_calls(self) -> Iterator[Piece]:
        """Yield the calls that are whole already; those of other forms are whole at the end."""
        if not self.held.startswith(CALL) or self.held.count(END_OF_CALL) <= self.calls:
            return
        end = self.held.rfind(END_OF_CALL) + len(END_OF_CALL)
        try:
            found = parse_calls(self.held[:end])
        except ValueError:  # an argument holds the mark, and goes on
            return
        yield from self._told(found[self.calls :])

    def _last_calls(self, text: str) -> list[Piece]:
        try:
            found = parse_calls(text, may_be_bare=True)
        except ValueError:
            found = []
        if found:
            return [*self._told(found[self.calls :])]
        self.place, self.held, self.marks = Place.WORDS, text, tuple(self.stops)
        pieces = [*self._words()]  # no calls after all, or none that can be read: it is told as it stands
        rest, self.held = self.held, ""
        return [*pieces, *_some("words", rest)]

    def _told(self, calls: Sequence[Call]) -> Iterator[Piece]:
        for call in calls:
            self.calls, self.has_called = self.calls + 1, True
            yield Piece("call", json.dumps(call["arguments"], ensure_ascii=False), str(call["name"]))


def _some(kind: Literal["thought", "words"], text: str) -> Iterator[Piece]:
    if text:
        yield Piece(kind, text)


def _possible(text: str, marks: Sequence[str]) -> int:
    """Return how many characters at the end of a text may be the beginning of a mark."""
    longest = max((len(mark) for mark in marks), default=1) - 1
    sizes = range(min(longest, len(text)), 0, -1)
    return next((size for size in sizes if any(mark.startswith(text[-size:]) for mark in marks)), 0)


def joined(pieces: Sequence[Piece]) -> dict[str, Any]:
    """Return all that was said: `thought`, `words` and `calls`."""
    return {
        "thought": "".join(piece.text for piece in pieces if piece.kind == "thought"),
        "words": "".join(piece.text for piece in pieces if piece.kind == "words"),
        "calls": [piece for piece in pieces if piece.kind == "call"],
    }
