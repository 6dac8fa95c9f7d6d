"""Fits samples into max_length: their tokens, and what becomes of longer ones. Said once, for all data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from manus.data.media.expansion import Layout, WholeLayout, expanded
from manus.data.media.files import MediaFiles
from manus.data.sample import Pair, Prompt, Sample, SampleKind, Tokens, prompt_of
from manus.data.settings import DataSettings
from manus.data.tokens.rendering import render_pair, render_prompt, renderings
from manus.data.tokens.windows import segment_windows, text_windows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FITS, TRUNCATED, TOO_LONG = range(3)  # a sample's fate
FATES = {TRUNCATED: "truncated to max_length", TOO_LONG: "longer than max_length"}

Piece = Tokens | Pair | Prompt
Fitted = tuple[Iterator[Piece], int]  # what is learned of a sample, and its fate


def tokens_in(piece: Piece) -> int:
    """Return how many tokens a prepared sample has, of a pair both sides."""
    if isinstance(piece, Tokens):
        return len(piece.ids)
    return (
        len(piece.prompt) + len(piece.chosen) + len(piece.rejected)
        if isinstance(piece, Pair)
        else piece.tokens
    )


def learned_in(piece: Piece) -> int:
    """Return how many tokens of a prepared sample the loss counts: none of a prompt, both of a pair."""
    if isinstance(piece, Tokens):
        return sum(piece.is_learned)
    return len(piece.chosen) + len(piece.rejected) if isinstance(piece, Pair) else 0


def turns_in(piece: Piece) -> int | None:
    """Return how many turns of its conversation a prepared sample shows; None: all."""
    return piece.turns if isinstance(piece, Tokens) else None


@dataclass(frozen=True, slots=True)
class Fitting:
    """How samples of one kind become tokens.

    `layout` is what the model makes of media; without one it reads text only.
    """

    kind: SampleKind
    tokenizer: PreTrainedTokenizerBase
    settings: DataSettings
    layout: Layout | None = None

    def fit(
        self, sample: Sample, files: MediaFiles | None = None, ends: tuple[bool, bool] | None = None
    ) -> Fitted:
        """Return what is learned of a sample, and its fate.

        Args:
            sample: with the numbers of its media.
            files: the media that the numbers mean; None where there are none.
            ends: of a part of a longer text, whether it is the first one, and whether it is the last.

        Raises:
            RowError: the template refuses it, or nothing in it is learned.
        """
        if self.kind == "prompt":
            return self._prompt(sample)
        if self.kind == "speech":
            return self._spoken(sample)
        if self.kind == "preference":
            return self._pair(sample)
        return self._text(sample["text"], ends) if "text" in sample else self._chat(sample, files)

    def _text(self, text: str, ends: tuple[bool, bool] | None) -> Fitted:
        limit, overlap = self.settings.max_length, self.settings.window_overlap
        if ends is not None:
            return segment_windows(self.tokenizer, text, *ends, limit, overlap), FITS
        return text_windows(self.tokenizer, text, limit, overlap), FITS

    def _chat(self, sample: Sample, files: MediaFiles | None) -> Fitted:
        """Return a chat if it fits, or its beginning where that may be learned; half a picture is none."""
        if isinstance(self.layout, WholeLayout) and sample.get("media"):
            assert files is not None, "whoever has a sample with media has these"
            made = list(self.layout.renderings(sample, files))
        else:
            made = list(
                renderings(self.tokenizer, expanded(sample, self.layout))
            )  # a later one may be refused
        fitted = [self._tokens(tokens, self._may_cut(sample)) for tokens in made]
        return iter([tokens for tokens, _ in fitted if tokens is not None]), max(fate for _, fate in fitted)

    def _tokens(self, tokens: Tokens, may_cut: bool) -> tuple[Tokens | None, int]:
        limit = self.settings.max_length
        if len(tokens.ids) <= limit:
            return tokens, FITS
        if may_cut and any(tokens.is_learned[:limit]):
            return Tokens(tokens.ids[:limit], tokens.is_learned[:limit], tokens.turns), TRUNCATED
        return None, TOO_LONG

    def _pair(self, sample: Sample) -> Fitted:
        """Return a pair if both of its sides fit, or their beginnings where those differ."""
        pair = render_pair(self.tokenizer, expanded(sample, self.layout))
        room = self.settings.max_length - len(pair.prompt)
        if max(len(pair.chosen), len(pair.rejected)) <= room:
            return iter([pair]), FITS
        if self._may_cut(sample) and room > 0 and pair.chosen[:room] != pair.rejected[:room]:
            return iter([Pair(pair.prompt, pair.chosen[:room], pair.rejected[:room])]), TRUNCATED
        return iter([]), TOO_LONG

    def _prompt(self, sample: Sample) -> Fitted:
        """Return a prompt, as it was, with its number of tokens, if it fits: half a question is none."""
        text = render_prompt(self.tokenizer, prompt_of(expanded(sample, self.layout)))
        tokens = len(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        return (
            (iter([Prompt(sample, tokens)]), FITS)
            if tokens <= self.settings.max_length
            else (iter([]), TOO_LONG)
        )

    def _spoken(self, sample: Sample) -> Fitted:
        """Return what is said, with its number of tokens, if it fits: half a sentence has no sound."""
        tokens = len(self.tokenizer(sample["messages"][0]["content"], add_special_tokens=False)["input_ids"])
        if tokens <= self.settings.max_length:
            return iter([Prompt(sample, tokens)]), FITS
        return iter([]), TOO_LONG

    def _may_cut(self, sample: Sample) -> bool:
        return self.settings.too_long == "truncate" and not sample.get("media")
