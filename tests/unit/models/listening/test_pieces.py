"""Sound in pieces is the sound."""

from __future__ import annotations

import numpy as np
import pytest

from manus.models.listening.pieces import Pieces
from tests.unit.models.omni.small import sound


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100, 8_000])
@pytest.mark.parametrize("step", [1, 777, 100_000])
def test_all_of_it_comes_in_order_whatever_the_rate_and_however_it_is_cut(rate: int, step: int) -> None:
    waves = sound(1, 0.02 if step == 1 else 1.3)

    def heard(step: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        pieces = Pieces(100)
        whole = [one for at in range(0, len(waves), step) for one in pieces.add(waves[at : at + step], rate)]
        return whole, list(pieces.end())

    whole, rest = heard(step)
    assert {len(one) for one in whole} <= {100}
    assert all(len(one) == 100 for one in rest[:-1])
    found = np.concatenate([*whole, *rest])
    assert abs(len(found) - len(waves) * 16_000 / rate) <= 2
    assert np.array_equal(found, np.concatenate([*heard(len(waves))[0], *heard(len(waves))[1]]))


def test_a_change_of_rate_goes_on() -> None:
    pieces = Pieces(100)
    found = list(pieces.add(sound(1, 0.1), 24_000)) + list(pieces.add(sound(2, 0.1), 16_000))
    total = sum(map(len, found)) + sum(map(len, pieces.end()))
    assert abs(total - (0.1 * 16_000 * 16_000 / 24_000 + 1600)) <= 2
    assert list(pieces.end()) == []
