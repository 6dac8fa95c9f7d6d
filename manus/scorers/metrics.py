"""Names of what is measured in nats, not as a share of right answers. Knows nothing of how it is measured."""

from __future__ import annotations

PERPLEXITY = "perplexity"
ANSWER_NATS = "nats_per_answer_token"
IN_NATS = frozenset({PERPLEXITY, ANSWER_NATS})  # less is better, and a gain is in nats saved per token


def is_share(metric: str) -> bool:
    """Return whether a metric is a share between 0 and 1, of which more is better."""
    return metric not in IN_NATS
