"""Draws answers from the model in training, by transformers or by vLLM. Knows nothing of rewards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from manus.errors import InputError
from manus.models.generation.engine import Engine
from manus.models.generation.questions import Question
from manus.models.generation.settings import drawn
from manus.settings.sampling import SamplingSettings


def is_vllm_used(wanted: str) -> bool:
    """Tell whether vLLM generates: if the recipe says so, or by itself if it is installed and there is a GPU.

    Raises:
        InputError: the recipe asks for it and it is not there.
    """
    is_there = find_spec("vllm") is not None and torch.cuda.is_available()
    if wanted == "vllm" and not is_there:
        raise InputError("generation: vllm needs the package vllm and a GPU; use auto or transformers")
    return is_there and wanted != "transformers"


@contextmanager
def caching(model: Any) -> Iterator[None]:
    """Let a model keep what it has read: where activations are computed again, it would not."""
    if not model.is_activation_checkpointing:
        yield
        return
    model.activation_checkpointing_disable()
    try:
        yield
    finally:
        model.activation_checkpointing_enable({"use_reentrant": False})


class Sampler:
    """Draws answers from a model as its weights stand at that moment."""

    def __init__(
        self,
        model: Any,
        tokenizer: PreTrainedTokenizerBase,
        settings: SamplingSettings,
        accelerator: Any,
        rows: int,
    ) -> None:
        """Args: model, tokenizer, how to draw, the Trainer's accelerator, how many prompts come at once."""
        self.model = model
        self.drawing = drawn(model, tokenizer, settings.max_new_tokens, settings.temperature, settings.top_p)
        self.engine = Engine(model, places=rows, pad_token_id=tokenizer.pad_token_id)
        self.vllm = None
        if is_vllm_used(settings.generation):
            from trl.generation.vllm_generation import VLLMGeneration

            self.vllm = VLLMGeneration(
                model,
                accelerator,
                tokenizer,
                mode="colocate",
                gpu_memory_utilization=0.3,
                max_num_seqs=rows,
                temperature=settings.temperature,
                top_p=settings.top_p,
                max_completion_length=settings.max_new_tokens,
                generation_kwargs={"stop_token_ids": list(self.drawing.ends)},
            )

    def draw(self, prompts: Sequence[Sequence[int]]) -> list[list[int]]:
        """Return the tokens of one answer to each prompt, with the turn's end if the answer came to it."""
        if self.vllm is None:
            with caching(self.model):
                return self.engine.answers([Question(prompt, self.drawing) for prompt in prompts])
        self.vllm.sync_weights()
        answers: list[list[int]] = self.vllm.generate([list(prompt) for prompt in prompts], None, 1)[1]
        return answers

    def is_finished(self, answer: Sequence[int]) -> bool:
        """Tell whether an answer came to its end before the limit."""
        return bool(answer) and answer[-1] in self.drawing.ends
