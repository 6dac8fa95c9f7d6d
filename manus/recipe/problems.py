"""Collects what is wrong with a recipe, in our words: where, what is, what to do. Knows no recipe's keys."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from manus.errors import Fault, RecipeError, did_you_mean, nearest
from manus.recipe.located_yaml import Located
from manus.recipe.wording import KeyPath, dotted, printable, shortened, shown

COMMAND_LINE = (
    "--config"  # where paths of keys begin that are on the command line, and how Snakemake is given them
)
MOST_SHOWN = 30
NOUNS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "finite_number": "a finite number",
    "model_type": "`key: value` pairs",
    "model_attributes_type": "`key: value` pairs",
    "dict_type": "`key: value` pairs",
    "list_type": "a list",
    "tuple_type": "a list",
}

Model = TypeVar("Model", bound=BaseModel)
Problem = tuple[KeyPath, str]


@dataclass
class Problems:
    """What is wrong with one recipe, each with the line it stands on; the command line is line 0.

    `option` is what overrides were given with.
    """

    path: Path
    source: Located
    option: str = COMMAND_LINE
    found: dict[tuple[int, str], Fault] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.found)

    def messages(self) -> list[str]:
        """Return one line for each problem, in the order of the file."""
        texts = [text for _, text in sorted(self.found, key=lambda problem: problem[0])]
        rest = len(texts) - MOST_SHOWN
        return [*texts[:MOST_SHOWN], f"{self.path}: and {rest} more"] if rest > 0 else texts

    def refuse(self, keys: KeyPath, problem: str) -> None:
        """Note a problem at a path of keys; a path that starts with --config is on the command line."""
        if keys[:1] == (COMMAND_LINE,):
            key = dotted(keys[1:])
            self.found[0, f"{self.option} {key}: {problem}"] = Fault(
                None, None, f"{self.option} {key}", problem
            )
        else:
            line, key = self.source.line_of(keys), dotted(keys)
            self.found[line, f"{self.path}:{line}: {key}: {problem}"] = Fault(
                str(self.path), line, key, problem
            )

    def error(self) -> RecipeError:
        """Return all of them as one error."""
        faults = [fault for _, fault in sorted(self.found.items(), key=lambda item: item[0][0])]
        return RecipeError("\n".join(self.messages()), faults)

    def check(
        self, model: type[Model], value: Any, keys: KeyPath, origin: Mapping[str, KeyPath] | None = None
    ) -> Model | None:
        """Validate a value against a settings model, noting what is wrong.

        Args:
            model: the settings.
            value: what the recipe says.
            keys: where it says so.
            origin: where it says so, for each key that may come from elsewhere.
        """
        checked, problems = validated(model, value)
        for place, problem in problems:
            start = (origin or {}).get(str(place[0]), keys) if place else keys
            self.refuse((*start, *place), problem)
        return checked


def validated(model: type[Model], value: Any) -> tuple[Model | None, list[Problem]]:
    """Return the settings, or None and what is wrong with them, with paths from the settings on."""
    try:
        return model.model_validate(value), []
    except ValidationError as error:
        details: dict[KeyPath, list[Any]] = {}
        for detail in error.errors():
            details.setdefault(_place(detail, value), []).append(detail)
        # Where a union was tried, the branch that got furthest says most.
        furthest = [
            place for place in details if not any(other[: len(place)] == place != other for other in details)
        ]
        return None, [_explained(model, place, *details[place]) for place in furthest]


def _place(detail: Any, value: Any) -> KeyPath:
    """Return where in the value pydantic found something, without its names for a union's branches."""
    location, kept = detail["loc"], []
    for index, part in enumerate(location):
        is_there = (
            part in value
            if isinstance(value, dict)
            else isinstance(part, int) and isinstance(value, (list, tuple))
        )
        if is_there:
            kept.append(part)
            value = value[part]
        elif detail["type"] == "missing" and index == len(location) - 1:
            kept.append(part)
    return tuple(kept)


