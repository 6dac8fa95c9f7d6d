"""Word error rate of a transcript: words to add, drop and replace, as a share of the words said."""

from __future__ import annotations

from collections.abc import Sequence

from manus.scorers.plain_words import words
from manus.scorers.score import Score


def score(reference: str, completion: str, most: float) -> Score:
    """Return whether the word error rate is at most `most`; `wer` is the rate, 1 where it is above that."""
    rate = word_error_rate(reference, completion)
    return Score(rate <= most, f"word error rate {rate:.2f}" if rate else "", {"wer": min(rate, 1.0)})


def word_error_rate(reference: str, completion: str) -> float:
    """Return the edits between two texts per word of the reference; words are compared as `plain_words` says.

    Raises:
        ValueError: the reference has no words.
    """
    expected = words(reference)
    if not expected:
        raise ValueError(f"the transcript {reference!r} has no words")
    return _edits(expected, words(completion)) / len(expected)


def _edits(expected: Sequence[str], got: Sequence[str]) -> int:
    """Return the Levenshtein distance, one row of its table at a time."""
    row = list(range(len(got) + 1))
    for place, word in enumerate(expected, 1):
        above, row = row, [place]
        for column, other in enumerate(got, 1):
            row.append(min(above[column] + 1, row[-1] + 1, above[column - 1] + (word != other)))
    return row[-1]
