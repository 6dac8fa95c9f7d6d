"""Turns what was said into plain words: no case, no punctuation, numbers as digits. Judges nothing."""

from __future__ import annotations

import re
import unicodedata

_UNITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
          "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
          "nineteen")  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_VALUES = {word: value for value, word in enumerate(_UNITS)}
_VALUES |= {word: 10 * value for value, word in enumerate(_TENS, 2)}
_BETWEEN_DIGITS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_APOSTROPHES = re.compile(r"(?<=\w)['’](?=\w)")
_WORD = re.compile(r"-?\d+(?:\.\d+)?|[^\W_]+")


def words(text: str) -> list[str]:
    """Return the words of a text: `Twenty-one, don't!` is `21 dont`; digits stay as they are written."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    plain = _APOSTROPHES.sub("", _BETWEEN_DIGITS.sub("", plain))
    # A hyphen joins words, except where it is the sign of a number.
    plain = re.sub(r"(?<=\w)-", " ", plain)
    return _with_digits(_WORD.findall(plain))


def _with_digits(found: list[str]) -> list[str]:
    result, place = [], 0
    while place < len(found):
        if found[place] in _VALUES:
            value, place = _number(found, place)
            result.append(str(value))
        else:
            result.append(found[place])
            place += 1
    return result


def _number(found: list[str], place: int) -> tuple[int, int]:
    """Return the number below 1,000 that is spelt from `place` on, and where it ends."""
    value, place = _below_hundred(found, place)
    if 0 < value < 10 and found[place : place + 1] == ["hundred"]:
        value, place = 100 * value, place + 1
        rest = place + (found[place : place + 1] == ["and"])
        if rest < len(found) and found[rest] in _VALUES:
            more, place = _below_hundred(found, rest)
            value += more
    return value, place


def _below_hundred(found: list[str], place: int) -> tuple[int, int]:
    value, place = _VALUES[found[place]], place + 1
    if value >= 20 and place < len(found) and 0 < _VALUES.get(found[place], 0) < 10:
        return value + _VALUES[found[place]], place + 1
    return value, place
