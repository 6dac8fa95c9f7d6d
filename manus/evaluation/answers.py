"""Lets a model answer prompts, and measures how well it foresees texts. Knows nothing of verifiers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from manus.data.rendering import render, render_prompt
from manus.data.sample import Sample
from manus.guards.memory import Parked
from manus.guards.progress import progress
from manus.guards.run import RUN, Work

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

BATCH_ROWS = 32


def answer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    samples: Sequence[Sample],
    max_new_tokens: int,
    title: str,
) -> list[str]:
    """Return what the model answers to each sample's conversation without its last turn, decoded greedily.

    Raises:
        Interrupted: a signal came.
    """
    prompts = [render_prompt(tokenizer, sample["messages"][:-1]) for sample in samples]
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    tokenizer.padding_side = "left"
    answers: dict[int, str] = {}
    parked = Parked(model)
    with progress(title, len(prompts), "answers") as advance:
        for start in range(0, len(order), BATCH_ROWS):
            RUN.cross(title, work=Work(None, parked.park, parked.unpark))
            batch = order[start : start + BATCH_ROWS]
            inputs = tokenizer(
                [prompts[index] for index in batch], return_tensors="pt", padding=True, add_special_tokens=False,
                return_token_type_ids=False,
            ).to(model.device)  # fmt: skip
            with torch.inference_mode():
                made = model.generate(**inputs, **_greedy(model, tokenizer, max_new_tokens))
            new = made[:, inputs["input_ids"].shape[1] :]
            answers |= zip(batch, tokenizer.batch_decode(new, skip_special_tokens=True), strict=True)
            advance(len(answers))
    return [answers[index].strip() for index in range(len(prompts))]


def _greedy(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, max_new_tokens: int) -> dict[str, Any]:
    """Return settings for greedy decoding that ends where the model or its tokenizer ends a turn."""
    known = model.generation_config.eos_token_id
    ends = {tokenizer.eos_token_id, *(known if isinstance(known, list) else [known])} - {None}
    return {
        "do_sample": False, "num_beams": 1, "temperature": None, "top_p": None, "top_k": None,
        "repetition_penalty": 1.0, "max_new_tokens": max_new_tokens, "max_length": None,
        "eos_token_id": sorted(ends), "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip


def foresee(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, samples: Sequence[Sample], max_length: int, title: str
) -> list[tuple[float, int]]:
    """Return for each text the mean negative log-likelihood per token, in nats, and the number of tokens.

    Raises:
        Interrupted: a signal came.
    """
    results, parked = [], Parked(model)
    with progress(title, len(samples), "texts") as advance:
        for done, sample in enumerate(samples, 1):
            RUN.cross(title, work=Work(None, parked.park, parked.unpark))
            ids = torch.tensor([render(tokenizer, sample).ids[:max_length]], device=model.device)
            with torch.inference_mode():
                logits = model(ids, use_cache=False).logits[0, :-1].float()
            results.append((F.cross_entropy(logits, ids[0, 1:]).item(), ids.shape[1] - 1))
            advance(done)
    return results
