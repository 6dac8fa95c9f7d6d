"""Makes of prompts what a model takes in: batches that end where the answers begin, where the model is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase


def on_device(inputs: Mapping[str, torch.Tensor], model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """Return a model's inputs where the model is; pixels and sound in the type of its weights."""
    kinds = {name: model.dtype if tensor.is_floating_point() else None for name, tensor in inputs.items()}
    return {name: tensor.to(model.device, kinds[name]) for name, tensor in inputs.items()}


def tokenised(tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str]) -> dict[str, torch.Tensor]:
    """Return rendered prompts as a batch that is padded on the left."""
    tokenizer.padding_side = "left"
    return dict(
        tokenizer(
            list(prompts),
            return_tensors="pt",
            padding=True,
            add_special_tokens=False,
            return_token_type_ids=False,
        )
    )


def left_padded(rows: Sequence[Sequence[int]], pad_token_id: int, device: Any) -> dict[str, torch.Tensor]:
    """Return token ids and mask, [rows, longest row], that end where the answers begin."""
    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), pad_token_id)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    for index, row in enumerate(rows):
        ids[index, longest - len(row) :], mask[index, longest - len(row) :] = torch.tensor(row), 1
    return {"input_ids": ids.to(device), "attention_mask": mask.to(device)}
