"""Loads the libraries that hold and train models without what no job uses: start-up is idle time.

PyTorch's compiler and `datasets` are loaded by others for questions whose answer is known while they are not
loaded: then nothing was compiled, and nothing is a data set. So something stands in their place that loads
them as soon as more is asked of them. Knows nothing of models.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial, wraps
from importlib import import_module
from importlib.util import find_spec
from inspect import isroutine
from types import ModuleType, SimpleNamespace
from typing import Any

COMPILER, DATASETS = "torch._dynamo", "datasets"
INDEXING = "torch._dynamo._trace_wrapped_higher_order_op"


def import_tokenizers() -> None:
    """Import what reads tokenizers, but not PyTorch's compiler, which it would bring along."""
    import torch  # noqa: F401

    if COMPILER not in sys.modules:
        sys.modules[COMPILER] = Compiler()
    import_module("transformers.models.auto.tokenization_auto")


def import_libraries(*, with_trainer: bool = False) -> None:
    """Import PEFT and what generates, or transformers' Trainer too, but no compiler and no `datasets`."""
    import torch
    from transformers import utils

    now, has_scipy = torch.compile, utils.is_scipy_available
    torch.compile = partial(
        compiled_later, now
    )  # bitsandbytes, which PEFT imports, compiles as it is imported
    utils.is_scipy_available = bool  # losses of detectors would load it, which nothing here trains
    try:
        import_tokenizers()
        with _indexing_later():
            import_module("transformers.masking_utils")
        if with_trainer:
            _import_trainer()
        import_module("transformers.generation.utils")
        import_module("peft")
    finally:
        torch.compile, utils.is_scipy_available = now, has_scipy


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


class Later(ModuleType):
    """Stands for a module that is not loaded, and loads it when something is asked of it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__file__ = (
            None if (spec := find_spec(name)) is None else spec.origin
        )  # what debuggers and `inspect` ask

    @property
    def is_loaded(self) -> bool:
        """Whether the module is there."""
        return sys.modules.get(self.__name__, self) is not self

    def loaded(self) -> ModuleType:
        """Return the module."""
        return import_module(self.__name__)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loaded(), name)


class NotYet:
    """A class of a module that is not loaded: nothing is an instance of it."""


class Compiler(Later):
    """Stands for PyTorch's compiler, and answers what is asked of it where nothing is compiled.

    Optimizers and checkpoints tell it to leave their functions alone; accelerate asks whether a module was
    compiled.
    """

    def __init__(self) -> None:
        super().__init__(COMPILER)
        self.told: list[tuple[str, Callable[..., Any]]] = []

    def loaded(self) -> ModuleType:
        """Return the compiler, which takes this one's place and is told what this one was told."""
        if self.is_loaded:
            return super().loaded()
        sys.modules.pop(COMPILER, None)
        compiler = super().loaded()
        for what, function in self.told:
            getattr(compiler, what)(function)
        return compiler

    def tell(self, what: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Note what the compiler is to know of a function when it is loaded."""
        if self.is_loaded:
            getattr(self.loaded(), what)(function)
        else:
            self.told.append((what, function))
        return function

    def assume_constant_result(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Note that a function always returns the same."""
        return self.tell("assume_constant_result", function)

    def allow_in_graph(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Note that the compiler need not look into a function."""
        return self.tell("allow_in_graph", function)

    @property
    def eval_frame(self) -> Any:
        """Where the class of compiled modules is."""
        return self.loaded().eval_frame if self.is_loaded else SimpleNamespace(OptimizedModule=NotYet)

    def graph_break(self, *args: Any, **options: Any) -> None:
        """Do nothing, as the compiler outside of what it compiles; optimizers call this at each step."""

    def disable(self, function: Any = None, recursive: bool = True, **options: Any) -> Any:
        """Return a function that the compiler leaves alone once it is loaded, or what decorates one."""
        if function is None:
            return partial(self.disable, recursive=recursive, **options)
        if not isroutine(function):  # a class, or a module
            return self.loaded().disable(function, recursive, **options)

        @cache
        def disabled() -> Any:
            return self.loaded().disable(function, recursive, **options)

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            return (disabled() if self.is_loaded else function)(*args, **kwargs)

        return call


@contextmanager
def _indexing_later() -> Iterator[None]:
    """Let transformers' masks be imported without the compiler, whose class they use for a few models."""
    if INDEXING in sys.modules:
        yield
        return
    later = ModuleType(INDEXING)
    later.TransformGetItemToIndex = (  # type: ignore[attr-defined]
        lambda: import_module(INDEXING).TransformGetItemToIndex()
    )
    sys.modules[INDEXING] = later
    try:
        yield
    finally:
        sys.modules.pop(INDEXING)


def _import_trainer() -> None:
    """Import transformers' Trainer, to which nothing is of `datasets` as long as nobody imports that."""
    from transformers import utils

    before = utils.is_datasets_available
    utils.is_datasets_available = lambda: DATASETS in sys.modules
    try:
        import transformers.trainer
    finally:
        utils.is_datasets_available = before
    if not hasattr(transformers.trainer, DATASETS):
        transformers.trainer.datasets = Later(DATASETS)
