"""Finds each medium's own caption among others by how likely a model thinks them. Knows no processors.

A medium is read once: its key-value cache is repeated for all captions, which go through the model as one
batch. Shapes: C captions, T their tokens, V vocabulary.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from manus.capabilities import Capability
from manus.data.sample import Sample
from manus.evaluation.intervals import wilson
from manus.guards.memory import Parked
from manus.guards.progress import progress
from manus.guards.run import RUN, Work

if TYPE_CHECKING:
    from transformers import PreTrainedModel

DEFAULT_CANDIDATES = 8
Prompted = Callable[[Sample], Mapping[str, torch.Tensor]]
Tokenised = Callable[[str], list[int]]


def candidates(samples: Sequence[Sample], count: int = DEFAULT_CANDIDATES, seed: int = 0) -> list[list[int]]:
    """Return for each sample the samples whose captions are compared: itself first, then others of its kind.

    The others have the same kind of medium and all have other captions; there are fewer than `count` where
    the samples do not have that many.
    """
    by_kind: dict[str, dict[str, int]] = defaultdict(dict)
    for index, sample in enumerate(samples):
        by_kind[_kind(sample)].setdefault(sample["answer"], index)
    chosen = []
    for index, sample in enumerate(samples):
        others = [other for text, other in by_kind[_kind(sample)].items() if text != sample["answer"]]
        draw = random.Random(f"retrieval:{seed}:{index}")
        chosen.append([index, *draw.sample(others, min(count - 1, len(others)))])
    return chosen


def is_retrieval(capability: Capability) -> bool:
    """Tell whether a capability's probe finds captions instead of answering."""
    return capability.PROBE == "retrieval"


def can_tell_apart(samples: Sequence[Sample]) -> bool:
    """Tell whether some medium's caption can be found: two of a kind with different captions are needed."""
    return any(len(found) > 1 for found in candidates(samples))


def retrieve(
    model: PreTrainedModel,
    prompted: Prompted,
    tokenised: Tokenised,
    samples: Sequence[Sample],
    title: str,
    count: int = DEFAULT_CANDIDATES,
    seed: int = 0,
) -> dict[str, Any]:
    """Return how often a medium's own caption is the likeliest per token, in the form of a probe's result.

    Args:
        prompted: makes the inputs of `model.forward` from one sample up to where its caption begins, a batch
            of one.
        tokenised: makes the tokens of a caption, with what ends it.
        samples: each with one medium, and its caption as `answer`.
        count: how many captions are compared, the own one among them.

    Returns:
        `value`, `low`, `high`, `values` (one a sample), `said` and `levels` (by kind of medium) as probes
        have them; `chance`; `nats`, the mean nats per token of the own caption.

    Raises:
        ValueError: there are no two captions to tell apart.
        Interrupted: a signal came.
    """
    compared = candidates(samples, count, seed)
    if all(len(found) == 1 for found in compared):
        raise ValueError("retrieval needs two media of a kind with different captions")
    model.eval()
    parked, rows = Parked(model), []
    with progress(title, len(samples), "media") as advance:
        for sample, found in zip(samples, compared, strict=True):
            RUN.cross(title, work=Work(None, parked.park, parked.unpark))
            captions = [samples[other]["answer"] for other in found]
            nats = likelihoods(model, prompted(sample), [tokenised(text) for text in captions])
            rows.append((_kind(sample), captions, nats))
            advance(len(rows))
    return _result(rows)


def likelihoods(
    model: PreTrainedModel, inputs: Mapping[str, torch.Tensor], texts: Sequence[list[int]]
) -> list[float]:
    """Return the mean nats per token of texts that may follow the same inputs; less is likelier.

    Args:
        inputs: of `model.forward`, a batch of one without padding.
        texts: tokens, each at least one.
    """
    device = inputs["input_ids"].device
    lengths = torch.tensor([len(text) for text in texts], device=device)
    padded = [text + [text[-1]] * (int(lengths.max()) - len(text)) for text in texts]
    tokens_CT = torch.tensor(padded, device=device)
    is_text_CT = torch.arange(tokens_CT.shape[1], device=device) < lengths[:, None]
    with torch.inference_mode():
        read = model(**inputs, use_cache=True)
        logits_CTV = read.logits[:, -1:].float().expand(len(texts), -1, -1)
        if tokens_CT.shape[1] > 1:
            cache = read.past_key_values
            cache.batch_repeat_interleave(len(texts))
            seen_CP = torch.ones(len(texts), inputs["input_ids"].shape[1], dtype=torch.long, device=device)
            mask = torch.cat([seen_CP, is_text_CT[:, :-1].long()], dim=1)
            more = model(
                input_ids=tokens_CT[:, :-1], attention_mask=mask, past_key_values=cache, use_cache=True
            )
            logits_CTV = torch.cat([logits_CTV, more.logits.float()], dim=1)
        nats_CT = F.cross_entropy(logits_CTV.flatten(0, 1), tokens_CT.flatten(), reduction="none").view_as(
            tokens_CT
        )
    mean: list[float] = ((nats_CT * is_text_CT).sum(1) / lengths).tolist()
    return mean


def _kind(sample: Sample) -> str:
    return sample["media"][0]["kind"]


def _result(rows: Sequence[tuple[str, list[str], list[float]]]) -> dict[str, Any]:
    # A tie is no find, nor is a caption without others: a model that tells nothing apart is right about
    # nothing.
    values = [float(nats[0] < min(nats[1:], default=-math.inf)) for _, _, nats in rows]
    low, high = wilson(int(sum(values)), len(values))
    levels: dict[str, list[float]] = defaultdict(list)
    for (kind, _, _), value in zip(rows, values, strict=True):
        levels[kind].append(value)
    return {
        "value": fmean(values),
        "low": low,
        "high": high,
        "chance": fmean(1 / len(nats) if len(nats) > 1 else 0.0 for _, _, nats in rows),
        "nats": fmean(nats[0] for _, _, nats in rows),
        "parts": {},
        "levels": {
            kind: {"value": fmean(found), "samples": len(found)} for kind, found in sorted(levels.items())
        },
        "values": values,
        "said": [_said(captions, nats) for _, captions, nats in rows],
    }


def _said(captions: Sequence[str], nats: Sequence[float]) -> dict[str, str]:
    likeliest = min(range(len(nats)), key=nats.__getitem__)
    rank = sum(other < nats[0] for other in nats) + 1
    return {
        "text": captions[likeliest],
        "note": f"own caption {nats[0]:.2f} nats per token, rank {rank} of {len(nats)}",
    }
