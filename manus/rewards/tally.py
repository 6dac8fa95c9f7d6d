"""Counts how often components score and fail, and says when that is too often. Pure; knows no verifier."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from manus.data.forms.literals import shortened
from manus.errors import RewardError
from manus.rewards.outcome import Outcome

CHECKED_FROM_SCORED = 20
LONGEST_EXAMPLE_CHARACTERS = 200
REASONS_IN_ERROR = 3
# Reasons may hold what was scored ("could not convert 'abc'"); a component's later ones are counted as one.
MOST_REASONS = 50
OTHER_REASONS = "other reasons"


class Tally:
    """Completions scored per component; failures per component and reason, each with its first completion."""

    def __init__(self, components: Iterable[str]) -> None:
        self.scored = dict.fromkeys(components, 0)
        self.failures: dict[tuple[str, str], dict[str, Any]] = {}

    def count(self, component: str, outcome: Outcome, completion: str) -> dict[str, Any] | None:
        """Count one outcome; return a failure that came up for the first time."""
        self.scored[component] += 1
        if outcome.score is not None:
            return None
        key = component, outcome.reason
        if key not in self.failures and sum(name == component for name, _ in self.failures) >= MOST_REASONS:
            key = component, OTHER_REASONS
        is_new = key not in self.failures
        if is_new:
            example = shortened(completion, LONGEST_EXAMPLE_CHARACTERS)
            self.failures[key] = {"component": component, "reason": key[1], "count": 0, "example": example}
        self.failures[key]["count"] += 1
        return self.failures[key] if is_new else None

    def listed(self, component: str | None = None) -> list[dict[str, Any]]:
        """Return the failures, of one component if asked, the most frequent first."""
        kept = [dict(failure) for (name, _), failure in self.failures.items() if component in (None, name)]
        return sorted(kept, key=lambda failure: (-failure["count"], failure["component"], failure["reason"]))

    def check(self, budget: float) -> None:
        """Refuse to go on when a component fails for more than a share of `budget`.

        Raises:
            RewardError: with the most frequent reasons and an example of each.
        """
        for component, scored in self.scored.items():
            failed = sum(
                failure["count"] for (name, _), failure in self.failures.items() if name == component
            )
            if scored < CHECKED_FROM_SCORED or failed <= budget * scored:
                continue
            most = self.listed(component)[:REASONS_IN_ERROR]
            shown = "\n".join(f"  {f['count']} x {f['reason']} (first: {f['example']})" for f in most)
            raise RewardError(
                f"reward {component!r} failed for {failed} of {scored} completions, "
                f"more than reward_failure_budget {budget:.0%} allows:\n{shown}\n"
                "mend the verifier, or the data that it compares with; or raise reward_failure_budget"
            )

    def copy(self) -> Tally:
        """Return a tally that counts on by itself."""
        return copy.deepcopy(self)

    def state(self) -> dict[str, Any]:
        """Return the counts as JSON takes them."""
        return {"scored": dict(self.scored), "failures": self.listed()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Count on from a state."""
        self.scored |= {name: count for name, count in state["scored"].items() if name in self.scored}
        self.failures = {
            (f["component"], f["reason"]): dict(f) for f in state["failures"] if f["component"] in self.scored
        }
