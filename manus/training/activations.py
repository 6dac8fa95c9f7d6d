"""Decides whether activations are kept for the backward pass or computed twice. Knows nothing of how.

What is counted is what transformers' layers keep for autograd: per token and layer, the inputs of the linear
maps, of the norms and of the activation function. It is an estimate, for families like Llama; the margin is
for the others.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from manus.estimate.memory import ADAM_BYTES, free_bytes, kept_bytes, must_checkpoint
from manus.guards import ranks
from manus.models.json_files import read_object
from manus.training.settings import result

if TYPE_CHECKING:
    from manus.models.loading.precision import Precision
    from manus.training.stage_job import StageJob


def tokens_at_once(job: StageJob) -> int:
    """Return how many tokens a forward pass has at most, by what the preparation of the data found.

    Of pairs, both answers and one prompt; of what the model answers itself, prompt and answer.
    """
    longest = job.max_length
    known = job.data / "statistics.json"
    if known.exists() and not getattr(job.settings, "packing", False):
        found = json.loads(known.read_text(encoding="utf-8")).get("tokens_per_sample", {})
        longest = int(found.get("100", longest))
    return int(job.settings.batch_size) * (longest + int(getattr(job.settings, "max_new_tokens", 0)))


def checkpointing(job: StageJob, precision: Precision, by_parts: bool) -> bool:
    """Return what the stage's settings say, or, if they leave it open, what memory asks for, and say so.

    To be called when the weights are in memory. All ranks follow the one with the least room.
    """
    wanted: bool | str = job.settings.gradient_checkpointing
    if wanted != "auto":
        return bool(wanted)
    from manus.models.detection.safetensors_header import count_parameters

    config = read_object(job.base / "config.json")
    needed = kept_bytes(config, tokens_at_once(job), 4 if precision == "fp32" else 2, by_parts)
    if result(job.settings) == "model":
        needed += ADAM_BYTES * (count_parameters(job.base) or 0)
    free = free_bytes()
    decision = ranks.summed([must_checkpoint(needed, free)])[0] > 0
    ranks.say(
        f"gradient checkpointing {'on' if decision else 'off'}: "
        f"training may take {needed / 1e9:.1f} GB beside the weights, {free / 1e9:.1f} GB are free"
    )
    return decision
