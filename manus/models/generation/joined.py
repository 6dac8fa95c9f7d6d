"""Answers of one batch that begin and end when they like: rows of an edited cache. Knows no drawing."""

# Shapes: B rows, T columns of tokens, V vocabulary. Rows end at the right; a row's padding stands before its
# tokens.

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from manus.models.generation import caches
from manus.models.generation.sealed import cache_name, takes


class Joined:
    """Rows that have been read: their cache, and where in it each begins."""

    def __init__(
        self,
        model: PreTrainedModel,
        cache: DynamicCache,
        padding: Sequence[int],
        columns: int,
        last: Tensor | None,
    ) -> None:
        """Take rows over.

        Args:
            model: whose rows they are.
            cache: of B rows and T columns.
            padding: how many columns of each row come before its tokens.
            columns: T.
            last: position of the last column, [..., B, 1]; None of a model that takes no positions.
        """
        self.model, self.cache = model, cache
        self.padding, self.columns, self.last = list(padding), columns, last
        self._trim()

    def forward(self, tokens: Sequence[int]) -> Tensor:
        """Read one token of each row and return the logits [B, V] of the next."""
        given: dict[str, Any] = {cache_name(self.model): self.cache, "use_cache": True}
        self.columns += 1
        if any(self.padding):
            given["attention_mask"] = mask_of(self.padding, self.columns, self.model.device)
        if self.last is not None:
            self.last = given["position_ids"] = self.last + 1
        if takes(self.model, "logits_to_keep"):
            given["logits_to_keep"] = 1
        ids_B1 = torch.tensor(list(tokens), device=self.model.device)[:, None]
        inputs = self.model.prepare_inputs_for_generation(ids_B1, next_sequence_length=1, **given)
        logits_BV: Tensor = self.model(**inputs, return_dict=True).logits[:, -1]
        return logits_BV

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows only, in this order; one that is named twice is two from now on."""
        caches.select(self.cache, rows)
        self.padding = [self.padding[row] for row in rows]
        if self.last is not None:
            self.last = self.last[..., list(rows), :]
        self._trim()

    def join(self, other: Joined) -> None:
        """Take in the rows of another, behind one's own. The other is used up."""
        wanted = max(self.columns, other.columns)
        for one in (self, other):
            caches.pad_columns(one.cache, one.columns, wanted)
            one.padding = [count + wanted - one.columns for count in one.padding]
            one.columns = wanted
        caches.append_rows(self.cache, other.cache)
        self.padding += other.padding
        if self.last is not None and other.last is not None:
            self.last = torch.cat([self.last, other.last], dim=-2)

    def _trim(self) -> None:
        """Drop columns that are padding in all rows."""
        if first := min(self.padding):
            caches.drop_columns(self.cache, self.columns, first)
            self.padding = [count - first for count in self.padding]
            self.columns -= first


def mask_of(padding: Sequence[int], columns: int, device: Any) -> Tensor:
    """Return which columns of each row are tokens, [B, T] of ones and zeros."""
    starts_B = torch.tensor(list(padding), device=device)
    return (torch.arange(columns, device=device) >= starts_B[:, None]).long()
