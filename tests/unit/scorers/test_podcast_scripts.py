"""What is counted of a script: support by words, repetition, length, form; each can fail."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from manus.scorers.podcast_scripts import (
    count_words,
    form_faults,
    is_repetition,
    is_supported,
    length_error,
    repeated_share,
    supported_share,
)

SENTENCES = ("The ferry was built in 1912 by two carpenters.", "It carried 12,000 carts a year.")


class Turn(NamedTuple):
    host: str
    text: str
    rests_on: tuple[int, ...] = ()


@pytest.mark.parametrize(
    ("text", "number", "is_right"),
    [
        ("So two carpenters made that ferry in 1912!", 1, True),
        ("So two carpenters made that ferry in 1913!", 1, False),
        ("It carried 12000 carts.", 2, True),
        ("The weather is lovely today.", 1, False),
        ("Carts, a year of them: 12,000 carried.", 1, False),
        ("Oh?", 1, False),
    ],
)
def test_a_turn_is_supported_by_shared_words_and_known_figures(
    text: str, number: int, is_right: bool
) -> None:
    assert is_supported(text, [SENTENCES[number - 1]]) == is_right


def test_words_without_spaces_are_compared_by_pairs_of_characters() -> None:
    assert is_supported("渡船是木匠造的", ["这条渡船是两个木匠造的。"])
    assert not is_supported("今天天气很好", ["这条渡船是两个木匠造的。"])
    assert count_words("渡船渡船") == 2 and count_words("two words") == 2


def test_the_share_of_supported_turns_leaves_out_what_needs_none() -> None:
    turns = [
        Turn("A", "Welcome to the show of today."),
        Turn("B", "Two carpenters built the ferry.", (1,)),
        Turn("A", "Really?"),
        Turn("A", "The weather is lovely today.", (2,)),
        Turn("B", "Something without any number of a sentence."),
        Turn("A", "Out of range.", (9,)),
        Turn("B", "Goodbye to all of you there."),
    ]
    assert supported_share(turns, SENTENCES) == 0.25
    assert supported_share(turns[:1], SENTENCES) == 0


def test_repetition_and_length() -> None:
    said = "the ferry was built in the spring"
    assert repeated_share([said]) == 0 and repeated_share([said, said]) == 0.5 and repeated_share([]) == 0
    assert is_repetition(f"Yes, {said}.", [said]) and is_repetition("Right!", ["right"])
    assert not is_repetition("the ferry was sold to a museum in the town", [said])
    assert length_error(2.7, 3) == pytest.approx(-0.1)


def test_form() -> None:
    good = [Turn("A", "Hello."), Turn("B", "It was built.", (1,)), Turn("A", "Oh."), Turn("B", "Bye.")]
    assert form_faults(good, ["A", "B"]) == []
    faults = form_faults(
        [Turn("A", "Hi.", (1,)), Turn("A", "One two three four."), Turn("A", "Bye.", (2,))], ["A", "B"]
    )
    assert [fault.partition(":")[0] for fault in faults] == [
        "B never speaks", "turn 1", "turn 2", "turn 3", "turn 3",
    ]  # fmt: skip
    assert form_faults([Turn("A", "Hi.")], ["A"])[0] == "there is one host"
