"""Examines prepared data as they lie on disk: facts for people and programs, in bounded memory.

Knows the forms of prepared data; knows nothing of recipes or of how facts are shown.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from manus.data.media.files import has_media
from manus.data.order.packing import PackedRows
from manus.data.order.shuffle import Permutation
from manus.data.preparation.leaks import leaks
from manus.data.preparation.split import REPEATED
from manus.data.preparation.while_training import SAMPLED
from manus.data.prepared.samples import PAIRS, PROMPTS, open_samples, read_arrow
from manus.data.prepared.senses import by_senses
from manus.data.prepared.sharded import ShardedSamples
from manus.data.sample import PLACEHOLDERS
from manus.data.tokens.fitting import FATES, TOO_LONG, TRUNCATED
from manus.data.tokens.rendering import render_prompt
from manus.files import read_jsonl

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SAMPLED_LENGTHS = 20_000
LONGEST_SHOWN = 1500  # tokens of a part
_REPEATED = re.compile("(" + "|".join(map(re.escape, PLACEHOLDERS.values())) + r")\1+")
Lengths = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Span:
    """Tokens that follow each other and are of one sort, as text."""

    text: str
    is_learned: bool
    is_special: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a sample that is shown by itself: its name, tokens and spans."""

    title: str
    tokens: int
    spans: tuple[Span, ...]


Shown = list[Part]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why rows were put aside: how many, and where the first one stands."""

    reason: str
    count: int
    first: str


@dataclass(frozen=True, slots=True)
class Examination:
    """All that is known of prepared data. Shares are of 1; None where the data do not tell.

    `padded_share` is what a batch of `batch_size` would hold if it were padded, `unfilled_share` what rows of
    `max_length` leave empty when they are packed.
    """

    form: str
    statistics: Mapping[str, Any]
    duplicates: int
    too_long_share: float
    truncated_share: float
    quarantine: list[Reason]
    batch_size: int
    padded_share: float | None
    unfilled_share: float | None
    leaks: int | None
    samples: list[Shown]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data, the statistics first."""
        facts = asdict(self)
        return {**facts.pop("statistics"), **facts}


def examine(
    folder: Path, tokenizer: PreTrainedTokenizerBase, max_length: int, batch_size: int, shown: int
) -> Examination:
    """Return what there is to say of prepared data.

    Args:
        folder: of the artifact.
        tokenizer: that of the base.
        max_length: that rows are packed to.
        batch_size: samples in a batch, for the padding.
        shown: how many samples to render.
    """
    statistics = json.loads((folder / "statistics.json").read_text(encoding="utf-8"))
    aside = statistics.get("left_aside", {})
    prepared = _opened(folder, tokenizer)
    used = statistics["train_samples"]
    dropped, cut = aside.get(FATES[TOO_LONG], 0), aside.get(FATES[TRUNCATED], 0)
    return Examination(
        form=prepared.form,
        statistics=statistics,
        duplicates=aside.get(REPEATED, 0),
        too_long_share=dropped / max(1, used + dropped),
        truncated_share=cut / max(1, used),
        quarantine=reasons(read_jsonl(folder / "quarantine.jsonl")),
        batch_size=batch_size,
        padded_share=padded_share(prepared.some_lengths(), batch_size),
        unfilled_share=prepared.unfilled_share(statistics, max_length),
        leaks=leaks(folder),
        samples=[prepared.shown(int(place)) for place in _places(len(prepared), shown)],
    )


def reasons(quarantine: Iterable[Mapping[str, Any]]) -> list[Reason]:
    """Return why rows were put aside, the most frequent reason first."""
    count: Counter[str] = Counter()
    first: dict[str, str] = {}
    for row in quarantine:
        count[row["reason"]] += 1
        first.setdefault(row["reason"], row["place"])
    return [Reason(reason, number, first[reason]) for reason, number in count.most_common()]


def padded_share(lengths: Lengths, batch_size: int) -> float | None:
    """Return which share would be padding, were batches in this order padded to the longest of each."""
    whole = len(lengths) // batch_size * batch_size
    if not whole:
        return None
    batches = lengths[:whole].reshape(-1, batch_size)
    return round(1 - float(batches.sum()) / float(batches.max(axis=1).sum() * batch_size), 4)


def _places(count: int, wanted: int) -> npt.NDArray[np.int64]:
    """Return places from everywhere, always the same."""
    return Permutation(count, 0, "shown").at(np.arange(min(count, wanted)))


def _opened(folder: Path, tokenizer: PreTrainedTokenizerBase) -> _Marked | _Pairs | _Prompts:
    if (folder / SAMPLED).exists():
        return _Live(folder / SAMPLED, tokenizer)
    if (folder / PAIRS).exists():
        return _Pairs(folder, tokenizer)
    return _Prompts(folder, tokenizer) if (folder / PROMPTS).exists() else _Marked(folder, tokenizer)


