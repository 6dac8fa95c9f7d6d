"""Short answers and transcripts are compared as people would: by their words."""

from __future__ import annotations

import pytest

from manus.scorers import short_answer, word_errors
from manus.scorers.plain_words import words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Twenty-one, don't!", "21 dont"),
        ("one hundred and five", "105"),
        ("two hundred", "200"),
        ("nine hundred ninety nine", "999"),
        ("seven two", "7 2"),
        ("twenty zero", "20 0"),
        ("twenty twelve", "20 12"),
        ("hundred", "hundred"),
        ("one hundred and a half", "100 and a half"),
        ("1,250 people", "1250 people"),
        ("3.5 or -4", "3.5 or -4"),
        ("a T-shirt", "a t shirt"),
        ("Ｆｕｌｌ　width", "full width"),
        ("naïve café", "naïve café"),
        ("…", ""),
        ("", ""),
    ],
)
def test_words(text, expected):
    assert words(text) == expected.split()


@pytest.mark.parametrize(
    ("reference", "said", "correct"),
    [
        ("red", "Red.", True),
        ("a red circle", "the red circle", True),
        ("3", "three", True),
        ("twenty-one", "21", True),
        ("yes", "Yes, there is.", True),
        ("yes", "yesterday", False),
        ("no", "Nothing.", False),
        ("no", "", False),
        ("top left", "left top", False),
        ("red", "red or blue", False),
        ("red", "I think it is red", False),
        ("a", "A.", True),
        ("7", "17", False),
    ],
)
def test_short_answers(reference, said, correct):
    assert short_answer.score(reference, said).correct is correct


def test_saying_nothing_is_told_apart_from_saying_something_wrong():
    assert short_answer.score("red", " . ").parts == {"answered": 0.0}
    assert short_answer.score("red", "blue").parts == {"answered": 1.0}
    assert short_answer.score("red", "blue").note == "expected 'red', got 'blue'"


@pytest.mark.parametrize(
    ("reference", "said", "rate"),
    [
        ("the cat sat", "The cat sat.", 0),
        ("the cat sat", "the cat", 1 / 3),
        ("the cat sat", "the big cat sat", 1 / 3),
        ("the cat sat", "the dog sat", 1 / 3),
        ("the cat sat", "", 1),
        ("cat", "a b c", 3),
        ("a b c d", "b c d a", 2 / 4),
    ],
)
def test_word_error_rates(reference, said, rate):
    assert word_errors.word_error_rate(reference, said) == pytest.approx(rate)


def test_a_transcript_without_words_is_refused():
    with pytest.raises(ValueError, match="no words"):
        word_errors.word_error_rate("...", "a")
