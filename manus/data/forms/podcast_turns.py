"""How a model is asked for a podcast, step by step, and how its answers are read. Knows no model and no source.

What `manus podcast` asks and what the generator `podcasts` teaches are these same texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

Part = Literal["opening", "turn", "closing"]
NOTHING = 0  # the number of a turn that rests on no sentence: opening and closing
FORMAT = "Answer with one line: the number of the sentence in brackets, then only what is said."
_TURN = re.compile(r"\[(\d+)\]\s*(\S.*)")
_HEADING = re.compile(r"(?:[-*]\s+)?(\S.*?):\s*(\d+(?:\s*,\s*\d+)*)\.?")
_STAGE = re.compile(r"[\[\]{}<>*#_|]|\(\s*\w+(?:ing|s)\s*\)")


def outline_asked(
    sentences: Mapping[int, str], most_sentences: int, most_headings: int, language: str | None
) -> str:
    """Return the request for what a podcast is to talk about.

    Args:
        sentences: of the text, by number.
        most_sentences: how many may be chosen.
        most_headings: how many chapters they may be put under.
        language: of the headings; None for the text's own.
    """
    return (
        f"A podcast talks about the text below. Choose the {most_sentences} sentences that matter most and put "
        f"them under at most {most_headings} headings, in the order of the text. Answer with one line for each "
        f"heading: the heading, a colon, the numbers of its sentences.{_in(language)}\n\n"
        f"Text:\n{numbered(sentences)}"
    )


def read_outline(
    answer: str, known: Mapping[int, str], most_sentences: int, most_headings: int
) -> list[tuple[str, list[int]]]:
    """Return the headings and their sentences.

    Raises:
        ValueError: the answer is none; says why.
    """
    lines = [line.strip() for line in answer.splitlines() if line.strip()]
    if not lines or len(lines) > most_headings:
        raise ValueError(f"has {len(lines)} lines, not 1 to {most_headings}")
    found, before = list[tuple[str, list[int]]](), 0
    for line in lines:
        parts = _HEADING.fullmatch(line)
        if parts is None:
            raise ValueError("has a line that is not `heading: numbers`")
        numbers = [int(number) for number in parts[2].split(",")]
        for number in numbers:
            if number not in known:
                raise ValueError(f"names sentence {number}, which was not shown")
            if number <= before:
                raise ValueError("does not name the sentences in the order of the text, each once")
            before = number
        found.append((parts[1].strip('*# "'), numbers))
    if sum(len(numbers) for _, numbers in found) > most_sentences:
        raise ValueError(f"chooses more than {most_sentences} sentences")
    return found


def turn_asked(
    part: Part,
    hosts: Sequence[str],
    host: str,
    sentences: Mapping[int, str],
    number: int,
    said: Sequence[tuple[str, str]],
    words: int,
    language: str | None,
) -> str:
    """Return the request for the next turn.

    Args:
        part: whether it opens or closes the podcast, or is one between.
        hosts: all names.
        host: who speaks next.
        sentences: what is shown of the text, by number.
        number: the sentence that the turn is about; 0 for opening and closing.
        said: who said what, just before.
        words: about how many are wanted.
        language: to speak; None for the text's own.
    """
    wanted = {
        "opening": f"how {host} opens the podcast: who talks, and about what. It rests on no sentence: [{NOTHING}]",
        "turn": f"what {host} says next, about sentence [{number}], and nothing that the text does not say",
        "closing": f"how {host} closes the podcast and says goodbye. It rests on no sentence: [{NOTHING}]",
    }[part]
    before = "\n".join(f"{who}: {text}" for who, text in said) or "nothing yet"
    return (
        f"{' and '.join(hosts)} talk about the text below in a podcast. Write {wanted}. "
        f"About {words} words. {FORMAT}{_in(language)}\n\n"
        f"Text:\n{numbered(sentences)}\n\nSaid so far:\n{before}\n\n{host}:"
    )


def turn_answered(number: int, text: str) -> str:
    """Return an answer as it is taught."""
    return f"[{number}] {text}"


def read_turn(answer: str, number: int, hosts: Sequence[str]) -> str:
    """Return what is said.

    Raises:
        ValueError: the answer is no turn; says why.
    """
    found = _TURN.fullmatch(answer.strip())
    if found is None:
        is_long = "\n" in answer.strip()
        raise ValueError("has several lines" if is_long else "does not begin with a number in brackets")
    if int(found[1]) != number:
        raise ValueError(f"begins with [{found[1]}], not [{number}]")
    text = found[2].strip().strip('"“”').strip()
    if any(re.match(rf"{re.escape(host)}\s*:", text) for host in hosts) or _STAGE.search(text):
        raise ValueError("holds marks, a stage direction or a speaker's name, which would be read aloud")
    if not re.search(r"[^\W_]", text):
        raise ValueError("says no word")
    return text


def numbered(sentences: Mapping[int, str]) -> str:
    """Return sentences with their numbers, a line each."""
    return "\n".join(f"[{number}] {sentence}" for number, sentence in sentences.items())


def _in(language: str | None) -> str:
    return f" Write in this language: {language}." if language else ""
