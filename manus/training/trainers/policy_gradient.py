"""The equations of proximal policy optimisation on tokens. Pure: it sees tensors, never models.

Sources: PPO (Schulman et al. 2017, arXiv:1707.06347), generalised advantage estimation (Schulman et al. 2016,
arXiv:1506.02438), the penalty and its adaptive coefficient (Ziegler et al. 2019, arXiv:1909.08593), details
of the reference implementation (Huang et al. 2024, arXiv:2403.17031).

Shapes: B answers, T tokens of the longest answer. A mask is 1 at the tokens of an answer, 0 behind its end.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

LARGEST_KL_ERROR = 0.2


def token_rewards(
    scores_B: torch.Tensor, log_ratio_BT: torch.Tensor, mask_BT: torch.Tensor, kl_coefficient: float
) -> torch.Tensor:
    """Return rewards [B, T]: r_t = -beta (log pi(a_t) - log pi_ref(a_t)), plus score at the last token."""
    rewards_BT = -kl_coefficient * log_ratio_BT * mask_BT
    last_B = mask_BT.long().sum(1) - 1
    rewards_BT[torch.arange(len(scores_B), device=scores_B.device), last_B] += scores_B
    return rewards_BT


def advantages(
    rewards_BT: torch.Tensor, values_BT: torch.Tensor, mask_BT: torch.Tensor, gamma: float, lam: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return advantages and returns [B, T] by generalised advantage estimation.

    delta_t = r_t + gamma V(s_t+1) - V(s_t), A_t = delta_t + gamma lam A_t+1, R_t = A_t + V(s_t); behind the
    last token all are 0, because the answer is over there.
    """
    values_BT = values_BT * mask_BT
    found, later_B, next_value_B = [], torch.zeros_like(values_BT[:, 0]), torch.zeros_like(values_BT[:, 0])
    for t in reversed(range(rewards_BT.shape[1])):
        delta_B = rewards_BT[:, t] + gamma * next_value_B - values_BT[:, t]
        later_B = (delta_B + gamma * lam * later_B) * mask_BT[:, t]
        next_value_B = values_BT[:, t]
        found.append(later_B)
    advantages_BT = torch.stack(found[::-1], 1)
    return advantages_BT, (advantages_BT + values_BT) * mask_BT


def masked_mean(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the mean over the masked places."""
    return (values * mask).sum() / mask.sum().clamp(min=1)


def whitened(values_BT: torch.Tensor, mask_BT: torch.Tensor) -> torch.Tensor:
    """Return values with mean 0 and variance 1 over the masked places, 0 elsewhere."""
    centred_BT = values_BT - masked_mean(values_BT, mask_BT)
    deviation = masked_mean(centred_BT.square(), mask_BT).sqrt()
    return centred_BT / (deviation + 1e-8) * mask_BT


@dataclass(frozen=True, slots=True)
class Losses:
    """Two losses of a minibatch, and the shares of its tokens at which they were clipped."""

    policy: torch.Tensor
    value: torch.Tensor
    policy_clipped: torch.Tensor
    value_clipped: torch.Tensor


def losses(
    logp_BT: torch.Tensor,
    old_logp_BT: torch.Tensor,
    advantages_BT: torch.Tensor,
    values_BT: torch.Tensor,
    old_values_BT: torch.Tensor,
    returns_BT: torch.Tensor,
    mask_BT: torch.Tensor,
    clip: float,
    clip_value: float,
) -> Losses:
    """Return the clipped losses, each a mean over tokens.

    With q = pi(a_t) / pi_old(a_t): policy = max(-A q, -A clip(q, 1 - e, 1 + e)); value = 1/2 max((V - R)^2,
    (clip(V, V_old - e_v, V_old + e_v) - R)^2).
    """
    ratio_BT = (logp_BT - old_logp_BT).exp()
    free_BT, held_BT = -advantages_BT * ratio_BT, -advantages_BT * ratio_BT.clamp(1 - clip, 1 + clip)
    near_BT = torch.minimum(torch.maximum(values_BT, old_values_BT - clip_value), old_values_BT + clip_value)
    error_BT, near_error_BT = (values_BT - returns_BT).square(), (near_BT - returns_BT).square()
    return Losses(
        policy=masked_mean(torch.maximum(free_BT, held_BT), mask_BT),
        value=0.5 * masked_mean(torch.maximum(error_BT, near_error_BT), mask_BT),
        policy_clipped=masked_mean((held_BT > free_BT).float(), mask_BT),
        value_clipped=masked_mean((near_error_BT > error_BT).float(), mask_BT),
    )


def adapted_coefficient(coefficient: float, kl: float, target: float, answers: int, horizon: int) -> float:
    """Return the penalty's coefficient after so many answers, so that KL per answer nears its target."""
    error = min(max(kl / target - 1, -LARGEST_KL_ERROR), LARGEST_KL_ERROR)
    return coefficient * (1 + error * answers / horizon)


def explained_variance(values: torch.Tensor, returns: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the share of returns' variance that values foresee; 1 is perfect, 0 no better than the mean."""
    variance = masked_mean((returns - masked_mean(returns, mask)).square(), mask)
    rest = returns - values
    return 1 - masked_mean((rest - masked_mean(rest, mask)).square(), mask) / (variance + 1e-8)
