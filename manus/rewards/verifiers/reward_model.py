"""What a trained reward model says: one number a conversation, of any size. Runs in the trainer's process.

The model is a sequence classifier with one label, its tokenizer beside it; it reads prompt and completion
through its own chat template. A conversation that is too long loses its beginning, never the completion's
end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from manus.data.sample import Message, Sample, prompt_of
from manus.data.tokens.answer_places import written
from manus.errors import ModelError
from manus.models.base import Base, find_base, local_folder
from manus.rewards.context import Context, Lookup
from manus.settings.frozen import Frozen
from manus.settings.words import Count, Text
from manus.store.digests import Digests

VERSION = 1
NEEDS_TRUST = False


class Settings(Frozen):
    """Which model, and how much it reads at once."""

    model: Text = Field(
        description="A hub id[@revision], a folder, or the name of a reward model of this recipe."
    )
    batch_size: Count = Field(8, description="Completions that it reads at once.")
    max_length: Count = Field(2048, description="Longest conversation that it reads, in tokens.")


def can_score(sample: Sample, context: Context) -> bool:
    """Return True: it compares with nothing."""
    return True


def batch_scorer(
    settings: Settings, context: Context
) -> Callable[[Sequence[Sample], Sequence[str]], list[float]]:
    """Load the model on the context's device and return what scores a list of completions with it.

    Raises:
        ModelError: there is no such model, or it gives no single score.
    """
    import torch

    model, tokenizer = _loaded(_folder(settings, context), context.device)
    longest = min(settings.max_length, getattr(model.config, "max_position_embeddings", settings.max_length))

    def score(samples: Sequence[Sample], completions: Sequence[str]) -> list[float]:
        texts = [
            _rendered(tokenizer, sample, said) for sample, said in zip(samples, completions, strict=True)
        ]
        inputs = tokenizer(
            texts,
            return_tensors="pt",
            padding=True,
            truncation=True,
            max_length=longest,
            add_special_tokens=False,
            return_token_type_ids=False,
        )
        with torch.no_grad():
            logits = model(**inputs.to(model.device)).logits
        return [float(score) for score in logits[:, 0].float().cpu()]

    return score


def identity(settings: Settings, context: Context, lookup: Lookup) -> dict[str, Any]:
    """Return the model's content: the key of a recipe's own, else a folder's digest or the hub's commit.

    Raises:
        ModelError: there is no such model.
    """
    content = lookup.made.get(settings.model) or _found(settings.model, context, lookup).digest
    return {"model": content, "max_length": settings.max_length}


def _folder(settings: Settings, context: Context) -> Path:
    if settings.model in context.models:
        return context.models[settings.model]
    return local_folder(_found(settings.model, context, Lookup(Digests())))


def _found(model: str, context: Context, lookup: Lookup) -> Base:
    try:
        found = find_base(model, context.beside, lookup.digests, lookup.pins)
    except ModelError as error:
        raise ModelError(str(error).removeprefix("base_").replace("model", "reward model", 1)) from None
    if found.needs_conversion:
        raise ModelError(f"{model} is a .gguf file; a reward model is a folder of safetensors")
    return found


def _loaded(folder: Path, device: str) -> tuple[Any, Any]:
    from transformers import AutoModelForSequenceClassification

    from manus.models.loaders import load_from
    from manus.models.tokenizer import load_tokenizer

    tokenizer: Any = load_tokenizer(folder)
    tokenizer.padding_side, tokenizer.truncation_side = "right", "left"
    failed = f"cannot load a reward model from {folder}"
    settings = {"use_safetensors": True, "output_loading_info": True}
    model, found = load_from(AutoModelForSequenceClassification, folder, failed, **settings)
    if model.config.num_labels != 1:
        raise ModelError(f"{folder} is no reward model: it has {model.config.num_labels} labels, not one")
    if missing := sorted(found["missing_keys"]):
        raise ModelError(f"{folder} is no reward model: it lacks {', '.join(missing[:3])}")
    # The model finds the last token, which it judges by, as the last one that is no padding.
    model.config.pad_token_id = tokenizer.pad_token_id
    return model.to(device).eval(), tokenizer


def _rendered(tokenizer: Any, sample: Sample, completion: str) -> str:
    said: Message = {"role": "assistant", "content": completion}
    return written(tokenizer, [*prompt_of(sample), said]).text
