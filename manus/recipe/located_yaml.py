"""Reads a YAML file into plain values; remembers on which line each key and item stands. Knows no recipe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from manus.errors import Fault, RecipeError, blamed_on, nearest
from manus.recipe.wording import KeyPath, dotted, quoted, shown
from manus.recipe.yaml_syntax import DEEPEST_NESTING, SyntaxProblem, composed

LARGEST_FILE_BYTES = 64_000  # the parser reads about 100 kB a second
LARGEST_NUMBER_BITS = 1000
MOST_VALUES = 20_000  # aliases of aliases multiply
ENDINGS = (".yaml", ".yml")

TAG = "tag:yaml.org,2002:"
MERGE = f"{TAG}merge"
TEXTS = frozenset(f"{TAG}{name}" for name in ("str", "timestamp", "value"))


@dataclass(frozen=True, slots=True)
class Located:
    """Plain values and, for each path of keys into them, the line where it stands (from 1)."""

    value: Any
    lines: dict[KeyPath, int]

    def line_of(self, path: KeyPath) -> int:
        """Return the line of a path, or of its nearest enclosing key that is in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_located(path: Path) -> Located:
    """Read one YAML document.

    Raises:
        RecipeError: the file cannot be read or is not one valid YAML mapping; names the line.
    """
    with blamed_on(f"{path}: is no recipe that can be read", RecipeError):
        return _located(path, _read_text(path))


def _located(path: Path, text: str) -> Located:
    try:
        yaml, root = composed(text)
        if root is None or (isinstance(root, ScalarNode) and not root.value):
            raise SyntaxProblem(1, "the file is empty; `manus new` writes a recipe to start from")
        values = _Values(yaml)
        value = values.read(root, ())
        if not isinstance(value, dict):
            example = "`manus new` writes a recipe to start from"
            raise SyntaxProblem(_line(root), f"must be `key: value` lines, not {shown(value)}; {example}")
    except SyntaxProblem as problem:
        fault = Fault(str(path), problem.line, None, str(problem))
        raise RecipeError(f"{path}:{problem.line}: {problem}", [fault]) from None
    return Located(value, values.lines)


def read_scalar(text: str) -> Any:
    """Return a single number, true, false, null or text as YAML reads it; what is none of them stays text."""
    try:
        yaml, root = composed(text)
        return _Values(yaml).read(root, ()) if isinstance(root, ScalarNode) else text
    except SyntaxProblem:
        return text


def _read_text(path: Path) -> str:
    try:
        if path.is_file() and path.stat().st_size > LARGEST_FILE_BYTES:
            raise RecipeError(
                f"{path}: {path.stat().st_size} bytes are no recipe; at most {LARGEST_FILE_BYTES} are read"
            )
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such file{_neighbour(path)}") from None
    except IsADirectoryError:
        raise RecipeError(f"{path}: is a directory, not a YAML file") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        message = "not UTF-8 text; save the file as UTF-8"
        raise RecipeError(f"{path}:{line}: {message}", [Fault(str(path), line, None, message)]) from None
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror}") from None


def _neighbour(path: Path) -> str:
    try:
        known = [entry.name for entry in path.parent.iterdir() if entry.suffix in ENDINGS]
    except OSError:
        return ""
    guess = nearest(path.name, known)
    return f"; did you mean {path.parent / guess}?" if guess else ""


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _tag(node: Node) -> str:
    return quoted(str(node.tag).replace(TAG, "!!"))


