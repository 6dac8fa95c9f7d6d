"""Says what is left of a stage's metric with the sense cut off, in all and by level. Knows no HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from manus.evaluation.numbers import difference, percent


@dataclass(frozen=True, slots=True)
class Cell:
    """A share that is left, and whether it stands for questions that must fall."""

    text: str
    must_fall: bool


@dataclass(frozen=True, slots=True)
class Cut:
    """A way to cut the sense off: how far questions that need it fall, and what the interval lets one say."""

    name: str
    drop: str
    interval: str
    verdict: Literal["falls", "not shown"]


@dataclass(frozen=True, slots=True)
class CutOff:
    """The table of a stage: a column for each cut, a row for all questions and one for each level."""

    samples: int
    cuts: list[Cut]
    rows: list[tuple[str, int, str, list[Cell]]]
    left_out: list[str]


def cut_off(ablations: Mapping[str, Mapping[str, Any]], known: Iterable[str] = ()) -> CutOff | None:
    """Return the table of what `measure_ablated` found, None where nothing was cut off.

    Rows are name, samples, share with the sense, and the share left by each cut. Of the `known` ablations of
    a capability those that were not found are named as left out.
    """
    if not ablations:
        return None
    first = next(iter(ablations.values()))
    names = list(dict.fromkeys(name for found in ablations.values() for name in found["levels"]))
    every = [Cell(percent(found["value"]), not found["hurts"]) for found in ablations.values()]
    rows = [("all", first["samples"], percent(first["whole"]), every)]
    for name in names:
        level = next(found["levels"][name] for found in ablations.values() if name in found["levels"])
        cells = [_cell(found, name) for found in ablations.values()]
        rows.append((name, level["samples"], percent(level["whole"]), cells))
    left_out = [name for name in known if name not in ablations]
    return CutOff(first["samples"], [_cut(name, found) for name, found in ablations.items()], rows, left_out)


def _cell(found: Mapping[str, Any], name: str) -> Cell:
    level = found["levels"].get(name)
    return Cell(percent(level["value"]) if level else "–", name.startswith(found["hurts"]))


def _cut(name: str, found: Mapping[str, Any]) -> Cut:
    drop = found["drop"]
    interval = f"{difference(drop['low'], True).removesuffix(' points')} … {difference(drop['high'], True)}"
    falls = drop["samples"] > 0 and drop["low"] > 0
    return Cut(
        name, difference(-drop["value"], True, signed=True), interval, "falls" if falls else "not shown"
    )
