"""Compares a short answer with a reference: the same words, but for case, articles, dots, spelt numbers."""

from __future__ import annotations

from manus.data.forms.literals import shortened
from manus.scorers.plain_words import words
from manus.scorers.score import Score

_ARTICLES = {"a", "an", "the"}
_YES_OR_NO = {"yes", "no"}


def score(reference: str, completion: str) -> Score:
    """Return whether the completion is the reference; for yes and no its first word decides.

    Its part `answered` says whether anything was said.
    """
    expected, got = plain(reference), plain(completion)
    if not got:
        return Score(False, "no answer", {"answered": 0.0})
    if len(expected) == 1 and expected[0] in _YES_OR_NO:
        got = got[:1]
    if expected == got:
        return Score(True, "", {"answered": 1.0})
    return Score(False, f"expected {shortened(reference)}, got {shortened(completion)}", {"answered": 1.0})


def plain(answer: str) -> list[str]:
    """Return the words that are compared."""
    found = words(answer)
    return [word for word in found if word not in _ARTICLES] or found
