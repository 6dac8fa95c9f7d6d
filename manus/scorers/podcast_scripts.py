"""Measures a podcast's script by itself and beside its source: grounding, repetition, length, form.

All of it counts words. A turn is *supported* by the sentences it says it rests on if it shares enough of their
words and invents no number. So a paraphrase in other words counts as unsupported, and a false statement in the
sentence's own words as supported. Judges nothing that needs understanding.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Protocol

from manus.scorers.plain_words import words

LEAST_SHARED = 0.3  # of the content words of the shorter of turn and sentences
STEM_CHARACTERS = 5  # what is compared of a word, so that "harbour" and "harbours" are one
SHORTEST_WORD = 4  # shorter ones are mostly "the", "and", "und"
GRAM_WORDS = 4
REPEATED_SHARE = 0.5
INTERJECTION_WORDS = 3
MOST_IN_A_ROW = 2
# Scripts without spaces between words: each character is about half a word, an estimate.
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0e7f]")
_FIGURES = re.compile(r"\d[\d.,]*\d|\d")


class Turn(Protocol):
    """What is measured of a turn."""

    @property
    def host(self) -> str: ...

    @property
    def text(self) -> str: ...

    @property
    def rests_on(self) -> Sequence[int]: ...


def count_words(text: str) -> int:
    """Return how many words are spoken; of scripts without spaces every second character is one."""
    unspaced = len(_UNSPACED.findall(text))
    return len(_UNSPACED.sub(" ", text).split()) + -(-unspaced // 2)


def is_supported(text: str, sentences: Iterable[str]) -> bool:
    """Tell whether a turn says what these sentences say, as far as words tell.

    At least 30 % of the content words of the shorter of the two are in the other, compared by their first five
    characters, and every figure of the turn is in the sentences.
    """
    source = " ".join(sentences)
    said, told = _content(text), _content(source)
    if not said or not told:
        return False
    figures = {_plain(figure) for figure in _FIGURES.findall(text)}
    known = {_plain(figure) for figure in _FIGURES.findall(source)} | set(words(source))
    return figures <= known and len(said & told) >= LEAST_SHARED * min(len(said), len(told))


def supported_share(turns: Sequence[Turn], sentences: Sequence[str]) -> float:
    """Return the share of turns that a sentence of the source supports; 0 where none had to be.

    The first and the last turn, and interjections of up to three words, need no support where they claim none.

    Args:
        turns: in order.
        sentences: of the source; number n is at n - 1.
    """
    asked = [
        turn
        for place, turn in enumerate(turns)
        if turn.rests_on or not (place in (0, len(turns) - 1) or count_words(turn.text) <= INTERJECTION_WORDS)
    ]
    right = [
        turn
        for turn in asked
        if all(0 < number <= len(sentences) for number in turn.rests_on)
        and is_supported(turn.text, [sentences[number - 1] for number in turn.rests_on])
    ]
    return len(right) / len(asked) if asked else 0.0


def repeated_share(texts: Sequence[str], gram_words: int = GRAM_WORDS) -> float:
    """Return the share of n-grams of words that an earlier turn, or the same one, has said already."""
    seen, repeated, total = set[tuple[str, ...]](), 0, 0
    for text in texts:
        for gram in _grams(text, gram_words):
            total += 1
            repeated += gram in seen
            seen.add(gram)
    return repeated / total if total else 0.0


def is_repetition(text: str, earlier: Sequence[str], gram_words: int = GRAM_WORDS) -> bool:
    """Tell whether half of a turn's n-grams, or all its words in order, stand in one earlier turn."""
    said = words(text)
    grams = set(_grams(text, gram_words))
    for other in earlier:
        if said == words(other):
            return True
        if grams and len(grams & set(_grams(other, gram_words))) >= REPEATED_SHARE * len(grams):
            return True
    return False


def length_error(spoken: float, wanted: float) -> float:
    """Return by which share something is longer than it was to be; below 0 it is shorter."""
    return spoken / wanted - 1


def form_faults(turns: Sequence[Turn], hosts: Sequence[str]) -> list[str]:
    """Return what is wrong with the form of a script, in words; nothing where it is right.

    Two hosts or more speak, none more than twice in a row; the first and the last turn rest on nothing, and all
    turns between but interjections on something.
    """
    faults = list[str]()
    silent = [host for host in hosts if host not in {turn.host for turn in turns}]
    if len(hosts) < 2:
        faults.append("there is one host")
    if silent:
        faults.append(f"{', '.join(silent)} never speaks")
    row = 0
    for place, turn in enumerate(turns):
        row = row + 1 if place and turn.host == turns[place - 1].host else 1
        if row == MOST_IN_A_ROW + 1:
            faults.append(f"turn {place + 1}: {turn.host} speaks more than twice in a row")
        is_edge = place in (0, len(turns) - 1)
        if is_edge and turn.rests_on:
            faults.append(
                f"turn {place + 1}: is no {'closing' if place else 'opening'}, it rests on a sentence"
            )
        if not is_edge and not turn.rests_on and count_words(turn.text) > INTERJECTION_WORDS:
            faults.append(f"turn {place + 1}: rests on no sentence")
    return faults


def _content(text: str) -> set[str]:
    """Return what words are compared by: beginnings of long ones, pairs of characters where no space parts them."""
    found = set[str]()
    for word in words(text):
        if _UNSPACED.search(word):
            found |= {word[place : place + 2] for place in range(max(1, len(word) - 1))}
        elif word.isdigit() or len(word) >= SHORTEST_WORD:
            found.add(word[:STEM_CHARACTERS])
    return found


def _grams(text: str, count: int) -> list[tuple[str, ...]]:
    said = words(text)
    return [tuple(said[place : place + count]) for place in range(len(said) - count + 1)]


def _plain(figure: str) -> str:
    return figure.replace(",", "")
