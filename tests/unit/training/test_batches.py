"""Rows hold every sample once and lose no token."""

from __future__ import annotations

import random

import pytest
import torch

from manus.training.batches import IGNORED, FlatCollator, PaddedCollator, packed


@pytest.mark.parametrize("seed", range(5))
def test_packing_keeps_every_sample_once_and_wastes_little(seed: int) -> None:
    draw = random.Random(seed)
    lengths = [draw.randint(1, 100) for _ in range(500)]
    rows = packed(lengths, 100)
    assert sorted(index for row in rows for index in row) == list(range(500))
    assert all(sum(lengths[index] for index in row) <= 100 for row in rows)
    assert sum(lengths) / (100 * len(rows)) > 0.95


def test_packing_does_not_depend_on_anything_but_lengths() -> None:
    assert packed([5, 5, 3], 8) == packed([5, 5, 3], 8) == [[0, 2], [1]]
    assert packed([], 8) == []


def segment(*ids: int) -> tuple[torch.Tensor, torch.Tensor]:
    tensor = torch.tensor(ids)
    labels = tensor.clone()
    labels[0] = IGNORED
    return tensor, labels


def test_flat_rows_have_no_padding_and_restart_positions() -> None:
    batch = FlatCollator()([[segment(1, 2, 3)], [segment(4, 5), segment(6)]])
    assert batch["input_ids"].tolist() == [[1, 2, 3, 4, 5, 6]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 1, 0]]
    assert batch["cu_seq_lens_q"].tolist() == [0, 3, 5, 6]
    assert batch["labels"].tolist() == [[IGNORED, 2, 3, IGNORED, 5, IGNORED]]


def test_padded_rows_are_masked_on_the_right() -> None:
    batch = PaddedCollator(9)([[segment(1, 2, 3)], [segment(4)]])
    assert batch["input_ids"].tolist() == [[1, 2, 3], [4, 9, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["labels"].tolist() == [[IGNORED, 2, 3], [IGNORED] * 3]
