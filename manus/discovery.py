"""Finds the modules of a package by their file names and checks their shape. Knows nothing of what they do.

What a module of a package must say, and what it may, is a dataclass of that package, its contract: each field
is a name in the module, one with a default may be missing. Code that uses a module gets it as an instance, so
types are checked.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass
from difflib import get_close_matches
from types import ModuleType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError


@dataclass(frozen=True, eq=False, kw_only=True)
class Contract:
    """What every module that is found has: the name that users write, and what its docstring says."""

    name: str
    doc: str


ALIKE = 0.8  # how much of a name another one must share to be a misspelling of it
C = TypeVar("C", bound=Contract)


def public_name(module_name: str) -> str:
    """Return the name that users write for a module: `vision_qa` becomes `vision-qa`."""
    return module_name.replace("_", "-")


@functools.cache
def discovered(
    package: str, contract: type[C], is_meant: Callable[[ModuleType], bool] | None = None
) -> Mapping[str, C]:
    """Import every public module of `package` and return what each says, by public name, sorted.

    Args:
        package: where the modules are.
        contract: what each must and may say.
        is_meant: tells which modules the contract is of, where a package has several; None: all.

    Raises:
        TypeError: a module lacks a name of the contract, misspells one, or gives it a value of another type.
    """
    parent = importlib.import_module(package)
    types, found = get_type_hints(contract), dict[str, C]()
    for info in sorted(pkgutil.iter_modules(parent.__path__), key=lambda info: info.name):
        if not info.name.startswith("_"):
            module = importlib.import_module(f"{package}.{info.name}")
            if is_meant is None or is_meant(module):
                found[public_name(info.name)] = said_by(module, contract, types)
    return found


def said_by(module: ModuleType, contract: type[C], types: Mapping[str, Any] | None = None) -> C:
    """Return what a module says, in the form of its contract.

    Args:
        module: the module.
        contract: what it must and may say.
        types: of the contract's fields, where they are known already.

    Raises:
        TypeError: as `discovered`; the message names all that is wrong with the module.
    """
    own, types = {field.name for field in dataclasses.fields(Contract)}, types or get_type_hints(contract)
    fields = [field for field in dataclasses.fields(contract) if field.name not in own]
    said = {field.name: getattr(module, field.name) for field in fields if hasattr(module, field.name)}
    must = [field.name for field in fields if field.default is MISSING and field.default_factory is MISSING]
    wrong = _misspelt(module, [field.name for field in fields])
    if missing := [name for name in must if name not in said]:
        wrong.append(f"lacks {', '.join(missing)}")
    wrong += [f"{name}: {why}" for name, value in said.items() if (why := _why_unfit(value, types[name]))]
    if wrong:
        raise TypeError(
            f"{module.__name__}: {'; '.join(wrong)} (see {contract.__module__}.{contract.__name__})"
        )
    name = public_name(module.__name__.rpartition(".")[2])
    return contract(name=name, doc=inspect.cleandoc(module.__doc__ or ""), **said)


def _misspelt(module: ModuleType, known: list[str]) -> list[str]:
    """Name what the module makes that looks like a name of the contract which it lacks."""
    absent = [name for name in known if not hasattr(module, name)]
    made = [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and _is_made_in(module, value)
    ]
    guesses = {name: get_close_matches(name, absent, n=1, cutoff=ALIKE) for name in made if name not in known}
    return [f"has {name}; did you mean {guess[0]!r}?" for name, guess in guesses.items() if guess]


def _is_made_in(module: ModuleType, value: object) -> bool:
    """Tell whether a value was made in a module, not imported into it."""
    return (
        not isinstance(value, ModuleType) and getattr(value, "__module__", module.__name__) == module.__name__
    )


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind, config=ConfigDict(arbitrary_types_allowed=True))


def _why_unfit(value: object, kind: Any) -> str:
    """Return why a value is not of a type of the contract; nothing where it is."""
    if Callable in (get_origin(kind), *map(get_origin, get_args(kind))):
        return _why_not_called(value, kind)
    try:
        _adapter(kind).validate_python(value, strict=True)
    except ValidationError as error:
        return f"{error.errors()[0]['msg']}, not {value!r}"
    return ""


def _why_not_called(value: object, kind: Any) -> str:
    """Return why a value cannot be called as the contract says."""
    signature = next((one for one in (kind, *get_args(kind)) if get_origin(one) is Callable), None)
    if not callable(value):
        return "must be a function"
    wanted = get_args(signature)[0] if signature is not None else ...
    if wanted is ...:
        return ""
    try:
        inspect.signature(value).bind(*wanted)
    except TypeError:
        return f"must take {len(wanted)} arguments"
    return ""
