"""Finds the modules of a package by their file names and checks their shape. Knows nothing of what they do."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from types import ModuleType


def public_name(module_name: str) -> str:
    """Return the name that users write for a module: `vision_qa` becomes `vision-qa`."""
    return module_name.replace("_", "-")


@functools.cache
def discovered(package: str, required: tuple[str, ...] = ()) -> dict[str, ModuleType]:
    """Import every public module of `package` and return them by public name, sorted.

    Raises:
        TypeError: a module lacks one of the `required` attributes.
    """
    parent = importlib.import_module(package)
    modules: dict[str, ModuleType] = {}
    for info in sorted(pkgutil.iter_modules(parent.__path__), key=lambda info: info.name):
        if info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{package}.{info.name}")
        missing = [name for name in required if not hasattr(module, name)]
        if missing:
            raise TypeError(f"{package}.{info.name} lacks {', '.join(missing)}")
        modules[public_name(info.name)] = module
    return modules
