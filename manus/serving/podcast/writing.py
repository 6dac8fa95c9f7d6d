"""Lets a model write a script: an outline of the source, then turn by turn. Loads no model, speaks nothing.

Each answer must have the asked form, and a turn must share words with the sentence it rests on, invent no
figure, and repeat no earlier turn (`manus.scorers.podcast_scripts`). An answer that does not is asked for again,
a few times; then the writing ends with what was wrong. Nothing is put in the place of what a model cannot say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from manus.data.forms.podcast_turns import (
    NOTHING,
    Part,
    outline_asked,
    read_outline,
    read_turn,
    turn_asked,
)
from manus.errors import ModelError
from manus.guards.progress import progress
from manus.guards.run import RUN
from manus.scorers.podcast_scripts import count_words, is_repetition, is_supported, length_error
from manus.serving.podcast.answers import Ask
from manus.serving.podcast.script import Chapter, Host, Origin, Script, Turn
from manus.serving.podcast.sources import Source

# The two packaged voices in turn, mixed: eight turns of 126 words last 36.0 s, and 36.7 s with the voices swapped.
WORDS_PER_MINUTE = 208.0
TOLERANCE = 0.15
TRIES = 5
TURN_WORDS = 22  # of a turn, on average
FEWEST_WORDS, MOST_WORDS = 8, 40  # that are asked for
FEWEST_TURNS = 4
CHAPTER_TURNS = 6
PART_WORDS = 300  # of the source that an outline is asked of at once
AROUND = 2  # sentences shown on either side of the one that a turn is about
REMEMBERED_TURNS = 4
TOKENS_A_WORD = 3

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a script is to be.

    minutes: of the episode.
    hosts: two names or more, who speak in turn.
    voices: of the hosts; empty where no speaker is known yet.
    language: None for the source's.
    words_per_minute: how fast the voices speak, pauses included.
    seed: of the pauses.
    """

    minutes: float
    hosts: tuple[str, ...] = ("Ada", "Ben")
    voices: tuple[str, ...] = ()
    language: str | None = None
    words_per_minute: float = WORDS_PER_MINUTE
    seed: int = 0

    @property
    def words(self) -> float:
        """How many words the episode is to have."""
        return self.minutes * self.words_per_minute


@dataclass(frozen=True, slots=True)
class Written:
    """A script, by which share it misses its length, and what should be said of it."""

    script: Script
    length_error: float
    notes: tuple[str, ...]


def write(source: Source, wish: Wish, ask: Ask, model: str) -> Written:
    """Write a script about a source.

    Args:
        source: what it is about.
        wish: length, hosts, language.
        ask: puts a question to the model.
        model: its name, for messages.

    Raises:
        ModelError: the model does not answer in the asked form, however often it is asked.
        Interrupted: a signal asked to stop.
    """
    wanted = max(FEWEST_TURNS, round(wish.words / TURN_WORDS)) - 2
    with progress("write", wanted + 2, "turns") as advance:
        outline = list(_outlined(source, wanted, wish, ask, model))
        writer = _Writer(source, wish, ask, model, advance, _subject(source, outline), wanted + 2)
        writer.say("opening", NOTHING, wish.words / (wanted + 2))
        chapters = list(writer.talk(planned(outline, len(source.sentences), wanted)))
        writer.say("closing", NOTHING, TURN_WORDS)
        advance(wanted + 2)
    script = Script(
        title=source.title or outline[0][0],
        language=wish.language or source.language,
        source=Origin(file=source.name, sha256=source.sha256),
        minutes=wish.minutes,
        seed=wish.seed,
        hosts=tuple(Host(name=n, voice=v) for n, v in _voiced(wish)),
        chapters=tuple(chapters),
        turns=tuple(writer.turns),
    )
    error = length_error(writer.words, wish.words)
    return Written(script, error, tuple(_notes(source, wish, writer.words, error)))


