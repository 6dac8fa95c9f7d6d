"""A layer with room holds what one without it holds, also after it was edited from outside."""

from __future__ import annotations

import torch
from transformers import DynamicCache

from manus.models.generation import caches
from manus.models.generation.growing import ROOM, GrowingLayer
from tests.families import small_model
from tests.unit.models.generation.asking import prompts


def states(tokens: int, rows: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(rows, 3, tokens, 4), torch.randn(rows, 3, tokens, 4)


def test_it_holds_what_transformers_own_layer_holds() -> None:
    ours, theirs = DynamicCache(), DynamicCache()
    ours.layers, theirs.layers = (
        [GrowingLayer()],
        [DynamicCache(config=small_model("llama").config).layers[0]],
    )
    for tokens in (5, *[1] * (ROOM + 3), 7):
        keys, values = states(tokens)
        for mine, expected in zip(ours.update(keys, values, 0), theirs.update(keys, values, 0), strict=True):
            assert torch.equal(mine, expected)
    for cache in (ours, theirs):
        caches.drop_columns(cache, cache.get_seq_length(), 2)
        caches.select(cache, [1, 0, 1])
    keys, values = states(1, rows=3)
    for mine, expected in zip(ours.update(keys, values, 0), theirs.update(keys, values, 0), strict=True):
        assert torch.equal(mine, expected)


def test_one_more_token_is_written_and_nothing_is_copied() -> None:
    layer = GrowingLayer()
    layer.update(*states(5))
    place = layer.keys.data_ptr()
    for _ in range(ROOM):
        layer.update(*states(1))
        assert layer.keys.data_ptr() == place
    layer.update(*states(1))
    assert layer.keys.data_ptr() != place and layer.get_seq_length() == 5 + ROOM + 1


def test_what_was_handed_out_is_not_written_over() -> None:
    layer = GrowingLayer()
    layer.update(*states(5))
    short = layer.keys[:, :, :3]  # cut from outside: what follows it is still another's
    whole, before = layer.keys, layer.keys.clone()
    layer.keys, layer.values = short, layer.values[:, :, :3]
    layer.update(*states(1))
    assert torch.equal(whole, before)


def test_only_layers_of_all_tokens_are_replaced() -> None:
    kinds = {type(layer).__name__ for layer in caches.empty(small_model("gemma3_text")).layers}
    assert kinds == {"GrowingLayer", "DynamicSlidingWindowLayer"}
    model = small_model("llama")
    cache = caches.empty(model)
    with torch.no_grad():
        model(torch.tensor(prompts(6)), past_key_values=cache)
    assert cache.layers[0].rooms
    cache.layers[0].offload()
    assert not cache.layers[0].rooms and cache.get_seq_length() == 6
