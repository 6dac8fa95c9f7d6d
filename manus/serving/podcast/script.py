"""The script of an episode as a file that people edit: read strictly, written readably. Knows no sound."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from manus.errors import InputError, did_you_mean
from manus.files import write_atomically
from manus.recipe.located_yaml import Located
from manus.recipe.problems import Problems
from manus.recipe.wording import KeyPath, shown
from manus.recipe.yaml_syntax import SyntaxProblem, composed
from manus.settings.frozen import Frozen

LARGEST_FILE_BYTES = 2_000_000
HEADER = """\
# The script of an episode. Edit it, then speak it: manus podcast MODEL --script FILE -o EPISODE
# A turn whose text you change is spoken anew, the others are kept. `rests_on` are numbers of the source's sentences.
"""

Text = Annotated[str, Field(min_length=1)]


class Host(Frozen):
    """Who speaks."""

    name: Text = Field(description="As the transcript names them.")
    voice: str | None = Field(None, description="A voice of the model; none: its first, second, ...")


class Turn(Frozen):
    """What one host says at once."""

    host: Text = Field(description="The name of a host.")
    text: Text = Field(description="What is said.")
    rests_on: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False)] = Field(
        (), description="Numbers of the source's sentences, from 1."
    )


class Chapter(Frozen):
    """Where a part of the episode begins."""

    title: Text
    turn: int = Field(ge=1, description="The number of its first turn, from 1.")


class Origin(Frozen):
    """The file that a script is about."""

    file: Text
    sha256: Text


class Script(Frozen):
    """An episode before it is spoken."""

    title: Text
    language: str | None = Field(None, description="Such as en; none: as the source has it.")
    source: Origin | None = Field(None, description="None where a script was written by hand.")
    minutes: float | None = Field(None, gt=0, description="How long it was to be.")
    seed: int = Field(0, ge=0, description="Of the pauses between turns.")
    hosts: Annotated[tuple[Host, ...], Field(strict=False)] = Field(min_length=1)
    chapters: Annotated[tuple[Chapter, ...], Field(strict=False)] = ()
    turns: Annotated[tuple[Turn, ...], Field(strict=False)] = Field(min_length=1)

    def voice_of(self, host: str, voices: Sequence[str]) -> str:
        """Return the voice that a host speaks in, of a speaker's voices."""
        place = next(place for place, each in enumerate(self.hosts) if each.name == host)
        return self.hosts[place].voice or voices[place]


def read_script(path: Path, voices: Sequence[str] | None = None, sentences: int | None = None) -> Script:
    """Read a script.

    Args:
        path: the file.
        voices: of the speaker, where there is one already.
        sentences: how many the source has, where it is known.

    Raises:
        InputError: something is wrong; each problem with file, line and what to do.
    """
    source = _located(path)
    problems = Problems(path, source)
    script = problems.check(Script, source.value, ())
    if script is not None:
        _check(script, problems, voices, sentences)
    if script is None or problems:
        raise InputError("\n".join(problems.messages()), problems.error().faults)
    return script


def write_script(path: Path, script: Script) -> None:
    """Write a script as YAML, a line or two for each turn."""
    value = script.model_dump(mode="json", exclude_none=True)
    for turn in value["turns"]:
        turn["text"] = DoubleQuotedScalarString(turn["text"])
    yaml = YAML()
    yaml.width = 1_000_000  # one line a text: `line 12` in a message is the turn
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    for turn in value["turns"]:
        turn["rests_on"] = _in_one_line(turn["rests_on"])
    yaml.dump(value, stream)
    write_atomically(path, HEADER + stream.getvalue())


def digest_of(script: Script) -> str:
    """Return what tells one script from another."""
    return hashlib.sha256(script.model_dump_json().encode()).hexdigest()


def _in_one_line(values: list[int]) -> Any:
    from ruamel.yaml.comments import CommentedSeq

    line = CommentedSeq(values)
    line.fa.set_flow_style()
    return line


def _check(script: Script, problems: Problems, voices: Sequence[str] | None, sentences: int | None) -> None:
    """Note what is wrong between the parts of a script."""
    names = [host.name for host in script.hosts]
    for place, host in enumerate(script.hosts):
        if host.name in names[:place]:
            problems.refuse(("hosts", place, "name"), f"{host.name!r} is a host already; choose another name")
        if voices is not None and host.voice is None and place >= len(voices):
            said = f"the model has {len(voices)} voices ({', '.join(voices)}); name one of them: `voice: {voices[0]}`"
            problems.refuse(("hosts", place), said)
        if voices is not None and host.voice is not None and host.voice not in voices:
            said = f"the model has no voice {host.voice!r}; {did_you_mean(host.voice, voices)}"
            problems.refuse(("hosts", place, "voice"), said)
    for place, turn in enumerate(script.turns):
        if turn.host not in names:
            problems.refuse(
                ("turns", place, "host"), f"no host is called {turn.host!r}; {did_you_mean(turn.host, names)}"
            )
        if not re.search(r"[^\W_]", turn.text):
            problems.refuse(
                ("turns", place, "text"),
                f"says no word, but {shown(turn.text)}; write one, or remove the turn",
            )
        for number in turn.rests_on:
            if sentences is not None and number > sentences:
                problems.refuse(
                    ("turns", place, "rests_on"), f"the source has {sentences} sentences, not {number}"
                )
    before = 0
    for place, chapter in enumerate(script.chapters):
        if not before < chapter.turn <= len(script.turns):
            said = f"must be after {before} and at most {len(script.turns)}, the number of turns, not {chapter.turn}"
            problems.refuse(("chapters", place, "turn"), said)
        before = chapter.turn


def _located(path: Path) -> Located:
    """Return a file's plain values and their lines."""
    try:
        if not path.is_file():
            raise InputError(f"{path}: no such file")
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise InputError(f"{path}: {path.stat().st_size} bytes are no script")
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"{path}:{line}: not UTF-8 text; save the file as UTF-8") from None
    try:
        yaml, root = composed(text)
        if not isinstance(root, MappingNode):
            raise SyntaxProblem(1, "a script has the keys title, hosts and turns; docs/GUIDE.md shows one")
        lines: dict[KeyPath, int] = {}
        return Located(_value(yaml, root, (), lines), lines)
    except SyntaxProblem as problem:
        raise InputError(f"{path}:{problem.line}: {problem}") from None


def _value(yaml: YAML, node: Node, path: KeyPath, lines: dict[KeyPath, int]) -> Any:
    """Return a node's plain value and note the lines of its keys and items."""
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, SequenceNode):
        return [_value(yaml, item, (*path, index), lines) for index, item in enumerate(node.value)]
    if isinstance(node, MappingNode):
        values = dict[str, Any]()
        for key, value in node.value:
            name = str(key.value)
            if name in values:
                raise SyntaxProblem(key.start_mark.line + 1, f"{name}: stands here a second time; keep one")
            lines[(*path, name)] = key.start_mark.line + 1
            values[name] = _value(yaml, value, (*path, name), lines)
        return values
    assert isinstance(node, ScalarNode), "a node is a scalar, a sequence or a mapping"
    kind = str(node.tag).removeprefix("tag:yaml.org,2002:")
    if kind not in ("null", "bool", "int", "float"):
        return node.value
    try:
        return getattr(yaml.constructor, f"construct_yaml_{kind}")(node)
    except (ValueError, KeyError, OverflowError):
        raise SyntaxProblem(
            node.start_mark.line + 1, f"{shown(node.value)} cannot be read as {kind}"
        ) from None