def planned(
    outline: Sequence[tuple[str, Sequence[int]]], sentences: int, wanted: int
) -> list[tuple[str, list[int]]]:
    """Return what each chapter's turns are about: sentence by sentence, in the order of the source.

    Where the outline chose fewer sentences than turns are wanted, those that it left out join the chapter they
    stand in, evenly; where the source has too few, its sentences are talked about twice. More often than
    that would repeat or invent, so the script stays shorter.

    Args:
        outline: headings and numbers of sentences, in order.
        sentences: how many the source has.
        wanted: how many turns.
    """
    chosen = [number for _, numbers in outline for number in numbers]
    left_out = [number for number in range(1, sentences + 1) if number not in set(chosen)]
    joining = _evenly(left_out, wanted - len(chosen))
    twice = set(_evenly(sorted([*chosen, *joining]), wanted - len(chosen) - len(joining)))
    found = [(title, list(numbers)) for title, numbers in outline]
    for number in joining:
        place = max((i for i, (_, n) in enumerate(found) if n and min(n) < number), default=0)
        found[place][1].append(number)
    return [
        (title, [n for number in sorted(numbers) for n in [number] * (1 + (number in twice))])
        for title, numbers in found
    ]


def _evenly(items: Sequence[int], count: int) -> list[int]:
    """Return so many items, spread over all of them; none for a count below 1."""
    if count >= len(items):
        return list(items)
    return [items[(2 * place + 1) * len(items) // (2 * count)] for place in range(max(0, count))]


def _parts(source: Source) -> list[dict[int, str]]:
    """Return the source in pieces of some hundred words, paragraphs kept whole where they are short enough."""
    parts: list[dict[int, str]] = [{}]
    number, words = 0, 0
    for paragraph in source.paragraphs:
        long = sum(map(count_words, paragraph))
        if words and words + long > PART_WORDS:
            parts, words = [*parts, {}], 0
        for sentence in paragraph:
            if words > PART_WORDS:
                parts, words = [*parts, {}], 0
            number += 1
            parts[-1][number] = sentence
            words += count_words(sentence)
    return parts


def _outlined(
    source: Source, wanted: int, wish: Wish, ask: Ask, model: str
) -> Iterator[tuple[str, list[int]]]:
    """Yield headings and the sentences under them, asked for part by part; of a book, parts from all over it."""
    parts = _parts(source)
    chosen = [parts[place] for place in _evenly(range(len(parts)), wanted)]
    for place, part in enumerate(chosen):
        share = (wanted * (place + 1)) // len(chosen) - (wanted * place) // len(chosen)
        most = min(share, len(part))
        headings = max(1, most // CHAPTER_TURNS)
        prompt = outline_asked(part, most, headings, wish.language)
        yield from _answered(
            ask, prompt, 40 * headings + 6 * most, f"an outline of sentences {min(part)} to {max(part)}", model,
            partial(read_outline, known=part, most_sentences=most, most_headings=headings),
        )  # fmt: skip


def _answered(
    ask: Ask, prompt: str, most_tokens: int, what: str, model: str, read: Callable[[str], Answer]
) -> Answer:
    """Ask until an answer can be read.

    Raises:
        ModelError: none of the tries can be; says what was wrong with them.
    """
    wrong, answer = Counter[str](), ""
    for attempt in range(TRIES):
        RUN.cross("writing the script")
        answer = ask(prompt, most_tokens, attempt)
        try:
            return read(answer)
        except ValueError as error:
            wrong[str(error)] += 1
    reasons = "; ".join(f"{count} of {TRIES} answers: {reason}" for reason, count in wrong.most_common())
    shown = " ".join(answer.split())
    shown = f"{shown[:60]}..." if len(shown) > 60 else shown
    raise ModelError(
        f"{model} could not write {what}. {reasons}. The last one was {shown!r}. Models learn this from the "
        "generator `podcasts`; `manus podcast MODEL --script FILE` speaks a script that is written by hand"
    )


def _subject(source: Source, outline: Sequence[tuple[str, Sequence[int]]]) -> dict[int, str]:
    """Return the sentences that opening and closing are shown: where the source begins, and chapters do."""
    numbers = {1, *(numbers[0] for _, numbers in outline)}
    return {number: source.sentences[number - 1] for number in sorted(numbers)[: 2 * AROUND + 1]}


def _voiced(wish: Wish) -> list[tuple[str, str | None]]:
    voices = [*wish.voices, *[None] * len(wish.hosts)]
    return list(zip(wish.hosts, voices, strict=False))


def _notes(source: Source, wish: Wish, words: int, error: float) -> Iterator[str]:
    """Yield what should be said of a script's length and grounding."""
    if abs(error) > TOLERANCE:
        has = sum(map(count_words, source.sentences))
        why = (
            f"; {source.name} has {has} words, and more turns about them would repeat or invent"
            if error < 0 and has < wish.words
            else ""
        )
        yield (
            f"the script has {words} words, {wish.minutes:g} minutes at {wish.words_per_minute:g} words a minute "
            f"would be {wish.words:.0f}: it is {abs(error):.0%} too {'short' if error < 0 else 'long'}{why}"
        )
    if _is_translated(source, wish):
        yield f"{source.name} may be in another language than the script, so it was not checked that its words support them"


def _is_translated(source: Source, wish: Wish) -> bool:
    """Tell whether the script may be in another language than its source; where nothing says so, it may."""
    return wish.language is not None and (source.language or "")[:2].lower() != wish.language[:2].lower()


@dataclass
class _Writer:
    """The turns so far, and what is asked for the next one."""

    source: Source
    wish: Wish
    ask: Ask
    model: str
    advance: Callable[..., None]
    subject: dict[int, str]
    planned: int
    turns: list[Turn] = field(default_factory=list)
    words: int = 0

    def talk(self, plan: Sequence[tuple[str, Sequence[int]]]) -> Iterator[Chapter]:
        """Say the turns of all chapters, as long as there is time; yield the chapters that were begun.

        A model whose turns are shorter than was asked for gets more of them: from the sentences still to come.
        """
        starts = [min(numbers) for _, numbers in plan]
        waiting = [number for _, numbers in plan for number in numbers]
        begun = -1
        while waiting:
            number = waiting.pop(0)
            wanted = self.left / (len(waiting) + 1)
            if wanted < FEWEST_WORDS / 2:
                return
            self.say("turn", number, wanted)
            chapter = max(place for place, start in enumerate(starts) if start <= number or not place)
            if chapter != begun:
                begun = chapter
                yield Chapter(title=plan[chapter][0], turn=len(self.turns) if chapter else 1)
            waiting = self._enough(number, waiting)

    @property
    def left(self) -> float:
        """How many words there is time for before the closing."""
        return self.wish.words - TURN_WORDS - self.words

    def _enough(self, number: int, waiting: list[int]) -> list[int]:
        """Return the sentences still to be talked about, with more of those behind `number` if time will be left."""
        talked = self.turns[1:]
        mean = sum(count_words(turn.text) for turn in talked) / len(talked)
        missing = round(self.left / mean) - len(waiting)
        spare = [later for later in range(number + 1, len(self.source.sentences) + 1) if later not in waiting]
        more = _evenly(spare, missing)
        once = [later for later in set(waiting) if waiting.count(later) == 1 and later != number]
        return sorted([*waiting, *more, *_evenly(sorted(once), missing - len(more))])

    def say(self, part: Part, number: int, wanted: float) -> None:
        """Ask for a turn until it can be taken, and take it."""
        host = self.wish.hosts[len(self.turns) % len(self.wish.hosts)]
        words = round(min(max(wanted, FEWEST_WORDS), MOST_WORDS))
        near = range(max(1, number - AROUND), min(len(self.source.sentences), number + AROUND) + 1)
        shown = {n: self.source.sentences[n - 1] for n in near} if number else self.subject
        said = [(turn.host, turn.text) for turn in self.turns[-REMEMBERED_TURNS:]]
        prompt = turn_asked(part, self.wish.hosts, host, shown, number, said, words, self.wish.language)
        about = f" about sentence [{number}]" if number else f", the {part}"
        text = _answered(
            self.ask, prompt, TOKENS_A_WORD * 2 * words + 12, f"turn {len(self.turns) + 1}{about}", self.model,
            partial(self._taken, number=number, words=words),
        )  # fmt: skip
        self.turns.append(Turn(host=host, text=text, rests_on=(number,) if number else ()))
        self.words += count_words(text)
        self.advance(min(len(self.turns), self.planned - 1), f"{self.words} words")

    def _taken(self, answer: str, number: int, words: int) -> str:
        """Return what an answer says, if it can stand in the script.

        Raises:
            ValueError: it cannot.
        """
        text = read_turn(answer, number, self.wish.hosts)
        if count_words(text) > 2 * words + 5:
            raise ValueError(f"is much longer than the {words} words that were asked for")
        if is_repetition(text, [turn.text for turn in self.turns]):
            raise ValueError("repeats an earlier turn")
        is_checked = number and not _is_translated(self.source, self.wish)
        if is_checked and not is_supported(text, [self.source.sentences[number - 1]]):
            raise ValueError("is not supported by the words of its sentence")
        return text
