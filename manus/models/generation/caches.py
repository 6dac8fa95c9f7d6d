"""Edits what a model keeps of tokens that it has read: rows leave, rows enter, columns nobody needs go.

Knows the layers of transformers' DynamicCache whose rows stand apart. Tokens end at the right, padding is at
the left.
"""

# Shapes: B rows, H heads, T columns, D head size. Layers with a window hold the last of T columns.

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import (
    DummyLayer,
    DynamicLayer,
    DynamicSlidingWindowLayer,
    LinearAttentionAndFullAttentionLayer,
    LinearAttentionAndSlidingWindowAttentionLayer,
    LinearAttentionLayer,
)

from manus.models.generation.growing import GrowingLayer

KNOWN = (
    DummyLayer,
    DynamicLayer,
    GrowingLayer,
    DynamicSlidingWindowLayer,
    LinearAttentionAndFullAttentionLayer,
    LinearAttentionAndSlidingWindowAttentionLayer,
    LinearAttentionLayer,
)


def empty(model: PreTrainedModel) -> DynamicCache:
    """Return a cache in which nothing has been read, as a model's configuration wants it."""
    cache = DynamicCache(config=model.config.get_text_config(decoder=True))
    cache.layers = [GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def is_known(cache: DynamicCache) -> bool:
    """Tell whether all layers are of a kind that can be edited."""
    return all(type(layer) in KNOWN for layer in cache.layers)


def has_states(cache: DynamicCache) -> bool:
    """Tell whether a layer keeps a state, not tokens: padding would go into it, and it cannot be cut."""
    return any(isinstance(layer, LinearAttentionLayer) for layer in cache.layers)


def window(cache: DynamicCache) -> int | None:
    """Return how many tokens the shortest window has, None where all layers keep all tokens."""
    return min((layer.sliding_window for layer in cache.layers if layer_has_window(layer)), default=None)


def layer_has_window(layer: Any) -> bool:
    """Tell whether a layer keeps only the last tokens."""
    return isinstance(layer, DynamicSlidingWindowLayer)


def fits(cache: DynamicCache, rows: int, columns: int) -> bool:
    """Tell whether each filled layer holds these rows and columns, as layers of others' keys do not."""
    return all(
        layer.keys.dim() == layer.values.dim() == 4
        and layer.keys.shape[0] == layer.values.shape[0] == rows
        and layer.keys.shape[2] == layer.values.shape[2] == _columns(layer, columns)
        for layer in cache.layers
        if isinstance(layer, DynamicLayer) and layer.is_initialized
    )


def select(cache: DynamicCache, rows: Sequence[int]) -> None:
    """Keep these rows, in this order; one may be named several times."""
    cache.reorder_cache(torch.tensor(list(rows)))


def drop_columns(cache: DynamicCache, columns: int, first: int) -> None:
    """Drop the first of all columns, which are padding in every row."""
    for layer in _filled(cache):
        kept = _columns(layer, columns - first)
        layer.keys, layer.values = layer.keys[:, :, -kept:], layer.values[:, :, -kept:]
        _count(layer, columns - first)


def cut_back(cache: DynamicCache, columns: int, wanted: int) -> bool:
    """Forget all but the first columns; return whether that could be: not behind a window or a state.

    Args:
        cache: without padding.
        columns: how many it holds.
        wanted: how many stay.
    """
    if wanted == columns:
        return True
    reach = window(cache)
    if has_states(cache) or (reach is not None and columns >= reach):
        return False
    cache.crop(wanted - columns)
    return True


def pad_columns(cache: DynamicCache, columns: int, wanted: int) -> None:
    """Put padding before all columns, so that there are as many as wanted."""
    for layer in _filled(cache):
        more = _columns(layer, wanted) - _columns(layer, columns)
        layer.keys, layer.values = (F.pad(tensor, (0, 0, more, 0)) for tensor in (layer.keys, layer.values))
        _count(layer, wanted)


def order_columns(cache: DynamicCache, order_BT: Tensor) -> None:
    """Put the columns of each row into an order of its own; no layer may have begun to forget tokens."""
    for layer in _filled(cache):
        for name in ("keys", "values"):
            tensor_BHTD = getattr(layer, name)
            places = order_BT[:, None, :, None].expand(-1, tensor_BHTD.shape[1], -1, tensor_BHTD.shape[3])
            setattr(layer, name, tensor_BHTD.gather(2, places))


def append_rows(cache: DynamicCache, more: DynamicCache) -> None:
    """Put the rows of another cache of as many columns behind those of the first."""
    for layer, other in zip(cache.layers, more.layers, strict=True):
        if isinstance(layer, DynamicLayer) and layer.is_initialized:
            layer.keys, layer.values = (
                torch.cat([layer.keys, other.keys]),
                torch.cat([layer.values, other.values]),
            )
        if isinstance(layer, LinearAttentionLayer):
            for mine, theirs in (
                (layer.conv_states, other.conv_states),
                (layer.recurrent_states, other.recurrent_states),
            ):
                for index, state in mine.items():
                    if state is not None:
                        mine[index] = torch.cat([state, theirs[index]])


def _filled(cache: DynamicCache) -> list[Any]:
    return [layer for layer in cache.layers if isinstance(layer, DynamicLayer) and layer.is_initialized]


def _columns(layer: Any, columns: int) -> int:
    """Return how many of all columns a layer holds."""
    return min(columns, layer.sliding_window - 1) if layer_has_window(layer) else columns


def _count(layer: Any, columns: int) -> None:
    if layer_has_window(layer):
        layer.cumulative_length = columns
