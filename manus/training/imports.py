"""Loads the library of adapters quickly: start-up is time in which nothing is learned. Knows nothing of adapters."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial, wraps
from typing import Any


def import_peft() -> None:
    """Import PEFT, and bitsandbytes which it imports, without PyTorch's compiler.

    bitsandbytes has functions compiled as it is imported, which loads the compiler: 1.5 s of CPU time that most stages
    have no use for. Here such a function is compiled when it is first called.
    """
    import torch

    now = torch.compile
    torch.compile = partial(compiled_later, now)
    try:
        import peft  # noqa: F401
    finally:
        torch.compile = now


def compiled_later(compile_now: Callable[..., Any], function: Any = None, **options: Any) -> Any:
    """Return the function, or what decorates one, to be compiled when it is first called."""
    if function is None:
        return partial(compiled_later, compile_now, **options)

    @cache
    def compiled() -> Any:
        return compile_now(function, **options)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return compiled()(*args, **kwargs)

    return call
