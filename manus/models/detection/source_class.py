"""Reads single classes out of the source text of the installed transformers, and imports none of it.

Importing a model file of transformers imports torch and takes seconds; parsing the classes that are asked
about takes milliseconds and runs no code. Knows nothing of model types.
"""

from __future__ import annotations

import ast
import functools
import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class SourceClass:
    """A class as its source shows it: the class itself and bases that transformers' model files define."""

    name: str
    file: Path
    lineage: tuple[ast.ClassDef, ...]
    outside: frozenset[str]  # names of the bases that are defined elsewhere, such as GenerationMixin

    def value(self, attribute: str) -> ast.expr | None:
        """Return the expression first assigned to a class attribute along the lineage."""
        for definition in self.lineage:
            for statement in definition.body:
                if isinstance(statement, ast.Assign) and _is_name(statement.targets[0], attribute):
                    return statement.value
                if (
                    isinstance(statement, ast.AnnAssign)
                    and statement.value
                    and _is_name(statement.target, attribute)
                ):
                    return statement.value
        return None

    def literal(self, attribute: str) -> Any:
        """Return a class attribute's value, None when it is absent or not a literal."""
        return literal(self.value(attribute))

    def annotation(self, attribute: str) -> str | None:
        """Return the type that a class attribute is annotated with, along the lineage."""
        for definition in self.lineage:
            for statement in definition.body:
                if isinstance(statement, ast.AnnAssign) and _is_name(statement.target, attribute):
                    return ast.unparse(statement.annotation).strip("\"'")
        return None

    def method(self, *names: str) -> ast.FunctionDef | None:
        """Return the first of the named methods that the lineage defines."""
        for name in names:
            for definition in self.lineage:
                for statement in definition.body:
                    if isinstance(statement, ast.FunctionDef) and statement.name == name:
                        return statement
        return None

    def parameters(self, *methods: str) -> tuple[str, ...] | None:
        """Return the parameter names of the first of `methods` that the lineage defines."""
        found = self.method(*methods)
        if found is None:
            return None
        return tuple(a.arg for a in found.args.posonlyargs + found.args.args + found.args.kwonlyargs)

    def returned_fields(self) -> tuple[str, ...]:
        """Return the fields of the output classes that `forward` is annotated to return."""
        forward = self.method("forward")
        names = ast.walk(forward.returns) if forward and forward.returns else ()
        outputs = (read_class(self.file, node.id) for node in names if isinstance(node, ast.Name))
        return tuple(
            statement.target.id
            for output in outputs
            for definition in output.lineage
            for statement in definition.body
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
        )


@functools.cache
def package() -> Path:
    """Return the folder of the installed transformers, without importing it."""
    folder = Path(str(metadata.distribution("transformers").locate_file("transformers")))
    assert folder.is_dir(), "transformers is a dependency of manus, installed as a package"
    return folder


@functools.cache
def blocks(file: Path) -> tuple[dict[str, str], dict[str, tuple[Path, str]]]:
    """Return the source of each class of a file, unparsed, and where the file's relative imports come from.

    Most classes of a file are layers that nobody asks about, and parsing is what costs time here.
    """
    classes: dict[str, str] = {}
    imports: dict[str, tuple[Path, str]] = {}
    for block in re.split(r"^(?=[A-Za-z@])", file.read_text(encoding="utf-8"), flags=re.MULTILINE):
        if block.startswith("class "):
            classes[block[6 : re.search(r"[(:]", block).start()]] = block  # type: ignore[union-attr]
        elif block.startswith("from ."):
            node = ast.parse(block).body[0]
            assert isinstance(node, ast.ImportFrom)
            origin = file.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            for alias in node.names:
                imports[alias.asname or alias.name] = (origin.with_suffix(".py"), alias.name)
    return classes, imports


@functools.cache
def read_class(file: Path, name: str) -> SourceClass:
    classes, imports = blocks(file)
    if name not in classes:
        origin, original = imports.get(name, (file, name))
        if origin != file and (package() / "models") in origin.parents and origin.exists():
            return read_class(origin, original)
        return SourceClass(name, file, (), frozenset({name}))
    definition = ast.parse(classes[name]).body[0]
    assert isinstance(definition, ast.ClassDef)
    lineage: tuple[ast.ClassDef, ...] = (definition,)
    outside: frozenset[str] = frozenset()
    for base in definition.bases:
        if isinstance(base, ast.Name):
            parent = read_class(file, base.id)
            lineage, outside = lineage + parent.lineage, outside | parent.outside
    return SourceClass(name, file, lineage, outside)


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def literal(node: ast.expr | None) -> Any:
    if node is None:
        return None
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None
