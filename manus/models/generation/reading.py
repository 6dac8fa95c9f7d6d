"""Reads prompts into rows: alike ones once, a beginning that several share once. Knows nothing of answers."""

# Shapes: B rows, T columns, V vocabulary, P tokens of a shared beginning, R columns of what follows it.

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from manus.models.generation import caches
from manus.models.generation.joined import Joined, mask_of
from manus.models.generation.sealed import cache_name, inputs_of

Prompt = tuple[int, ...]
WORTH_SHARING = 16  # tokens: below it a pass of its own costs more than it saves


class Reader:
    """Reads prompts for one model; keeps the beginning that the last ones shared."""

    def __init__(self, model: PreTrainedModel, pad_token_id: int) -> None:
        self.model, self.pad_token_id = model, pad_token_id
        self._kept: tuple[Prompt, DynamicCache] | None = None

    @property
    def cache(self) -> DynamicCache | None:
        """The cache of the beginning that is kept."""
        return self._kept[1] if self._kept else None

    def forget(self) -> None:
        """Drop the beginning that is kept: the model's weights may change from here on."""
        self._kept = None

    def read(
        self, prompts: Sequence[Prompt], coming: Sequence[Prompt] = ()
    ) -> list[tuple[list[int], Joined, Tensor]]:
        """Read prompts of text.

        Args:
            prompts: those to read now.
            coming: others that will be read later, which may share their beginning.

        Returns:
            Parts: the numbers of their prompts, their rows, and the logits [B, V] of their first tokens.
        """
        numbers: dict[Prompt, list[int]] = {}
        for number, prompt in enumerate(prompts):
            numbers.setdefault(prompt, []).append(number)
        empty = caches.empty(self.model)
        parts = []
        for part in self._parts(list(numbers), empty):
            shared = self._shared(part, coming, empty)
            rows, logits_BV = self._after(part, *shared) if shared else self._from_start(part)
            owners = [numbers[prompt] for prompt in part]
            again = [row for row, mine in enumerate(owners) for _ in mine]
            if len(again) > len(part):
                rows.keep(again)
                logits_BV = logits_BV[again]
            parts.append(([number for mine in owners for number in mine], rows, logits_BV))
        return parts

    def read_with_media(self, prompt: Prompt, media: Mapping[str, Tensor]) -> tuple[Joined, Tensor]:
        """Read one prompt with its media; return its row and the logits [1, V] of its first token."""
        return self._read(torch.tensor([prompt], device=self.model.device), None, media, [0])

    def _parts(self, prompts: list[Prompt], empty: DynamicCache) -> list[list[Prompt]]:
        """Return prompts that are read together: of like length, of the same if padding entered a state."""
        must_equal = caches.has_states(empty)
        parts: list[list[Prompt]] = []
        for prompt in sorted(prompts, key=len, reverse=True):
            longest = len(parts[-1][0]) if parts else 0
            if parts and (len(prompt) == longest if must_equal else 2 * len(prompt) >= longest):
                parts[-1].append(prompt)
            else:
                parts.append([prompt])
        return parts

    def _shared(
        self, part: list[Prompt], coming: Sequence[Prompt], empty: DynamicCache
    ) -> tuple[Prompt, DynamicCache] | None:
        """Return a beginning that all of these prompts share, read; None if not worth it or not possible.

        A state goes on from one token at a time only, and a window counts columns, not tokens: it must not be
        reached while there is padding between the beginning and what follows.
        """
        longest = len(part[0])
        reach = caches.window(empty)
        if caches.has_states(empty) or (reach is not None and longest + WORTH_SHARING >= reach):
            return None
        if self._kept and all(prompt[: len(self._kept[0])] == self._kept[0] != prompt for prompt in part):
            return self._kept
        for others in ((*part, *coming), part):
            beginning = common_beginning(others)
            if len(beginning) >= WORTH_SHARING and len(others) > 1:
                rows, _ = self._from_start([beginning])
                self._kept = beginning, rows.cache
                return self._kept
        return None

    def _from_start(self, prompts: list[Prompt]) -> tuple[Joined, Tensor]:
        ids_BT, padding = self._padded(prompts)
        mask_BT = mask_of(padding, ids_BT.shape[1], self.model.device) if any(padding) else None
        return self._read(ids_BT, mask_BT, {}, padding)

    def _after(self, prompts: list[Prompt], beginning: Prompt, read: DynamicCache) -> tuple[Joined, Tensor]:
        """Read what follows a beginning, then put each row's padding before its beginning."""
        ids_BR, padding = self._padded([prompt[len(beginning) :] for prompt in prompts])
        device, start = self.model.device, len(beginning)
        cache = copy.deepcopy(read)
        caches.select(cache, [0] * len(prompts))
        before_BP = torch.ones(len(prompts), start, dtype=torch.long, device=device)
        mask_BT = torch.cat([before_BP, mask_of(padding, ids_BR.shape[1], device)], dim=1)
        rows, logits_BV = self._read(ids_BR, mask_BT, {}, [0] * len(prompts), cache)
        if any(padding):
            caches.order_columns(rows.cache, mask_BT.argsort(dim=1, stable=True))
        return Joined(self.model, rows.cache, padding, mask_BT.shape[1], rows.last), logits_BV

    def _read(
        self,
        ids_BT: Tensor,
        mask_BT: Tensor | None,
        media: Mapping[str, Tensor],
        padding: list[int],
        cache: DynamicCache | None = None,
    ) -> tuple[Joined, Tensor]:
        given: dict[str, Any] = inputs_of(self.model, ids_BT, mask_BT, media)
        name = cache_name(self.model)
        given[name] = caches.empty(self.model) if cache is None else cache
        inputs = self.model.prepare_inputs_for_generation(ids_BT, is_first_iteration=True, **given)
        outputs = self.model(**inputs, return_dict=True)
        columns = ids_BT.shape[1] if mask_BT is None else mask_BT.shape[1]
        last = given["position_ids"][..., -1:] if "position_ids" in given else None
        logits_BV: Tensor = outputs.logits[:, -1]
        return Joined(self.model, given[name], padding, columns, last), logits_BV

    def _padded(self, rows: list[Prompt]) -> tuple[Tensor, list[int]]:
        longest = max(map(len, rows))
        padding = [longest - len(row) for row in rows]
        filled = [[self.pad_token_id] * count + list(row) for count, row in zip(padding, rows, strict=True)]
        return torch.tensor(filled, device=self.model.device), padding


def common_beginning(prompts: Sequence[Prompt]) -> Prompt:
    """Return the tokens with which all prompts begin, so that at least one follows in each."""
    first, last = min(prompts), max(prompts)  # in their order the two that differ earliest
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))
    return first[: min(alike, min(map(len, prompts)) - 1)]
