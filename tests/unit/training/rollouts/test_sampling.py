"""Answers are drawn in batches, with a cache, up to the end of the turn; vLLM draws them where it can."""

from __future__ import annotations

import importlib.machinery
import inspect
from pathlib import Path
from typing import Any

import pytest
import torch

from manus.data.tokens.rendering import render_prompt
from manus.errors import InputError
from manus.models.generation.settings import ends_of_turn
from manus.models.loading.composition import load_model
from manus.models.tokenizer import load_tokenizer
from manus.settings.sampling import SamplingSettings
from manus.training.rollouts import sampling
from manus.training.rollouts.sampling import Sampler, is_vllm_used

ASKED = ["last of 3 8 5", "last of 1 2", "4", "last of 9 9 9 and then some more of it"]


def prompts(tokenizer: Any) -> list[list[int]]:
    texts = [render_prompt(tokenizer, [{"role": "user", "content": text}]) for text in ASKED]
    found: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return found


LIKELIEST = SamplingSettings(max_new_tokens=14, temperature=1e-6)


def test_a_batch_says_what_each_prompt_gets_alone_and_without_a_cache(pico_base: Path) -> None:
    model, tokenizer = load_model(pico_base, torch.float32).eval(), load_tokenizer(pico_base)
    sampler, rows = Sampler(model, tokenizer, LIKELIEST, None, 3), prompts(tokenizer)
    together = sampler.draw(rows)
    ends = set(ends_of_turn(model, tokenizer))
    for row, answer in zip(rows, together, strict=True):
        assert sampler.draw([row]) == [answer]
        ids = list(row)
        with torch.no_grad():
            for token in answer:
                assert model(torch.tensor([ids]), use_cache=False).logits[0, -1].argmax().item() == token
                ids.append(token)
        assert not ends & set(answer[:-1]), "nothing is kept behind the end of the turn"
    assert together[0][-1] in ends and "\\boxed{5}" in tokenizer.decode(together[0])


def test_checkpointing_is_off_while_answering_and_on_again_afterwards(pico_base: Path) -> None:
    model, tokenizer = load_model(pico_base, torch.float32).train(), load_tokenizer(pico_base)
    sampler = Sampler(model, tokenizer, LIKELIEST, None, 4)
    calm = sampler.draw(prompts(tokenizer))
    model.gradient_checkpointing_enable({"use_reentrant": False})
    assert sampler.draw(prompts(tokenizer)) == calm
    assert model.is_activation_checkpointing


@pytest.fixture
def with_vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with a GPU and vLLM, as far as can be asked."""
    found = importlib.machinery.ModuleSpec("vllm", None)
    monkeypatch.setattr(sampling, "find_spec", lambda name: found if name == "vllm" else None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


def test_vllm_is_taken_where_it_is_and_refused_where_it_is_not(request: pytest.FixtureRequest) -> None:
    assert [is_vllm_used(wanted) for wanted in ("auto", "transformers")] == [False, False]
    with pytest.raises(InputError, match="generation: vllm needs the package vllm and a GPU"):
        is_vllm_used("vllm")
    request.getfixturevalue("with_vllm")
    assert [is_vllm_used(wanted) for wanted in ("auto", "transformers", "vllm")] == [True, False, True]


@pytest.mark.usefixtures("with_vllm")
def test_vllm_gets_the_weights_of_the_moment_and_is_called_as_trl_declares_it(
    pico_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trl.generation import vllm_generation

    real, called = vllm_generation.VLLMGeneration, []

    class Recorded:
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            inspect.signature(real.__init__).bind(self, *args, **kwargs)

        def sync_weights(self) -> None:
            called.append("sync")

        def generate(self, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
            inspect.signature(real.generate).bind(self, *args, **kwargs)
            called.append("generate")
            return [], [[5, 2]], None, None

    monkeypatch.setattr(vllm_generation, "VLLMGeneration", Recorded)
    model, tokenizer = load_model(pico_base, torch.float32), load_tokenizer(pico_base)
    sampler = Sampler(model, tokenizer, SamplingSettings(max_new_tokens=8), None, 4)
    assert sampler.draw([[1, 2, 3]]) == [[5, 2]] and called == ["sync", "generate"]
    assert sampler.is_finished([5, tokenizer.eos_token_id]) and not sampler.is_finished([5])
