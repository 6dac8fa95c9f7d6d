"""Writes the recipe that fits a file: looks at its first rows, comments say what it saw. Trains nothing."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manus.data.forms.columns import Columns
from manus.data.forms.media import as_media_messages
from manus.data.forms.messages import as_messages, as_text
from manus.data.forms.pairs import read_pair
from manus.data.forms.prompts import read_prompt
from manus.data.forms.thought_format import split_thought
from manus.data.forms.unread_media import media_in
from manus.data.forms.worked_solutions import split_worked
from manus.data.sample import MediumKind, Row, RowError, Sample
from manus.data.settings import Source
from manus.data.sources.first_rows import first_rows
from manus.errors import InputError
from manus.recipe.known import CAPABILITIES
from manus.recipe.problems import validated
from manus.recipe.starter import STARTER_BASE
from manus.recipe.wording import printable

ROWS_LOOKED_AT = 200
# Of the conversations: fewer with an answer to verify, and answers are measured by how foreseen they are.
NEARLY_ALL = 0.9
CHARACTERS_IN_A_TOKEN = 3  # few, so that max_length is rather too long
SHORTEST, LONGEST = 256, 8192  # of max_length, as it is proposed
WITH_MEDIA = 2048  # what media take is not known before they are decoded
LABELS = ("label", "kto_tag")
EYES, EARS = "HuggingFaceTB/SmolVLM-256M-Instruct", "Qwen/Qwen2-Audio-7B-Instruct"


@dataclass(frozen=True, slots=True)
class Fit:
    """What a kind of rows is taught by, what it is in words, and what to know of it."""

    words: str
    capability: str
    method: str = "lora"
    name: str = ""
    batch_size: int = 4
    base: str = STARTER_BASE
    hints: tuple[str, ...] = ()


SEEN = "The base must take it in by itself; or name a model of text, and put `- omni` above the stage."
NATS = (
    "No answer is right or wrong: measured by how well held-out answers are foreseen, "
    "with samples side by side."
)
FITS = {
    "pairs": Fit(
        "pairs of a better and a worse answer", "instruct", "dpo", hints=("orpo learns from them, too.",)
    ),
    "image": Fit("questions or captions with pictures", "vision-qa", base=EYES, hints=(SEEN,)),
    "video": Fit("questions or captions with videos", "video-understanding", base=EYES, hints=(SEEN,)),
    "audio": Fit("questions or transcripts with sound", "hearing", base=EARS, hints=(SEEN,)),
    "tools": Fit(
        "conversations with functions", "tools", hints=("Measured by exact calls on held-out rows.",)
    ),
    "thinking": Fit("answers with a thought before them", "thinking"),
    "cot": Fit(
        "answers that can be verified", "cot", hints=("method: grpo learns from the answers as rewards.",)
    ),
    "instruct": Fit("conversations", "instruct", hints=(NATS,)),
    "prompts": Fit(
        "questions with a final answer alone",
        "cot",
        "grpo",
        batch_size=8,
        hints=("Rewards: whether the answer is right.",),
    ),
    "text": Fit(
        "plain texts", "instruct", "cpt", name="texts", hints=("Measured by perplexity on held-out texts.",)
    ),
}
MEDIA: tuple[MediumKind, ...] = ("image", "video", "audio")
CONVERSATIONS = ("tools", "thinking", "cot", "instruct")


@dataclass
class Look:
    """What a file's first rows are: how many of each kind, why others cannot be read, how long they are."""

    kinds: Counter[str] = field(default_factory=Counter)
    refused: dict[str, str] = field(default_factory=dict)  # reasons, each with the first place
    columns: Counter[str] = field(default_factory=Counter)
    characters: list[int] = field(default_factory=list)
    unread: int = 0

    @property
    def rows(self) -> int:
        """How many were looked at."""
        return self.kinds.total() + self.unread

    @property
    def fit(self) -> str:
        """The kind of rows that decides.

        Raises:
            InputError: none can be learned from.
        """
        if not self.kinds:
            reason, place = next(iter(self.refused.items()), ("it holds no row", ""))
            raise InputError(
                f"{place and f'{place}: '}{reason}; docs/DATASETS.md shows the shapes that are read"
            )
        of_turns = sum(self.kinds[kind] for kind in CONVERSATIONS)
        kind, count = self.kinds.most_common(1)[0]
        if of_turns <= count and kind not in CONVERSATIONS:
            return kind
        if 2 * self.kinds["tools"] >= of_turns:
            return "tools"
        return next((k for k in ("thinking", "cot") if self.kinds[k] >= NEARLY_ALL * of_turns), "instruct")

    @property
    def max_length(self) -> int:
        """A length in tokens that nearly all of the rows surely have, a power of two."""
        longest = sorted(self.characters)[int(0.95 * (len(self.characters) - 1))]
        length = WITH_MEDIA if self.fit in MEDIA else SHORTEST
        while length < min(longest / CHARACTERS_IN_A_TOKEN, LONGEST):
            length *= 2
        return length