def _explained(model: type[BaseModel], place: KeyPath, *details: Any) -> Problem:
    """Put what pydantic found at one place into our words; several details are of a union's branches."""
    given, kind, context = details[0]["input"], details[0]["type"], details[0].get("ctx", {})
    kinds = [detail["type"] for detail in details]
    if kind == "extra_forbidden":
        return place, _unknown_key(_model_at(model, place[:-1]), str(place[-1]))
    if kind == "missing":
        return place, f"is required; for example `{place[-1]}: ...`"
    if {"too_short", "string_too_short"} & {*kinds}:
        return place, "must not be empty"
    if kind == "literal_error" or kind in NOUNS:
        words = re.findall(r"'([^']*)'", context["expected"]) if kind == "literal_error" else []
        wanted = [*words, *(NOUNS[each] for each in kinds if each in NOUNS)]
        one_of = f"one of {', '.join(wanted)}" if len(wanted) > 2 else " or ".join(wanted)
        fix = _fix(given, words, kinds) or _example(model, place, given, kinds)
        return place, f"must be {one_of}, not {shown(given)}{fix and f'; {fix}'}"
    if kind == "value_error":
        text = str(context["error"])
        word = text.split(" ")[0]
        return (*place, word) if isinstance(given, dict) and word in given else place, text
    text = re.sub(r"^Input should be", "must be", details[0]["msg"])
    text = text.replace("greater than or equal to", "at least").replace("less than or equal to", "at most")
    return place, f"{text[0].lower()}{text[1:]}, not {shown(given)}"


def _unknown_key(model: type[BaseModel], key: str) -> str:
    if key in getattr(model, "PLANNED", ()):
        return "is designed but not built yet; remove this key"
    return f"unknown key; {did_you_mean(shortened(key), model.model_fields)}"


def _model_at(model: type[BaseModel], place: KeyPath) -> type[BaseModel]:
    """Return the settings model at a place inside another."""
    for part in place:
        if isinstance(part, str) and part in model.model_fields:
            model = model_in(model.model_fields[part].annotation) or model
    return model


def model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the settings model that a type is, or holds, or None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in getattr(annotation, "__args__", ()) if (found := model_in(part))), None)


def _fix(given: Any, words: Sequence[str], kinds: Sequence[str]) -> str:
    """Return how to write the value that was meant, where that can be told."""
    if isinstance(given, str) and (guess := nearest(given, words)):
        return f"did you mean {guess!r}?"
    if "string_type" in kinds and isinstance(given, (int, float)):
        return "put it in quotes"
    if isinstance(given, float) and given.is_integer() and {"int_type", "int_from_float"} & {*kinds}:
        return f"write {shortened(str(int(given)))}"
    if isinstance(given, str) and "bool_type" in kinds:
        meant = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}
        return f"write {meant[given.lower()]} without quotes" if given.lower() in meant else ""
    if isinstance(given, str) and {"int_type", "float_type"} & {*kinds}:
        with contextlib.suppress(ValueError):
            number = float(given)
            return f"write {number:g} without quotes" if math.isfinite(number) else ""
    return ""


def _example(model: type[BaseModel], place: KeyPath, given: Any, kinds: Sequence[str]) -> str:
    """Return how to write a lone value where `key: value` pairs or a list are needed."""
    if isinstance(given, bool) or not isinstance(given, (str, int, float, dict)):
        return ""
    if isinstance(given, str) and given.startswith("-"):
        return "put a space after the dash"
    inner = _model_at(model, place)
    item = "{...}" if isinstance(given, dict) else printable(str(given))
    if inner is not model and item != "{...}":
        item = f"{{{next(iter(inner.model_fields))}: {item}}}"
    if {"list_type", "tuple_type"} & {*kinds} and isinstance(given, (str, dict)):
        return f"write [{item}]"
    return f"write {item}" if "model_type" in kinds else ""
