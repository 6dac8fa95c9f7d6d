"""The equations of PPO against slow references, written from the papers one number at a time."""

from __future__ import annotations

import math
import random

import pytest
import torch

from manus.training.trainers.policy_gradient import (
    adapted_coefficient,
    advantages,
    explained_variance,
    losses,
    token_rewards,
    whitened,
)


def rows(seed: int, count: int = 4, longest: int = 7) -> tuple[list[list[float]], ...]:
    """Return random rewards and values of answers of several lengths."""
    draw = random.Random(seed)
    lengths = [draw.randint(1, longest) for _ in range(count - 1)] + [longest]
    return tuple([[draw.gauss(0, 1) for _ in range(n)] for n in lengths] for _ in range(2))


def padded(values: list[list[float]], filler: float = 99.0) -> torch.Tensor:
    longest = max(map(len, values))
    return torch.tensor([row + [filler] * (longest - len(row)) for row in values], dtype=torch.float64)


def mask_of(values: list[list[float]]) -> torch.Tensor:
    return padded([[1.0] * len(row) for row in values], 0.0)


def slow_advantages(rewards: list[float], values: list[float], gamma: float, lam: float) -> list[float]:
    """GAE as a sum: A_t = sum over l of (gamma lam)^l delta_t+l."""
    deltas = [
        rewards[t] + gamma * (values[t + 1] if t + 1 < len(values) else 0.0) - values[t]
        for t in range(len(rewards))
    ]
    return [
        sum((gamma * lam) ** more * deltas[t + more] for more in range(len(deltas) - t))
        for t in range(len(deltas))
    ]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("gamma", "lam"), [(1.0, 0.95), (0.9, 1.0), (0.99, 0.0), (1.0, 1.0)])
def test_advantages_are_the_sum_of_the_paper(seed: int, gamma: float, lam: float) -> None:
    rewards, values = rows(seed)
    mask = mask_of(rewards)
    found, returns = advantages(padded(rewards) * mask, padded(values), mask, gamma, lam)
    for index, (row_rewards, row_values) in enumerate(zip(rewards, values, strict=True)):
        expected = slow_advantages(row_rewards, row_values, gamma, lam)
        assert found[index, : len(expected)].tolist() == pytest.approx(expected)
        assert returns[index, : len(expected)].tolist() == pytest.approx(
            [a + v for a, v in zip(expected, row_values, strict=True)]
        )
        assert not found[index, len(expected) :].any() and not returns[index, len(expected) :].any()


def test_with_lambda_1_the_advantage_is_what_followed_less_what_was_foreseen() -> None:
    rewards, values = torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([[0.5, 0.2, 0.1]])
    found, returns = advantages(rewards, values, torch.ones(1, 3), 1.0, 1.0)
    assert found[0].tolist() == pytest.approx([0.5, 0.8, 0.9])
    assert returns[0].tolist() == pytest.approx([1.0, 1.0, 1.0])


def test_the_score_comes_at_the_last_token_and_the_penalty_at_each() -> None:
    mask = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    log_ratio = torch.tensor([[0.1, -0.2, 5.0], [0.0, 0.3, 0.1]])
    found = token_rewards(torch.tensor([2.0, -1.0]), log_ratio * mask, mask, 0.5)
    assert found.flatten().tolist() == pytest.approx([-0.05, 2.1, 0.0, 0.0, -0.15, -1.05])


def slow_losses(terms: list[tuple[float, ...]], clip: float, clip_value: float) -> tuple[float, float]:
    policy, value = [], []
    for logp, old, advantage, v, v_old, target in terms:
        ratio = math.exp(logp - old)
        policy.append(max(-advantage * ratio, -advantage * min(max(ratio, 1 - clip), 1 + clip)))
        near = min(max(v, v_old - clip_value), v_old + clip_value)
        value.append(0.5 * max((v - target) ** 2, (near - target) ** 2))
    return sum(policy) / len(policy), sum(value) / len(value)


@pytest.mark.parametrize("seed", range(5))
def test_losses_are_clipped_as_the_paper_says_and_padding_counts_for_nothing(seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    logp, old, advantage, v, v_old, target = (torch.randn(3, 5, generator=draw).double() for _ in range(6))
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]]).double()
    found = losses(logp, old, advantage, v, v_old, target, mask, 0.2, 0.3)
    places = mask.bool()
    terms = list(zip(*(t[places].tolist() for t in (logp, old, advantage, v, v_old, target)), strict=True))
    policy, value = slow_losses(terms, 0.2, 0.3)
    assert found.policy.item() == pytest.approx(policy)
    assert found.value.item() == pytest.approx(value)
    assert 0 < found.policy_clipped.item() < 1


def test_a_policy_beyond_the_clip_gets_no_gradient() -> None:
    logp = torch.tensor([[math.log(1.5), math.log(1.1)]], requires_grad=True)
    zero, one = torch.zeros(1, 2), torch.ones(1, 2)
    losses(logp, zero, one, zero, zero, zero, one, 0.2, 0.2).policy.backward()
    assert logp.grad is not None
    assert logp.grad[0, 0] == 0 and logp.grad[0, 1] < 0


def test_whitening_sees_only_the_masked_places() -> None:
    values, mask = (
        torch.tensor([[1.0, 2.0, 500.0], [3.0, 500.0, 500.0]]),
        torch.tensor([[1.0, 1, 0], [1, 0, 0]]),
    )
    found = whitened(values, mask)
    deviation = math.sqrt(2 / 3)
    assert found[mask.bool()].tolist() == pytest.approx([-1 / deviation, 0.0, 1 / deviation])
    assert not found[~mask.bool()].any()


def test_the_coefficient_moves_towards_its_target_and_never_fast() -> None:
    assert adapted_coefficient(0.1, kl=6.0, target=6.0, answers=64, horizon=1000) == 0.1
    assert adapted_coefficient(0.1, kl=60.0, target=6.0, answers=100, horizon=1000) == pytest.approx(
        0.1 * 1.02
    )
    assert adapted_coefficient(0.1, kl=0.0, target=6.0, answers=100, horizon=1000) == pytest.approx(
        0.1 * 0.98
    )


def test_explained_variance() -> None:
    returns, mask = torch.tensor([[1.0, 2.0, 3.0]]), torch.ones(1, 3)
    assert explained_variance(returns, returns, mask).item() == pytest.approx(1.0)
    assert explained_variance(torch.full((1, 3), 7.0), returns, mask).item() == pytest.approx(0.0, abs=1e-6)