@dataclass
class _Values:
    """Turns YAML nodes into plain values, with aliases and merge keys followed, and notes their lines."""

    yaml: YAML
    lines: dict[KeyPath, int] = field(default_factory=dict)
    count: int = 0

    def read(self, node: Node, path: KeyPath, inside: tuple[int, ...] = ()) -> Any:
        """Return a node's value; `inside` are the ids of the nodes around it."""
        self.enter(node, path, inside)
        if isinstance(node, ScalarNode):
            return self.scalar(node, path)
        inside = (*inside, id(node))
        if isinstance(node, SequenceNode):
            for index, item in enumerate(node.value):
                self.lines[(*path, index)] = _line(item)
            return [self.read(item, (*path, index), inside) for index, item in enumerate(node.value)]
        assert isinstance(node, MappingNode), "a node is a scalar, a sequence or a mapping"
        values = dict[str, Any]()
        for key, key_node, value in self.pairs(node, path, inside):
            self.lines[(*path, key)] = _line(key_node)
            values[key] = self.read(value, (*path, key), inside)
        return values

    def enter(self, node: Node, path: KeyPath, inside: tuple[int, ...]) -> None:
        """Refuse a node that contains itself, lies too deep, is one too many or has a tag."""
        self.count += 1
        if id(node) in inside:
            raise self.problem(node, path, "an alias (`*name`) contains itself")
        if self.count > MOST_VALUES or len(inside) > DEEPEST_NESTING:
            raise self.problem(node, path, "aliases (`*name`) of aliases make this recipe too large")
        if not isinstance(node, ScalarNode) and node.tag not in (f"{TAG}map", f"{TAG}seq"):
            raise self.problem(node, path, f"the tag {_tag(node)} is not known here; remove it")

    def pairs(
        self, node: MappingNode, path: KeyPath, inside: tuple[int, ...]
    ) -> Iterator[tuple[str, Node, Node]]:
        """Yield the keys of a mapping once each, its own before those it merges in (`<<`)."""
        first: dict[str, int] = {}
        merged: list[Node] = []
        for key_node, value in node.value:
            name = "<<" if key_node.tag == MERGE else self.key(key_node, path)
            if name in first:
                raise SyntaxProblem(
                    _line(key_node),
                    f"{dotted((*path, name))}: stands here a second time, first on line {first[name]}; "
                    "keep one",
                )
            first[name] = _line(key_node)
            if key_node.tag == MERGE:
                merged += value.value if isinstance(value, SequenceNode) else [value]
            else:
                yield name, key_node, value
        for source in merged:
            self.enter(source, path, inside)
            if not isinstance(source, MappingNode):
                raise SyntaxProblem(
                    first["<<"], f"{dotted((*path, '<<'))}: must be an alias of `key: value` pairs"
                )
            for name, key_node, value in self.pairs(source, path, (*inside, id(source))):
                self.enter(value, path, inside)
                if name not in first:
                    first[name] = _line(key_node)
                    yield name, key_node, value

    def key(self, node: Node, path: KeyPath) -> str:
        """Return a key, which is text."""
        if not isinstance(node, ScalarNode):
            raise SyntaxProblem(
                _line(node), f"{dotted(path)}: a key is a word; put a text with brackets in quotes"
            )
        value = self.scalar(node, path)
        if isinstance(value, str):
            return value
        if value is None and not node.value:
            raise SyntaxProblem(_line(node), f"{dotted(path)}: the key before a `:` is missing")
        problem = f"the key {quoted(node.value)} is not text; if it is a name, write it in quotes"
        raise SyntaxProblem(_line(node), f"{dotted(path)}: {problem}")

    def scalar(self, node: ScalarNode, path: KeyPath) -> Any:
        """Return a scalar; what YAML 1.1 took for dates is text."""
        if node.tag in TEXTS:
            if any("\ud800" <= character <= "\udfff" for character in node.value):
                raise self.problem(node, path, f"{quoted(node.value)} holds half a character")
            return node.value
        kind = str(node.tag).removeprefix(TAG)
        if kind not in ("null", "bool", "int", "float"):
            raise self.problem(node, path, f"the tag {_tag(node)} is not known here; remove it")
        try:
            value = getattr(self.yaml.constructor, f"construct_yaml_{kind}")(node)
        except (ValueError, KeyError, OverflowError):
            raise self.problem(node, path, f"{quoted(node.value)} cannot be read as {kind}") from None
        if isinstance(value, int) and value.bit_length() > LARGEST_NUMBER_BITS:
            raise self.problem(node, path, f"{quoted(node.value)} is too large a number")
        return value

    def problem(self, node: Node, path: KeyPath, text: str) -> SyntaxProblem:
        """Return a problem with the value at a path."""
        return SyntaxProblem(self.lines.get(path, _line(node)), f"{dotted(path)}: {text}")
