"""Rows hold every sample once and lose no token."""

from __future__ import annotations

import pytest
import torch

from manus.training.batches.text import FlatCollator, PaddedCollator, real_tokens, shared_beginning
from manus.training.labels import IGNORED


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


def answered(ids: list[int], learned: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A sample whose last tokens are learned."""
    tensor = torch.tensor(ids)
    labels = torch.full_like(tensor, IGNORED)
    if learned:
        labels[-learned:] = tensor[-learned:]
    return tensor, labels


def test_a_beginning_that_all_samples_share_is_in_the_row_once() -> None:
    rows = [
        [answered([7, 8, 9, 1, 2, 3], 2), answered([7, 8, 9, 4, 5], 1)],
        [answered([7, 8, 9, 6, 6, 6], 2)],
    ]
    batch = FlatCollator(is_sharing=True)(rows)
    assert batch["input_ids"].tolist() == [[7, 8, 9, 1, 2, 3, 4, 5, 6, 6, 6]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 3, 4, 5, 3, 4, 3, 4, 5]]
    assert batch["labels"].tolist() == [[IGNORED] * 4 + [2, 3] + [IGNORED, 5] + [IGNORED, 6, 6]]
    assert batch["cu_seq_lens_q"].tolist() == [0, 3, 6, 8, 11]
    assert batch["cu_seq_lens_k"].tolist() == [0, 3, 9, 14, 20]
    assert real_tokens(batch) == 17 == real_tokens(FlatCollator()(rows))
    assert real_tokens(PaddedCollator(0)(rows)) == 17


def test_a_shared_beginning_ends_before_the_first_medium() -> None:
    samples = [answered([7, 8, 50, 50, 1, 2], 1), answered([7, 8, 50, 50, 1, 3], 1)]
    assert shared_beginning(samples) == 4
    assert shared_beginning(samples, placeholders=(50, 51)) == 2
    assert shared_beginning([answered([50, 1, 2], 1), answered([50, 1, 3], 1)], placeholders=(50,)) == 0


def test_a_shared_beginning_ends_before_what_leads_to_a_learned_token() -> None:
    assert shared_beginning([answered([7, 8, 9, 1], 1), answered([7, 8, 9, 2], 2)]) == 1
    assert (
        shared_beginning([answered([7, 8, 9], 0), answered([7, 8, 9], 0)]) == 2
    )  # each keeps a token of its own


@pytest.mark.parametrize(
    "samples",
    [
        [answered([7, 8, 9, 1], 1)],  # nobody to share with
        [answered([7, 8, 9, 1], 3), answered([7, 8, 9, 2], 3)],  # all is learned, as in running text
        [answered([7, 8, 9, 1], 1), answered([6, 8, 9, 1], 1)],
        [answered([7, *range(50)], 1), answered([7, *range(1, 51)], 1)],  # too little to be worth it
    ],
)
def test_what_is_not_shared_or_not_worth_it_stays_with_each_sample(
    samples: list[tuple[torch.Tensor, torch.Tensor]],
) -> None:
    assert shared_beginning(samples) == 0
    assert (
        FlatCollator(is_sharing=True)([samples])["input_ids"].tolist()
        == FlatCollator()([samples])["input_ids"].tolist()
    )