def recipe_for(data: Path, recipe: Path) -> str:
    """Return the text of a recipe that trains on a file or a folder.

    Args:
        data: rows of any shape that is read.
        recipe: where the text will be; the data are named from there, if they lie below.

    Raises:
        DataError: the data are missing, or of a format that is not read.
        InputError: nothing in them can be learned from.
    """
    named = os.path.relpath(data, recipe.parent)
    path = str(data.resolve()) if named.startswith(os.pardir) else named
    source, problems = validated(Source, {"path": path})
    if source is None:
        raise InputError(f"--data {printable(str(data))}: a recipe cannot name it: its path {problems[0][1]}")
    look = looked_at(Source(path=str(data.resolve())), recipe.parent)
    fit = FITS[look.fit]
    stage = {"method": fit.method} if fit.method != "lora" else {}
    settings = [f"      {key}: {value}" for key, value in {"name": fit.name, **stage}.items() if value]
    lines = [
        f"# Written by `manus new --data` for {printable(data.name)}: {fit.words}.",
        *(f"# {line}" for line in _seen(look)),
        "# Check it with `manus plan`, run it with `snakemake --config recipe=THIS_FILE`.",
        "",
        "# A hub id, a model folder, a .gguf file, or package:NAME/FILE.",
        f"base_model: {fit.base}",
        "",
        "defaults:",
        f"  batch_size: {fit.batch_size}",
        f"  max_length: {look.max_length}   # tokens; longer rows are left aside and counted",
        "",
        "capabilities:",
        *(f"  # {hint}" for hint in fit.hints),
        f"  - {fit.capability}:",
        *settings,
        f"      data: [{{path: {json.dumps(path, ensure_ascii=False)}}}]",
    ]
    return "\n".join(lines) + "\n"


def _seen(look: Look) -> list[str]:
    """Return what was seen, a line each."""
    told = ", ".join(f"{count} {FITS[kind].words}" for kind, count in look.kinds.most_common())
    columns = ", ".join(printable(name) for name, _ in look.columns.most_common(12))
    lines = [f"Seen in the first {look.rows} rows: {told}; columns: {columns}."]
    if look.unread:
        reason, place = next(iter(look.refused.items()))
        lines.append(f"{look.unread} of them cannot be read, such as {printable(place)}: {_line(reason)}")
        lines.append("Such rows are put aside with the reason; failure_budget says how many may be.")
    return lines


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:200]


def looked_at(source: Source, beside: Path) -> Look:
    """Look at the first rows of a file or folder.

    Raises:
        DataError: it is missing, or of a format that is not read.
    """
    look = Look()
    for place, row in first_rows(source, beside, ROWS_LOOKED_AT):
        try:
            if isinstance(row, str):
                raise RowError(row)
            look.columns.update(row.keys())
            kind, sample = kind_of(row)
            look.kinds[kind] += 1
            look.characters.append(sum(map(len, _texts(sample))))
        except RowError as error:
            look.unread += 1
            look.refused.setdefault(str(error), place)
    return look


def _texts(sample: Sample) -> list[str]:
    return [sample.get("text", ""), *(turn["content"] for turn in sample.get("messages", ()))]


def kind_of(row: Row) -> tuple[str, Sample]:
    """Return which of FITS a row is, and its sample.

    Raises:
        RowError: none of them.
    """
    if "chosen" in row or "chosen_response" in row:
        return "pairs", read_pair(row, as_messages)
    if label := next((name for name in LABELS if isinstance(row.get(name), bool)), None):
        raise RowError(
            f"rows that are labelled as good or bad ({label!r}): no method learns from labels; keep "
            "the good ones, or make pairs of a better and a worse answer"
        )
    there = {*media_in(row), *(medium["kind"] for medium in _media(row))}
    medium = next((kind for kind in MEDIA if kind in there), None)
    return (medium, as_media_messages(row)) if medium else _of_text(row)


def _media(row: Row) -> Sequence[Mapping[str, Any]]:
    try:
        return as_media_messages(row).get("media", [])
    except RowError:
        return []  # the readers below say what is wrong


def _is_thought(sample: Sample) -> bool:
    return split_thought(sample["messages"][-1]["content"]) is not None


def _of_text(row: Row) -> tuple[str, Sample]:
    cot, thinking, tools = (CAPABILITIES[name] for name in ("cot", "thinking", "tools"))
    tried: list[tuple[str, Callable[[Row], Sample], Callable[[Sample], bool]]] = [
        ("tools", tools.read, lambda sample: bool(sample.get("tools"))),
        (
            "thinking",
            lambda row: as_messages(row) if split_worked(Columns.of(row)) else thinking.read(row),
            _is_thought,
        ),
        ("cot", cot.read, cot.can_score),
        ("instruct", as_messages, lambda sample: True),
        ("prompts", lambda row: read_prompt(row, as_messages, cot.can_score), cot.can_score),
        ("text", as_text, lambda sample: True),
    ]
    reason: RowError | None = None
    for kind, read, is_one in tried:
        try:
            sample = read(row)
        except RowError as error:
            reason = error if reason is None or kind == "instruct" else reason
            continue
        if is_one(sample):
            return kind, sample
    assert reason is not None, "a row that is read as a conversation is one"
    raise reason
