"""What a podcast's writer asks, and which answers it takes."""

from __future__ import annotations

import pytest

from manus.data.forms.podcast_turns import outline_asked, read_outline, read_turn, turn_answered, turn_asked

SHOWN = {3: "The ferry sank.", 4: "Nobody was hurt.", 5: "It was raised."}


def test_what_is_asked_shows_sentences_names_and_what_was_said() -> None:
    asked = turn_asked("turn", ("Ada", "Ben"), "Ben", SHOWN, 4, [("Ada", "It sank.")], 20, "de")
    assert "[4] Nobody was hurt.\n" in asked and "Ada: It sank.\n" in asked and asked.endswith("\n\nBen:")
    assert "about sentence [4]" in asked and "About 20 words" in asked and "language: de" in asked
    assert "nothing yet" in turn_asked("opening", ("Ada", "Ben"), "Ada", SHOWN, 0, [], 20, None)
    assert "the 2 sentences" in outline_asked(SHOWN, 2, 1, None)


def test_an_answer_is_read_as_it_is_taught() -> None:
    assert read_turn(turn_answered(4, "Was nobody hurt?"), 4, ("Ada", "Ben")) == "Was nobody hurt?"
    assert read_turn('[4] "No."', 4, ("Ada",)) == "No."


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("No.", "does not begin"),
        ("[4] No.\n[5] Yes.", "several lines"),
        ("[5] No.", r"begins with \[5\]"),
        ("[4] Ben: no.", "speaker's name"),
        ("[4] *No.*", "marks"),
        ("[4] ...", "no word"),
        ("", "does not begin"),
    ],
)
def test_what_is_no_turn_says_why(answer: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_turn(answer, 4, ("Ada", "Ben"))


def test_an_outline() -> None:
    assert read_outline("The end: 3, 4\n- After: 5", SHOWN, 3, 2) == [("The end", [3, 4]), ("After", [5])]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("", "has 0 lines, not 1 to 2"),
        ("The end", "not `heading: numbers`"),
        ("The end: 3, 9", "names sentence 9"),
        ("The end: 4, 3", "in the order of the text"),
        ("A: 3\nB: 3", "each once"),
        ("A: 3, 4, 5", "more than 2"),
        ("A: 3\nB: 4\nC: 5", "has 3 lines"),
    ],
)
def test_what_is_no_outline_says_why(answer: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_outline(answer, SHOWN, 2, 2)
