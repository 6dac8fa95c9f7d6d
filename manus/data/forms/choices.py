"""Reads questions with several answers to choose from. Knows nothing of where the question stands.

| choices | the right one | data set |
|---|---|---|
| `choices`: a list | `answer`: a number from 0 | MMLU, ScienceQA |
| `choices`: `text` and `label` lists | `answerKey`: a label | ARC, OpenBookQA, CommonsenseQA |
| `options`: a list or `{"A": ...}` | `answer`: a letter or the text, `answer_idx` | RACE, MedQA |
| `A`, `B`, `C`, `D` | `answer`: a letter | MMBench |
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

from manus.data.forms.columns import Columns, is_empty
from manus.data.forms.literals import read_literal, shortened
from manus.data.sample import RowError

_COLUMNS = ("choices", "options")
_CANDIDATES = "candidates"  # MVBench's
_KEYS = (
    "answer",
    "answerKey",
    "answer_key",
    "answer_idx",
    "answer_index",
    "correct_choice_idx",
    "correct_option",
    "correct_answer",
    "correct",
    "label",
    "target",
    "gold",
    "ground_truth",
)
_LABELS, _TEXTS = ("label", "labels", "key", "keys"), ("text", "texts", "value", "values")
_LABELLED = re.compile(r"\s*[(\[]?([A-Z])\s*[)\].:]\s*(.+)", re.DOTALL)
_SEVERAL = re.compile(r"[A-Z](?:\s*[,;&]\s*[A-Z])+")
_NUMBERED = re.compile(
    r"(a|ans|answer|option|opt|op|choice|sol|solution|ending|candidate|distractor)[ _]?(?:\d|[a-e])",
    re.IGNORECASE,
)
LONGEST_KEY_CHARACTERS = 2


@dataclass(frozen=True, slots=True)
class Choices:
    """What there is to choose from, each with its label, and the columns that say so."""

    labels: list[str]
    texts: list[str]
    columns: tuple[str, ...]
    are_numbers: bool = False  # in the row, where a number may also be the right choice itself

    @property
    def lines(self) -> list[str]:
        """How they stand below the question."""
        return [self.line(place) for place in range(len(self.labels))]

    def line(self, place: int) -> str:
        """Return one of them as it is written, also in the answer."""
        return f"{self.labels[place]}. {self.texts[place]}"

    def place_of(self, value: Any) -> int | None:
        """Return which of them a key names: its number from 0, its label, or its text; None if it is no key.

        Raises:
            RowError: it is a key, and of none of them.
        """
        if isinstance(value, int) and not isinstance(value, bool):
            if str(value) in self.labels:
                return self.labels.index(str(value))
            if not 0 <= value < len(self.texts):
                raise RowError(f"the answer is choice number {value}, from 0, of {len(self.texts)}")
            if self.are_numbers and _only(self.texts, str(value)) not in (None, value):
                raise RowError(
                    f"the answer is {value}, which is one of the choices and the number of another; give its "
                    "letter"
                )
            return value
        if not isinstance(value, str):
            raise RowError(f"the answer is none of the choices: {shortened(value)}")
        said = value.strip()
        for known in (self.texts, self.labels):
            if (place := _only(known, said)) is not None:
                return place
        if (labelled := _LABELLED.fullmatch(said)) and labelled[1] in self.labels:
            place = self.labels.index(labelled[1])
            if _plain(labelled[2]) == _plain(self.texts[place]):
                return place
        bare = said.strip("().[] ")
        if bare.upper() in self.labels:
            return self.labels.index(bare.upper())
        if bare.isdigit():
            return self.place_of(int(bare))
        if len(bare) <= LONGEST_KEY_CHARACTERS:
            raise RowError(f"the answer is none of the choices: {shortened(value)}")
        return None


def read_choices(row: Mapping[str, Any]) -> Choices | None:
    """Return what a row gives to choose from, None where it is nothing, or a text that cannot be taken apart.

    Raises:
        RowError: choices are there, and are no list of texts.
    """
    column = next((name for name in _COLUMNS if not is_empty(row.get(name))), None) or _of_candidates(row)
    if column is None:
        letters = [
            letter
            for letter in ascii_uppercase[:8]
            if isinstance(row.get(letter), str | int | float)
            and not is_empty(row[letter])  # MMBench has fewer choices than columns
            and (row[letter] != "nan" or any(row.get(name) == letter for name in _KEYS))
        ]
        if len(letters) < 2 or letters != list(ascii_uppercase[: len(letters)]) or not has_key(row):
            return None
        return Choices(letters, [_text(row[letter]) for letter in letters], tuple(letters))
    value = row[column]
    if isinstance(value, str):
        if not value.lstrip().startswith(("[", "{")):
            raise RowError(f"{column!r} is one text; give a list of texts")
        try:
            value = read_literal(value)
        except ValueError as error:
            raise RowError(f"{column!r} is {error}") from None
    labels, texts = _labels_and_texts(value, column)
    if not 2 <= len(texts) <= len(ascii_uppercase) or len(set(labels)) != len(texts):
        raise RowError(f"{column!r} holds {len(texts)} texts with {len(set(labels))} labels to choose from")
    are_numbers = isinstance(value, list | tuple) and all(isinstance(one, int | float) for one in value)
    return Choices(labels, texts, (column,), are_numbers)


def _of_candidates(row: Mapping[str, Any]) -> str | None:
    """Return the column of candidates, if the answer is one of them exactly: elsewhere they are drafts."""
    given = row.get(_CANDIDATES)
    is_listed = isinstance(given, list | tuple) and any(
        row.get(name) in given for name in _KEYS if row.get(name)
    )
    return _CANDIDATES if is_listed else None


def refuse_key_alone(row: Mapping[str, Any], column: str) -> None:
    """Refuse an answer that names one of several columns, by number or letter: nothing would be shown of it.

    Raises:
        RowError: it does.
    """
    key = row.get(column)
    if (
        isinstance(key, bool)
        or not isinstance(key, str | int)
        or len(str(key).strip("() .")) > LONGEST_KEY_CHARACTERS
    ):
        return
    families: dict[str, list[str]] = {}
    for name in row:
        if (
            isinstance(name, str)
            and (found := _NUMBERED.fullmatch(name))
            and isinstance(row[name], str | int | float)
        ):
            families.setdefault(found[1].lower(), []).append(name)
    if listed := next((names for names in families.values() if len(names) > 1), None):
        raise RowError(
            f"{column!r} is {shortened(key)}, which seems to name one of the columns {', '.join(listed)}; "
            "give these as a list in 'choices'"
        )


def key_of_several(row: Mapping[str, Any]) -> str | None:
    """Return the column that says by number which of several answers is right, None if there is none."""
    values = ((name, row.get(name)) for name in (*_KEYS[1:], "correct_answer_id"))
    return next((name for name, value in values if _is_number(value)), None)


def _is_number(value: Any) -> bool:
    if isinstance(value, str):  # as CSV files have it
        return value.strip().isdigit()
    return isinstance(value, int) and not isinstance(value, bool)


def has_key(row: Mapping[str, Any]) -> bool:
    """Return whether a row says which of its choices is right."""
    return any(row.get(name) is not None for name in _KEYS)


def _labels_and_texts(value: Any, column: str) -> tuple[list[str], list[str]]:
    if isinstance(value, Mapping):
        texts = next((value[key] for key in _TEXTS if isinstance(value.get(key), list | tuple)), None)
        labels = next((value[key] for key in _LABELS if isinstance(value.get(key), list | tuple)), None)
        if texts is not None and labels is not None:
            return [_text(one) for one in labels], [_text(one) for one in texts]
        there = {key: one for key, one in value.items() if one is not None}
        return [str(key).strip() for key in there], [_text(one) for one in there.values()]
    if not isinstance(value, list | tuple):
        raise RowError(f"{column!r} is {shortened(value)}, not a list of texts")
    if all(isinstance(one, Mapping) for one in value):
        labels, texts = (
            [next((one[key] for key in keys if key in one), None) for one in value]
            for keys in (_LABELS, _TEXTS)
        )
        if None not in labels and None not in texts:
            return [_text(one) for one in labels], [_text(one) for one in texts]
    texts = [_text(one) for one in value]
    labelled = [_LABELLED.fullmatch(text) for text in texts]
    letters = list(ascii_uppercase[: len(texts)])
    if all(labelled) and [one[1] for one in labelled if one] == letters:
        return letters, [one[2].strip() for one in labelled if one]
    return letters, texts


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float) or not str(value).strip():
        raise RowError(f"a choice is a text, not {shortened(value)}")
    return str(value).strip()


def _only(known: Sequence[str], said: str) -> int | None:
    same = [place for place, one in enumerate(known) if _plain(one) == _plain(said)]
    return same[0] if len(same) == 1 else None


def _plain(text: str) -> str:
    return text.strip().removesuffix(".").casefold()


def answer_among(row: Columns, choices: Choices) -> str:
    """Return the right answer by its label and text; an answer in words of its own stays as it is.

    Raises:
        RowError: the row does not say which is right, or says it in two ways.
    """
    if places := _right_ones(row, choices):
        return "\n".join(map(choices.line, places))
    name = next((name for name in _KEYS if isinstance(row.get(name), str) and row[name].strip()), None)
    if name is None:
        raise RowError("it has choices, and does not say which is right")
    return str(row.take(name)).strip()


def label_among(row: Columns, choices: Choices) -> str | None:
    """Return the label of the right choice, of several all; None where the answer is in words of its own.

    Raises:
        RowError: as `answer_among`.
    """
    return ", ".join(choices.labels[place] for place in _right_ones(row, choices)) or None


def _right_ones(row: Columns, choices: Choices) -> list[int]:
    found = {name: places for name in _KEYS if (places := _places(row.get(name), choices))}
    if len(set(map(tuple, found.values()))) > 1:
        told = ", ".join(f"{name}: {choices.line(places[0])}" for name, places in found.items())
        raise RowError(f"its columns name different choices as the right one: {told}")
    row.take_all(found)
    return next(iter(found.values()), [])


def _places(value: Any, choices: Choices) -> list[int]:
    if is_empty(value) or isinstance(value, bool):
        return []
    if isinstance(value, str) and _SEVERAL.fullmatch(value.strip()):
        value = re.findall("[A-Z]", value)
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = read_literal(value)
        except ValueError:
            return []
    if (
        isinstance(value, list | tuple)
        and len(value) == len(choices.texts)
        and all(one in (0, 1) for one in value)
    ):
        return [place for place, one in enumerate(value) if one]  # each of them is right or not
    places = [choices.place_of(one) for one in (value if isinstance(value, list | tuple) else [value])]
    return [] if None in places else [place for place in places if place is not None]