class _Marked:
    """Texts and chats: tokens with a mark on those that are learned."""

    def __init__(self, folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
        self.folder, self.samples, self.tokenizer = folder, open_samples(folder), tokenizer
        self.form = "shards" if isinstance(self.samples, ShardedSamples) else "arrays"

    def __len__(self) -> int:
        return len(self.samples)

    def some_lengths(self) -> Lengths:
        places = _places(len(self), SAMPLED_LENGTHS)
        return self.samples.lengths_at(places)

    def unfilled_share(self, statistics: Mapping[str, Any], max_length: int) -> float | None:
        """Return what the rows of samples in training leave empty; those with other media share none."""
        if not has_media(self.folder) and (rows := statistics.get("packed_rows")) is not None:
            return _unfilled(statistics["tokens"], rows, max_length)
        groups = (
            by_senses(self.samples, self.folder).values()
            if has_media(self.folder)
            else [np.arange(len(self))]
        )
        rows = sum(len(PackedRows.of(group, self.samples.lengths_at(group), max_length)) for group in groups)
        return _unfilled(statistics["tokens"], rows, max_length)

    def shown(self, place: int) -> Shown:
        sample = self.samples[place]
        return [_part("", self.tokenizer, sample["ids"].tolist(), sample["is_learned"].tolist())]


def _unfilled(tokens: int, rows: int, max_length: int) -> float:
    return round(1 - tokens / (rows * max_length), 4)


class _Live(_Marked):
    """Texts and chats that are tokenised while training: those that were looked at before."""

    def __init__(self, folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
        super().__init__(folder, tokenizer)
        self.form = "rows"

    def unfilled_share(self, statistics: Mapping[str, Any], max_length: int) -> float | None:
        return None


class _Pairs:
    """Prompts with a chosen and a rejected answer."""

    form = "pairs"

    def __init__(self, folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
        self.table, self.tokenizer = read_arrow(folder, PAIRS), tokenizer

    def __len__(self) -> int:
        return len(self.table)

    def some_lengths(self) -> Lengths:
        found = []
        for place in _places(len(self), SAMPLED_LENGTHS // 10).tolist():
            row = self.table[place]
            found.append(len(row["prompt_ids"]) + max(len(row["chosen_ids"]), len(row["rejected_ids"])))
        return np.array(found, dtype=np.int64)

    def unfilled_share(self, statistics: Mapping[str, Any], max_length: int) -> float | None:
        return None

    def shown(self, place: int) -> Shown:
        row = self.table[place]
        parts = (
            ("prompt", "prompt_ids", False),
            ("chosen", "chosen_ids", True),
            ("rejected", "rejected_ids", True),
        )
        return [_part(t, self.tokenizer, row[name], [learned] * len(row[name])) for t, name, learned in parts]


class _Prompts:
    """What a model is asked, with the answer that is expected."""

    form = "prompts"

    def __init__(self, folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
        self.table, self.tokenizer = read_arrow(folder, PROMPTS), tokenizer

    def __len__(self) -> int:
        return len(self.table)

    def some_lengths(self) -> Lengths:
        places = _places(len(self), SAMPLED_LENGTHS // 20).tolist()
        return np.array([len(self._ids(place)) for place in places], dtype=np.int64)

    def unfilled_share(self, statistics: Mapping[str, Any], max_length: int) -> float | None:
        return None

    def shown(self, place: int) -> Shown:
        ids, sample = self._ids(place), json.loads(self.table[place]["sample"])
        expected = _expected(sample)
        count = len(self.tokenizer(expected, add_special_tokens=False)["input_ids"])
        return [
            _part("prompt", self.tokenizer, ids, [False] * len(ids)),
            Part("expected", count, (Span(expected, is_learned=False),)),
        ]

    def _ids(self, place: int) -> list[int]:
        text = render_prompt(self.tokenizer, self.table[place]["prompt"])
        return cast("list[int]", self.tokenizer(text, add_special_tokens=False)["input_ids"])


def _expected(sample: Mapping[str, Any]) -> str:
    """Return what a verifier compares with: the answer, the calls, else the assistant's turn."""
    if sample.get("answer"):
        return str(sample["answer"])
    if sample.get("calls"):
        return json.dumps(sample["calls"], ensure_ascii=False)
    last = (sample.get("messages") or [{"role": "", "content": ""}])[-1]
    return str(last["content"]) if last["role"] == "assistant" else "(nothing to compare with)"


def _part(
    title: str, tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], is_learned: Sequence[bool]
) -> Part:
    return Part(title, len(ids), tuple(spans(tokenizer, ids[:LONGEST_SHOWN], is_learned[:LONGEST_SHOWN])))


def spans(
    tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], is_learned: Sequence[bool]
) -> Iterator[Span]:
    """Yield tokens as text, those of one sort together; special tokens are shown as they are called."""
    special = set(tokenizer.all_special_ids) | _added(tokenizer)
    sorts = zip(is_learned, (number in special for number in ids), strict=True)
    for (learned, named), some in itertools.groupby(zip(sorts, ids, strict=True), key=lambda pair: pair[0]):
        text = tokenizer.decode([number for _, number in some], skip_special_tokens=False)
        yield Span(_counted(str(text)) if named else str(text), bool(learned), named)


def _counted(text: str) -> str:
    """Return special tokens with those that follow themselves, as a picture's do, counted."""
    return _REPEATED.sub(lambda match: f"{match[1]} × {len(match[0]) // len(match[1])} ", text)


def _added(tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Return the tokens that a tokenizer got as marks, such as <think>."""
    return set(getattr(tokenizer, "added_tokens_decoder", {}))
