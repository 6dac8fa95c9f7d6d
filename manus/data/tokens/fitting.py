"""Fits samples into max_length: their tokens, and what becomes of those that are too long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from manus.data.media.expansion import WholeLayout
from manus.data.media.files import MediaFiles
from manus.data.sample import Pair, Sample, Tokens, prompt_of
from manus.data.settings import DataSettings
from manus.data.tokens.rendering import render, render_pair, render_prompt, renderings
from manus.data.tokens.windows import windows_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Fit = Callable[["PreTrainedTokenizerBase", Sample, DataSettings, "Counter[str]"], Iterator[Any]]
TOO_LONG, TRUNCATED = "longer than max_length", "truncated to max_length"


def learned_in(piece: Tokens | Pair | tuple[Sample, int]) -> int:
    """Return how many tokens of a prepared sample the loss counts: none of a prompt, both answers of a pair."""
    if isinstance(piece, Tokens):
        return sum(piece.is_learned)
    return len(piece.chosen) + len(piece.rejected) if isinstance(piece, Pair) else 0


def fit_text(
    tokenizer: PreTrainedTokenizerBase, sample: Sample, settings: DataSettings, too_long: Counter[str]
) -> Iterator[Tokens]:
    """Yield a text in windows."""
    yield from windows_of(render(tokenizer, sample), settings.max_length, settings.window_overlap)


def fit_chat(
    tokenizer: PreTrainedTokenizerBase, sample: Sample, settings: DataSettings, too_long: Counter[str]
) -> Iterator[Tokens]:
    """Yield a chat if it fits, or its beginning where that may be learned; half a picture is none."""
    for tokens in list(renderings(tokenizer, sample)):  # all of them or none: a later one may be refused
        yield from fit_tokens(tokens, sample, settings, too_long)


def fit_whole(layout: WholeLayout, files: MediaFiles) -> Fit:
    """Return what does the same where only the model's processor knows how long media stand in the text."""

    def fit(
        tokenizer: PreTrainedTokenizerBase, sample: Sample, settings: DataSettings, too_long: Counter[str]
    ) -> Iterator[Tokens]:
        if sample.get("media"):
            yield from fit_tokens(layout.rendered(sample, files), sample, settings, too_long)
        else:
            yield from fit_chat(tokenizer, sample, settings, too_long)

    return fit


def fit_tokens(tokens: Tokens, sample: Sample, settings: DataSettings, too_long: Counter[str]) -> Iterator[Tokens]:
    limit = settings.max_length
    if len(tokens.ids) <= limit:
        yield tokens
    elif settings.too_long == "truncate" and any(tokens.is_learned[:limit]) and not sample.get("media"):
        too_long[TRUNCATED] += 1
        yield Tokens(tokens.ids[:limit], tokens.is_learned[:limit])
    else:
        too_long[TOO_LONG] += 1


def fit_pair(
    tokenizer: PreTrainedTokenizerBase, sample: Sample, settings: DataSettings, too_long: Counter[str]
) -> Iterator[Pair]:
    """Yield a pair if both of its sides fit, or their beginnings where those differ."""
    pair = render_pair(tokenizer, sample)
    room = settings.max_length - len(pair.prompt)
    if max(len(pair.chosen), len(pair.rejected)) <= room:
        yield pair
    elif (
        settings.too_long == "truncate"
        and room > 0
        and not sample.get("media")
        and pair.chosen[:room] != pair.rejected[:room]
    ):
        too_long[TRUNCATED] += 1
        yield Pair(pair.prompt, pair.chosen[:room], pair.rejected[:room])
    else:
        too_long[TOO_LONG] += 1


def fit_prompt(
    tokenizer: PreTrainedTokenizerBase, sample: Sample, settings: DataSettings, too_long: Counter[str]
) -> Iterator[tuple[Sample, int]]:
    """Yield a prompt with its number of tokens if it fits; half a question is no question."""
    text = render_prompt(tokenizer, prompt_of(sample))
    tokens = len(tokenizer(text, add_special_tokens=False)["input_ids"])
    if tokens <= settings.max_length:
        yield sample, tokens
    else:
        too_long[TOO_LONG] += 1
