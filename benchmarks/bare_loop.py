"""The limit of throughput: a plain PyTorch loop for one Llama-like model, with every trick known.

Best-fit packing, attention sample by sample, logits on learned tokens only, fused AdamW. No checkpoints, no
safe points, no logs, no other family. Knows nothing of Manus but the layout of prepared data.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from transformers import AttentionInterface, AutoModelForCausalLM
from transformers.masking_utils import AttentionMaskInterface

LENGTHS: list[int] = []  # of the samples in the row that is being computed


def by_sample(module: Any, q: Any, k: Any, v: Any, mask: Any, scaling: float | None = None, **kw: Any) -> Any:
    """Attend within each sample."""
    outputs = [
        F.scaled_dot_product_attention(*part, is_causal=True, scale=scaling, enable_gqa=True)
        for part in zip(*(tensor.split_with_sizes(LENGTHS, 2) for tensor in (q, k, v)), strict=True)
    ]
    return torch.cat(outputs, 2).transpose(1, 2).contiguous(), None


AttentionInterface.register("by_sample", by_sample)
AttentionMaskInterface.register("by_sample", lambda *args, **kwargs: None)


def read_rows(folder: Path, capacity: int) -> list[list[tuple[torch.Tensor, torch.Tensor]]]:
    """Return rows of (ids, labels) of whole samples, best fit, longest first."""
    ids = torch.from_numpy(np.fromfile(folder / "ids.int32", dtype=np.int32)).long()
    learned = torch.from_numpy(np.fromfile(folder / "learned.uint8", dtype=np.uint8)).bool()
    offsets = np.load(folder / "offsets.npy")
    rows: list[tuple[int, list[tuple[torch.Tensor, torch.Tensor]]]] = []
    for index in sorted(range(len(offsets) - 1), key=lambda i: offsets[i] - offsets[i + 1]):
        span = slice(int(offsets[index]), int(offsets[index + 1]))
        length = span.stop - span.start
        labels = torch.where(learned[span], ids[span], -100)
        labels[0] = -100
        fitting = [place for place, (used, _) in enumerate(rows) if used + length <= capacity]
        if fitting:
            place = max(fitting, key=lambda p: rows[p][0])
            rows[place] = (rows[place][0] + length, [*rows[place][1], (ids[span], labels)])
        else:
            rows.append((length, [(ids[span], labels)]))
    return [row for _, row in rows]


def train(
    base: Path,
    folder: Path,
    settings: dict[str, Any],
    capacity: int,
    is_full: bool,
    rows_in_step: int,
    begins: Callable[[], None],
) -> Any:
    """Train for one epoch and return the model; `begins` is called before the first step."""
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="by_sample")
    inner = model
    if not is_full:
        lora = LoraConfig(r=settings["rank"], lora_alpha=settings["alpha"], target_modules="all-linear")
        model = get_peft_model(model, lora)
    rows = read_rows(folder, capacity)
    random.Random(1).shuffle(rows)
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=settings["learning_rate"], weight_decay=0.0, fused=True)
    model.train()
    begins()
    for first in range(0, len(rows), rows_in_step):
        step = rows[first : first + rows_in_step]
        learned = sum(int((labels != -100).sum()) for row in step for _, labels in row)
        for row in step:
            LENGTHS[:] = [len(ids) for ids, _ in row]
            positions = torch.cat([torch.arange(length) for length in LENGTHS])[None]
            labels = F.pad(torch.cat([labels for _, labels in row])[1:], (0, 1), value=-100)
            places = (labels != -100).nonzero().squeeze(1)
            hidden = inner.model(
                input_ids=torch.cat([ids for ids, _ in row])[None], position_ids=positions, use_cache=False
            ).last_hidden_state[0, places]
            (F.cross_entropy(inner.lm_head(hidden), labels[places], reduction="sum") / learned).backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    LENGTHS.clear()
    inner.set_attn_implementation("sdpa")
    return model
