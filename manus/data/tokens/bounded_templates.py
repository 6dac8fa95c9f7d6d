"""Bounds what one operation of a chat template computes, as nothing can end it then, and how long all takes.

Nothing is heard within a power of huge numbers or while one text is written, which may take all memory. What
grows by and by, or loops, is given up by `guards.patience`, in whichever thread. Knows nothing of
conversations.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from manus.data.sample import RowError
from manus.data.tokens.text_bounds import (
    FILTERS,
    LARGEST_TEXT,
    is_too_much,
    of_filter,
    of_method,
    written_length,
)
from manus.errors import ModelError
from manus.guards.patience import Patience

if TYPE_CHECKING:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

PATIENCE = Patience(seconds=20.0, times=3)  # with chat templates: usual ones take a millisecond
Made = TypeVar("Made")


def patiently(work: Callable[[], Made]) -> Made:
    """Let a chat template do its work.

    Raises:
        RowError: it takes too long for one conversation.
        ModelError: it took too long for several.
        Interrupted: a signal asks to stop.
    """
    return PATIENCE.wait_for(work, "writing a conversation with the chat template", RowError, ModelError)


@cache
def bound_templates() -> None:
    """Let transformers read all templates from now on in a sandbox that refuses such operations."""
    from transformers.utils import chat_template_utils

    chat_template_utils.ImmutableSandboxedEnvironment = bounded_environment()


@cache
def bounded_environment() -> type[ImmutableSandboxedEnvironment]:
    """Return the sandbox that transformers takes, with bounds."""
    from jinja2 import Template
    from jinja2.compiler import CodeGenerator, Frame
    from jinja2.nodes import Concat, Const, Dict, Expr, List, Tuple
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generator(CodeGenerator):
        """Lets the environment join what `~` joins, and look at lists and the like as they are built."""

        def visit_Concat(self, node: Concat, frame: Frame) -> None:  # noqa: N802
            if frame.eval_ctx.volatile or frame.eval_ctx.autoescape:  # where texts know of HTML
                super().visit_Concat(node, frame)
                return
            self.write("environment.concat(map(str, (")
            for part in node.nodes:
                self.visit(part, frame)
                self.write(", ")
            self.write(")))")

        def visit_List(self, node: List, frame: Frame) -> None:  # noqa: N802
            self.looked_at(super().visit_List, node, frame, node.items)

        def visit_Tuple(self, node: Tuple, frame: Frame) -> None:  # noqa: N802
            self.looked_at(super().visit_Tuple, node, frame, node.items if node.ctx == "load" else [])

        def visit_Dict(self, node: Dict, frame: Frame) -> None:  # noqa: N802
            self.looked_at(super().visit_Dict, node, frame, [pair.value for pair in node.items])

        def looked_at(self, visit: Callable[..., None], node: Expr, frame: Frame, parts: list[Expr]) -> None:
            if all(isinstance(part, Const) for part in parts):
                visit(node, frame)
                return
            self.write("environment.built(")
            visit(node, frame)
            self.write(")")

    class Patient(Template):
        """A template that is given up when it loops, whoever lets it write."""

        def render(self, *given: Any, **more: Any) -> str:
            return patiently(lambda: super(Patient, self).render(*given, **more))

    class Bounded(ImmutableSandboxedEnvironment):
        template_class = Patient
        intercepted_binops = frozenset({"**", "*", "+", "%"})
        code_generator_class = Generator
        concat = staticmethod(joined)
        built = staticmethod(built)

        def from_string(self, *source: Any, **more: Any) -> Any:
            for name in FILTERS.keys() & self.filters.keys():
                self.filters[name] = bounded_filter(name, self.filters[name])
            self.finalize = shown
            return patiently(lambda: super(Bounded, self).from_string(*source, **more))

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            if is_too_much(operator, left, right):
                refuse(operator)
            return super().call_binop(context, operator, left, right)

        def call(self, context: Any, asked: Any, /, *values: Any, **named: Any) -> Any:
            method = getattr(asked, "__wrapped__", asked)
            name = getattr(method, "__name__", "")
            if of_method(name, getattr(method, "__self__", None), values, named):
                refuse(name)
            if name == "raise_exception":
                shown(values)
            made = super().call(context, asked, *values, **named)
            return built(made) if isinstance(made, (dict, list, tuple)) else made

    return Bounded


def refuse(operation: str) -> None:
    """Refuse an operation.

    Raises:
        SecurityError: always.
    """
    from jinja2.exceptions import SecurityError

    raise SecurityError(f"it computes too large a result by {operation}")


def joined(pieces: Iterable[str]) -> str:
    """Join what a template writes.

    Raises:
        SecurityError: it is too long.
    """
    texts = list(pieces)
    if sum(map(len, texts)) > LARGEST_TEXT:
        refuse("writing")
    return "".join(texts)


def shown(value: Any) -> Any:
    """Return a value that is about to be written.

    Raises:
        SecurityError: it is too long.
    """
    if not isinstance(value, str) and written_length(value) > LARGEST_TEXT:
        refuse("writing")
    return value


def built(value: Any) -> Any:
    """Return a list, tuple or dictionary that was built: to compare two of them, all in them is compared.

    Raises:
        SecurityError: it holds too much, each part counted as often as it stands in it.
    """
    if written_length(value) > LARGEST_TEXT:
        refuse("putting things together")
    return value


def bounded_filter(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that refuses what makes too large a result."""
    # Jinja puts the environment before the value for filters that ask for it.
    skipped = 1 if hasattr(original, "jinja_pass_arg") else 0

    @functools.wraps(original)
    def checked(*values: Any, **named: Any) -> Any:
        if of_filter(name, values[skipped:], named):
            refuse(name)
        return original(*values, **named)

    return checked
