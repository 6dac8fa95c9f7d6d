"""What is asked of a model and taken from it; a model that has not learned the form is told of plainly."""

from __future__ import annotations

from pathlib import Path

import pytest

from manus.errors import InputError, ModelError
from manus.serving.podcast import writing
from manus.serving.podcast.answers import remembering
from manus.serving.podcast.asking import asking
from manus.serving.podcast.sources import Source, sentences_of
from manus.serving.podcast.writing import Wish, planned, write
from tests.pico import untrained
from tests.unit.serving.podcast.tones import answering, article


def source(language: str | None = None) -> Source:
    sentences = tuple(sentences_of(article(12)))
    return Source("a.txt", "00", "The ferry", language, (sentences[:6], sentences[6:]))


def test_hosts_take_turns_from_opening_to_goodbye() -> None:
    made = write(source(), Wish(1.0), answering, "m").script
    assert made.turns[0].rests_on == made.turns[-1].rests_on == () and made.title == "The ferry"
    assert [turn.host for turn in made.turns[:3]] == ["Ada", "Ben", "Ada"]
    numbers = [turn.rests_on[0] for turn in made.turns[1:-1]]
    assert numbers == sorted(numbers) and made.chapters[0].turn == 1


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("Hello.", "does not begin with a number in brackets"),
        ("[9] Hello.", "begins with [9], not [0]"),
        ("[0] Ada: hello.", "a speaker's name, which would be read aloud"),
        ("[0] (laughs) hello.", "a stage direction"),
        ("[0] " + "very " * 99, "much longer than the"),
    ],
)
def test_what_a_model_cannot_do_is_said_plainly(bad: str, says: str) -> None:
    tries: list[int] = []

    def ask(prompt: str, most: int, attempt: int) -> str:
        if "Choose the" in prompt:
            return answering(prompt, most, attempt)
        tries.append(attempt)
        return bad

    with pytest.raises(ModelError) as caught:
        write(source(), Wish(1.0), ask, "tiny")
    assert tries == list(range(writing.TRIES))
    said = str(caught.value)
    assert said.startswith("tiny could not write turn 1, the opening. 5 of 5 answers: ") and says in said
    assert "`manus podcast MODEL --script FILE`" in said


def test_a_second_try_is_taken_and_inventions_and_repetitions_are_not() -> None:
    seen: dict[str, int] = {}

    def ask(prompt: str, most: int, attempt: int) -> str:
        right = answering(prompt, most, 0)
        seen[prompt] = attempt
        if "about sentence" not in prompt or attempt == 2:
            return right
        return (
            right.replace(".", " in 1066.") if attempt == 0 else f"{right.split()[0]} Welcome, this is Ada."
        )

    made = write(source(), Wish(0.5), ask, "m").script
    assert max(seen.values()) == 2 and not any("1066" in turn.text for turn in made.turns)


def test_another_language_is_not_held_to_the_words_of_the_source() -> None:
    def ask(prompt: str, most: int, attempt: int) -> str:
        assert "Write in this language: de." in prompt
        if "about sentence" in prompt:
            number = prompt.split("about sentence [")[1].split("]")[0]
            return f"[{number}] Das war Nummer {'i' * int(number)} auf dem Fluss {'o' * int(number)} dort."
        return answering(prompt, most, attempt)

    made = write(source("en"), Wish(0.5, language="de"), ask, "m")
    assert made.script.language == "de" and "may be in another language" in made.notes[-1]


@pytest.mark.parametrize(
    ("outline", "sentences", "wanted", "plan"),
    [
        ([("A", [1]), ("B", [5])], 6, 2, [[1], [5]]),
        ([("A", [1]), ("B", [5])], 6, 4, [[1, 3], [5, 6]]),
        ([("A", [2])], 3, 5, [[1, 1, 2, 3, 3]]),
        ([("A", [1])], 2, 50, [[1, 1, 2, 2]]),
    ],
)
def test_left_out_sentences_join_their_chapter_and_none_comes_three_times(
    outline: list, sentences: int, wanted: int, plan: list[list[int]]
) -> None:
    assert [numbers for _, numbers in planned(outline, sentences, wanted)] == plan


def test_answers_are_those_of_one_model_and_a_torn_line_is_asked_anew(tmp_path: Path) -> None:
    model, file = tmp_path / "m", tmp_path / "f" / "a.jsonl"
    model.mkdir()
    (model / "w.safetensors").write_text("1")
    asked: list[str] = []

    def ask(prompt: str, most: int, attempt: int) -> str:
        asked.append(prompt)
        return prompt.upper()

    for prompt in ("a", "b", "a"):
        assert remembering(ask, model, file)(prompt, 9, 0) == prompt.upper()
    file.write_bytes(file.read_bytes()[:-4])
    remembering(ask, model, file)("b", 9, 0)
    (tmp_path / "m" / "more.safetensors").write_text("2")
    remembering(ask, model, file)("a", 9, 0)
    assert asked == ["a", "b", "b", "a"]


def test_a_model_that_has_not_learned_it_is_named(tmp_path: Path) -> None:
    folder = untrained(tmp_path / "pico")
    ask = asking(folder)
    assert ask("Hi", 5, 1) == ask("Hi", 5, 1)
    with pytest.raises(InputError, match=r"pico reads \d+ tokens, a question and its answer take \d+"):
        ask("word " * 9000, 5, 0)
    with pytest.raises(
        ModelError, match=r"pico could not write an outline of sentences 1 to 12\. .*--script FILE"
    ):
        write(source(), Wish(0.25), ask, "pico")
