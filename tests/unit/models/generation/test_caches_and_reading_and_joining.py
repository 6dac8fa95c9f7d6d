"""Rows of caches: read once if alike, edited with the same computed, refused where they cannot be."""

from __future__ import annotations

import pytest
import torch
from transformers import DynamicCache

from manus.models.generation import caches
from manus.models.generation.joining import may_join
from manus.models.generation.reading import Reader, common_beginning
from tests.families import small_model
from tests.unit.models.generation.asking import prompts, question

SHARED = tuple(prompts(20, seed=3)[0])
ENDINGS = [tuple(more) for more in prompts(3, 9, 9, seed=5)]


def tokens_read(model: torch.nn.Module) -> list[tuple[int, ...]]:
    """Return a list that gets the shape of all tokens that the model reads from now on."""
    seen: list[tuple[int, ...]] = []
    embedding = model.get_input_embeddings()
    embedding.register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape)))
    return seen


def test_prompts_alike_are_read_once_and_a_beginning_too() -> None:
    model = small_model("llama")
    seen, reader = tokens_read(model), Reader(model, 0)
    asked = [SHARED + ENDINGS[0], SHARED + ENDINGS[1], SHARED + ENDINGS[0]]
    with torch.no_grad():
        ((numbers, rows, logits),) = reader.read(asked, [SHARED + ENDINGS[2]])
        assert seen == [(1, 20), (2, 9)] and sorted(numbers) == [0, 1, 2]
        for row, number in enumerate(numbers):
            ids = torch.tensor([asked[number]])
            assert torch.allclose(logits[row], model(ids).logits[0, -1], atol=1e-5)
            assert rows.columns - rows.padding[row] == len(asked[number])
        del seen[:]
        reader.read([SHARED + ENDINGS[2]])
        assert seen == [(1, 9)]  # the beginning was kept
        reader.forget()
        reader.read([SHARED + ENDINGS[2]])
        assert seen == [(1, 9), (1, 29)]


@pytest.mark.parametrize("family", ["mamba", "falcon_h1"])
def test_states_are_neither_padded_nor_cut(family: str) -> None:
    model = small_model(family)
    seen = tokens_read(model)
    with torch.no_grad():
        Reader(model, 0).read(
            [SHARED + ENDINGS[0], SHARED + ENDINGS[1], SHARED + ENDINGS[2], SHARED + ENDINGS[1]]
        )
    assert seen == [(2, 29), (1, 23)]


def test_short_prompts_are_not_padded_to_long_ones() -> None:
    model = small_model("llama")
    seen = tokens_read(model)
    with torch.no_grad():
        Reader(model, 0).read([tuple(ids) for ids in prompts(30, 4, 20, 3)])
    assert seen == [(2, 30), (2, 4)]


def test_a_beginning_leaves_something_to_read() -> None:
    assert common_beginning([(1, 2, 3), (1, 2, 4)]) == (1, 2)
    assert common_beginning([(1, 2), (1, 2, 4)]) == (1,)
    assert common_beginning([(1, 2), (3,)]) == ()


def test_caches_say_what_they_hold() -> None:
    plain, windowed, state = (
        DynamicCache(config=small_model(family).config) for family in ("llama", "gemma3_text", "mamba")
    )
    assert all(caches.is_known(cache) for cache in (plain, windowed, state))
    assert not caches.is_known(DynamicCache(config=small_model("glm_moe_dsa").config))
    assert [caches.has_states(cache) for cache in (plain, windowed, state)] == [False, False, True]
    assert caches.window(plain) is None and caches.window(windowed)
    model = small_model("llama")
    with torch.no_grad():
        model(torch.tensor(prompts(6, 6)), past_key_values=plain)
    assert caches.fits(plain, 2, 6)
    assert not caches.fits(plain, 2, 5) and not caches.fits(plain, 1, 6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_family_that_computes_otherwise_beside_others_is_refused(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype
) -> None:
    ids = prompts(6)[0]
    assert may_join(small_model("llama", initializer_range=0.2).to(dtype), question(ids))
    model = small_model("llama", initializer_range=0.2).to(dtype)
    monkeypatch.setattr(model, "_prepare_position_ids_for_generation", lambda ids, _: torch.zeros_like(ids))
    real = model.model.forward
    monkeypatch.setattr(
        model.model, "forward", lambda *args, **given: real(*args, **{**given, "position_ids": None})
    )
    assert not may_join(model, question(ids))  # it counts columns: padding shifts its positions


def test_positions_that_stretch_with_the_longest_row_are_kept_apart() -> None:
    rope = {
        "rope_type": "dynamic",
        "rope_theta": 10000.0,
        "factor": 2.0,
        "original_max_position_embeddings": 32,
    }
    model = small_model("llama", rope_parameters=rope)
    assert may_join(model, question(prompts(20)[0], 12))
    assert not may_join(model, question(prompts(20)[0], 13))


def test_the_mode_of_each_module_is_as_before() -> None:
    model = small_model("gpt2").train()
    model.transformer.h[0].eval()
    assert may_join(model, question(prompts(6)[0]))
    assert model.training and not model.transformer.h[0].training and model.transformer.h[1].training
