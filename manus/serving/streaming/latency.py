"""What arrival times of pieces of answers say: how soon, how fast, how evenly. Pure: sees numbers alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any


@dataclass(frozen=True, slots=True)
class Arrivals:
    """One streamed answer as its client saw it.

    Args:
        asked: when it was asked, in seconds of a clock that all streams share.
        pieces: when each piece of text came, on the same clock. A piece is what the server sends in one
            event: nearly always a token; a token that only begins a character comes with the next one.
        ended: when the stream ended.
        tokens: how many tokens the answer has, its end included, as the server counts them.
    """

    asked: float
    pieces: tuple[float, ...]
    ended: float
    tokens: int

    @property
    def first_seconds(self) -> float | None:
        """How long the first piece took; None of an answer without text."""
        return self.pieces[0] - self.asked if self.pieces else None

    @property
    def gaps(self) -> list[float]:
        """The seconds between one piece and the next."""
        return [later - earlier for earlier, later in pairwise(self.pieces)]


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return a percentile, between neighbours in proportion; None of nothing.

    Args:
        values: in any order.
        share: 0 to 1.
    """
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def summary(streams: int, rounds: Sequence[Sequence[Arrivals]]) -> dict[str, Any]:
    """Return what is reported of one load, times in seconds; None where no answer had text to time.

    Args:
        streams: how many answers were streamed side by side.
        rounds: the answers that were asked together, one round after another; between rounds no time counts.
    """
    answers = [one for together in rounds for one in together]
    firsts = [one.first_seconds for one in answers if one.first_seconds is not None]
    gaps = [gap for one in answers for gap in one.gaps]
    tokens = sum(one.tokens for one in answers)
    seconds = sum(max(one.ended for one in r) - min(one.asked for one in r) for r in rounds)
    return {
        "streams": streams,
        "answers": len(answers),
        "tokens": tokens,
        "seconds": seconds,
        "tokens_per_second": tokens / seconds if seconds else None,
        "first_token": {
            "p50": percentile(firsts, 0.5),
            "p95": percentile(firsts, 0.95),
            "slowest": max(firsts, default=None),
        },
        "gap": {"p50": percentile(gaps, 0.5), "p95": percentile(gaps, 0.95), "count": len(gaps)},
    }
