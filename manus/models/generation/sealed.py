"""Answers that begin and go on together, as `generate` computes them: their cache is never looked into."""

# Shapes: B rows, T tokens, V vocabulary.

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel


def takes(model: PreTrainedModel, name: str) -> bool:
    """Tell whether a model's forward pass has an input of a name."""
    return name in inspect.signature(model.forward).parameters


def cache_name(model: PreTrainedModel) -> str:
    """Return what a model calls its cache."""
    return "cache_params" if takes(model, "cache_params") else "past_key_values"


def inputs_of(
    model: PreTrainedModel, ids_BT: Tensor, mask_BT: Tensor | None, media: Mapping[str, Tensor]
) -> dict[str, Any]:
    """Return what `generate` hands from step to step: positions, a mask if any is padded, an empty cache."""
    given: dict[str, Any] = {**media, "use_cache": True}
    whole = torch.ones_like(ids_BT) if mask_BT is None else mask_BT
    if takes(model, "position_ids"):
        known = {**media, "attention_mask": whole}
        given["position_ids"] = model._prepare_position_ids_for_generation(ids_BT, known)
    if mask_BT is not None:
        given["attention_mask"] = mask_BT
    if takes(model, "logits_to_keep"):
        given["logits_to_keep"] = 1
    if model._supports_default_dynamic_cache():
        given[cache_name(model)] = DynamicCache(config=model.config.get_text_config(decoder=True))
    return given


class Sealed:
    """A batch of equal composition: prompts are of one length, an answer that ends leaves its row empty."""

    def __init__(
        self, model: PreTrainedModel, prompts: Sequence[Sequence[int]], media: Mapping[str, Tensor]
    ) -> None:
        """Args: a model, prompts of one length, and media if there is one prompt."""
        self.model = model
        self.ids_BT = torch.tensor([list(prompt) for prompt in prompts], device=model.device)
        self.given = inputs_of(model, self.ids_BT, None, media)
        self.shown = list(range(len(prompts)))

    @property
    def cache(self) -> Any:
        """What the model keeps of these rows, of whatever type; None of one that keeps it in itself."""
        return self.given.get(cache_name(self.model))

    def begin(self) -> Tensor:
        """Read the prompts and return the logits [B, V] of the first tokens."""
        return self._computed(
            self.model.prepare_inputs_for_generation(self.ids_BT, is_first_iteration=True, **self.given)
        )

    def forward(self, tokens: Sequence[int]) -> Tensor:
        """Read one token of each answer and return the logits [B, V] of the next."""
        column_B = torch.zeros(len(self.ids_BT), dtype=torch.long, device=self.ids_BT.device)
        column_B[self.shown] = torch.tensor(list(tokens), device=self.ids_BT.device)
        self.ids_BT = torch.cat([self.ids_BT, column_B[:, None]], dim=1)
        inputs = self.model.prepare_inputs_for_generation(self.ids_BT, next_sequence_length=1, **self.given)
        return self._computed(inputs)

    def _computed(self, inputs: dict[str, Any]) -> Tensor:
        outputs = self.model(**inputs, return_dict=True)
        self.given = self.model._update_model_kwargs_for_generation(outputs, self.given)
        logits_BV: Tensor = outputs.logits[:, -1]
        return logits_BV[self.shown]

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with some of the rows only."""
        self.shown = [self.shown[row] for row in rows]
