"""A warmup never takes all steps: the first has a learning rate of 0, and something must be learned."""

from __future__ import annotations

import math

import pytest
from transformers import TrainingArguments

from manus.training.job import warmup_of


@pytest.mark.parametrize(
    ("total", "share", "steps"), [(1, 0.03, 0), (1, 0.0, 0), (2, 0.03, 1), (2, 0.9, 1), (3, 0.99, 2)]
)
def test_there_is_a_step_to_learn_in(total: int, share: float, steps: int) -> None:
    taken = TrainingArguments(output_dir="unused", use_cpu=True, warmup_steps=warmup_of(total, share))
    assert taken.get_warmup_steps(total) == steps < total


def test_where_there_are_more_steps_the_share_is_as_it_was() -> None:
    for total in range(2, 200):
        for share in (0.0, 0.03, 0.1, 0.5):
            if math.ceil(total * share) < total:
                assert warmup_of(total, share) == share
