"""Parses YAML 1.2 into ruamel's nodes, or says in our words what is wrong with the syntax. Knows no files."""

from __future__ import annotations

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import Node
from ruamel.yaml.reader import ReaderError

from manus.recipe.wording import shortened

DEEPEST_NESTING = 30

# What the parser says, in part; what we say; whether the place where the construct began tells more.
EXPLANATIONS = (
    (
        "mapping values are not allowed",
        "a `: ` that fits nowhere: quote a text that holds it, end the line above with a colon, or mend the "
        "indentation",
        False,
    ),
    ("could not find expected ':'", "neither `key: value` nor a list's `- item`", True),
    (
        "but found another document",
        "a second document starts here; a recipe is one document, remove the `---`",
        False,
    ),
    ("found unexpected end of stream", "the quote that opens here is never closed", True),
    ("unknown escape character", "a backslash in double quotes starts an escape; use single quotes", False),
    ("expected ',' or ']'", "the `[` that opens here is not closed, or a comma is missing", True),
    ("expected ',' or '}'", "the `{` that opens here is not closed, or a comma is missing", True),
    ("expected <block end>", "does not fit what stands above: check indentation, dashes and quotes", False),
    ("that cannot start any token", "a value cannot begin with this character; put it in quotes", False),
    ("maximum depth", f"nested more than {DEEPEST_NESTING} levels deep", False),
)


class SyntaxProblem(Exception):
    """What is wrong with the YAML itself, and on which line."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line


def composed(text: str) -> tuple[YAML, Node | None]:
    """Return the parser, whose constructor reads scalars, and the root node; None if the text says nothing.

    Raises:
        SyntaxProblem: the text is not one YAML document.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = DEEPEST_NESTING
    yaml.composer.warn_double_anchors = False
    _refuse_tabs(text)
    try:
        return yaml, yaml.compose(text)
    except MarkedYAMLError as error:
        raise _explained(error, text.splitlines()) from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = f"the control character #x{error.character:02x} cannot stand in YAML; remove it"
        raise SyntaxProblem(line, problem) from None
    except Exception as error:  # odd input trips the parser's own code as well
        problem = shortened(str(error) or type(error).__name__)
        raise SyntaxProblem(1, f"not valid YAML: {problem}") from None


def _refuse_tabs(text: str) -> None:
    for number, line in enumerate(text.split("\n"), 1):
        if "\t" in line[: len(line) - len(line.lstrip())]:
            raise SyntaxProblem(number, "a tab cannot indent YAML; use spaces")


def _explained(error: MarkedYAMLError, lines: list[str]) -> SyntaxProblem:
    mark = error.problem_mark or error.context_mark
    problem = str(error.problem or error.context or "the parser gives no reason").splitlines()[0]
    for theirs, ours, begins_earlier in EXPLANATIONS:
        if theirs in problem:
            mark = error.context_mark if begins_earlier and error.context_mark else mark
            problem = ours
            break
    if mark is None:
        return SyntaxProblem(1, f"not valid YAML: {problem}")
    if "".join(lines[mark.line : mark.line + 1])[mark.column :].startswith("\t"):
        problem = "a tab cannot stand here; use spaces"
    return SyntaxProblem(mark.line + 1, f"not valid YAML: {problem}")
