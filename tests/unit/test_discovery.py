"""Modules of a package are found by their names, and a module that breaks its contract is said at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import pytest

from manus.discovery import Contract, discovered, said_by
from manus.settings.frozen import Frozen


@dataclass(frozen=True, eq=False, kw_only=True)
class Pet(Contract):
    """What a module of pets says."""

    VERSION: int
    LEGS: tuple[Literal["left", "right"], ...]
    Settings: type[Frozen]
    call: Callable[[str, int], str]
    HABITS: str = "none"
    fetch: Callable[[Any], int] | None = None


class Settings(Frozen):
    """Nothing to set."""


def pet(**changed: Any) -> ModuleType:
    """Return a module that fulfils the contract, but for what is changed; None takes a name away."""
    module = ModuleType("pets.grey_cat", "A cat.")
    said = {
        "VERSION": 1,
        "LEGS": ("left",),
        "Settings": Settings,
        "call": lambda name, times: name * times,
        **changed,
    }
    for name, value in said.items():
        if value is not None:
            setattr(module, name, value)
    return module


def test_a_module_is_what_it_says() -> None:
    found = said_by(pet(), Pet)
    assert (found.name, found.doc, found.VERSION, found.HABITS, found.fetch) == (
        "grey-cat",
        "A cat.",
        1,
        "none",
        None,
    )
    assert found.call("ab", 2) == "abab"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"VERSION": None, "call": None}, "lacks VERSION, call"),
        ({"HABIT": "sleeps"}, "has HABIT; did you mean 'HABITS'?"),
        ({"VERSION": None, "VERSIONS": 1}, "has VERSIONS; did you mean 'VERSION'?; lacks VERSION"),
        ({"LEGS": ("left", "up")}, "LEGS: Input should be 'left' or 'right', not ('left', 'up')"),
        ({"LEGS": "left"}, "LEGS: Input should be a valid tuple, not 'left'"),
        ({"VERSION": "1"}, "VERSION: Input should be a valid integer, not '1'"),
        ({"Settings": dict}, "Settings: Input should be a subclass of Frozen"),
        ({"call": "meow"}, "call: must be a function"),
        ({"call": lambda name: name}, "call: must take 2 arguments"),
        ({"fetch": lambda: 1}, "fetch: must take 1 argument"),
    ],
)
def test_what_breaks_the_contract_is_named(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(TypeError, match=rf"^pets\.grey_cat: .*{re.escape(says)}.* \(see .*Pet\)$"):
        said_by(pet(**changed), Pet)


def test_what_is_imported_or_unlike_is_no_misspelling() -> None:
    assert said_by(pet(LIMBS=4, habits=ModuleType("habits")), Pet)


def test_found_by_file_name_and_only_public_ones() -> None:
    @dataclass(frozen=True, eq=False, kw_only=True)
    class Anything(Contract):
        """Every module fulfils it."""

    found = discovered("manus.capabilities", Anything)
    assert {"cot", "vision-qa"} <= set(found) and not any(name.startswith("_") for name in found)
