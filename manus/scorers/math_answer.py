"""Finds the final answer of a solution and compares it with a reference. Knows nothing of models or rows.

Comparison is text, then numbers, then math-verify (https://github.com/huggingface/Math-Verify).
"""

from __future__ import annotations

import logging
import re
from fractions import Fraction

from manus.data.forms.literals import shortened
from manus.scorers.score import Score

# Longer answers, and those below, are compared as text only: sympy has no bound on what they cost, and
# math-verify's time limit rests on signals, which work on the main thread alone.
MAX_SYMBOLIC_CHARACTERS = 200
_COSTLY = re.compile(
    r"\^\s*[{(]?\s*[-+]?\d{4,}"  # 9^{99999}
    r"|\d\s*\^\s*[{(]?\s*\d+\s*[\^!]"  # 9^{9^9}
    r"|[)\]]\s*\^\s*\{?\s*\d{2,}"  # (x+y+z)^{99}
    r"|\d{4,}\s*!|!\s*\)*\s*!"  # 99999!
    r"|\\(?:int|sum|prod|lim)"
)
_MAX_POWERS = 6

_HASHES = re.compile(r"####\s*(.+)")
_SAID = re.compile(r"\banswer(?:\s+is|\s*:)[\s:]*(.+?)(?=\.(?:\s|\*|$)|\n|$)", re.IGNORECASE)
_BARE_NUMBER = re.compile(r"[-+]?\s*\$?\s*\d[\d,]*(?:\.\d+)?(?:/\d+)?\s*%?")
_NUMBER = re.compile(r"[-+]?(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d+)?(?:/0*[1-9]\d*)?|[-+]?\.\d+")
_WORDS = re.compile(r"[^\W\d_]{2,}(?:[\s,'-]+[^\W\d_]+)*")
_TIME = re.compile(r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?|\d{4}-\d{1,2}-\d{1,2}|\d{1,2}/\d{1,2}/\d{2,4}")
_WRAPPER = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|boldsymbol|mbox)\s*\{([^{}]*)\}")


def boxed(text: str) -> str | None:
    r"""Return what the last balanced `\boxed{...}` (or `\fbox`) holds, None where there is none."""
    for found in reversed(list(re.finditer(r"\\f?box(?:ed)?\s*\{", text))):
        inside = _balanced(text, found.end())
        if inside is not None and inside.strip():
            return inside.strip()
    return None


def _balanced(text: str, start: int) -> str | None:
    depth = 1
    for position in range(start, len(text)):
        if text[position - 1] == "\\" and text[position - 2 : position] != "\\\\":
            continue
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return text[start:position]
    return None


def extract(text: str) -> str | None:
    r"""Return the final answer: the last `\boxed{}`, else after the last `####`, else after the last
    "answer is", else the whole text where that is one number; None where there is no answer.
    """
    if (inside := boxed(text)) is not None:
        return inside
    for pattern in (_HASHES, _SAID):
        found: list[str] = pattern.findall(text)
        if found and (answer := found[-1].strip().strip("*$ ").strip()):
            return answer
    return text.strip() if _BARE_NUMBER.fullmatch(text.strip()) else None


def score(reference: str, completion: str) -> Score:
    """Return whether the completion's final answer equals the reference.

    Its part `answered` says whether there is an answer at all.
    """
    got = extract(completion)
    if got is None:
        return Score(False, "no answer found", {"answered": 0.0})
    if same_answer(reference, got):
        return Score(True, "", {"answered": 1.0})
    return Score(False, f"expected {shortened(reference)}, got {shortened(got)}", {"answered": 1.0})


def same_answer(reference: str, got: str) -> bool:
    """Return whether two answers, without the text around them, are equal."""
    expected, given = _plain(reference), _plain(got)
    if expected.casefold() == given.casefold():
        return bool(expected)
    # A word is no product of its letters ("Friday" is not "dairFy"), a time no quotient ("1:10" not "2:20").
    if not expected or not given or any(p.fullmatch(a) for p in (_WORDS, _TIME) for a in (expected, given)):
        return False
    numbers = _number(expected), _number(given)
    if numbers[0] is not None and numbers[1] is not None:
        return numbers[0] == numbers[1]
    if _is_costly(expected) or _is_costly(given):
        return False
    return _symbolically_equal(expected, given)


def _plain(answer: str) -> str:
    text = answer.strip().strip("$").strip()
    if text.startswith((r"\(", r"\[")) and text.endswith((r"\)", r"\]")):
        text = text[2:-2].strip()
    text = _WRAPPER.sub(r"\1", text).replace(r"\$", "").replace(r"\!", "").replace("{,}", ",")
    text = text.strip().removesuffix(".").strip()
    return text[1:-1] if re.fullmatch(r"\([A-Za-z]\)", text) else text


def _number(text: str) -> Fraction | None:
    if len(text) > MAX_SYMBOLIC_CHARACTERS or not _NUMBER.fullmatch(text):
        return None
    whole, _, below = text.replace(",", "").partition("/")
    return Fraction(whole) / Fraction(below or "1")


def _is_costly(text: str) -> bool:
    text = text.replace("**", "^")
    too_long = len(text) > MAX_SYMBOLIC_CHARACTERS
    return too_long or text.count("^") > _MAX_POWERS or _COSTLY.search(text) is not None


def _symbolically_equal(expected: str, given: str) -> bool:
    from math_verify import parse, verify

    # It warns, once a process, that its time limit is off; why it is stands above.
    logging.getLogger("math_verify").setLevel(logging.ERROR)
    sides = [parse(f"${side}$", parsing_timeout=None) for side in (expected, given)]
    return bool(verify(sides[0], sides[1], timeout_seconds=None))
