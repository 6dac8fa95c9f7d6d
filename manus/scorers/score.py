"""What a verifier says of one completion. Knows nothing of models or probes."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Score:
    """Whether a completion is right, why, and named parts between 0 and 1 (well-formedness, ...)."""

    correct: bool
    note: str = ""
    parts: dict[str, float] = field(default_factory=dict)
