"""The kinds of artifact: one table with what is to be known of each. Knows nothing of how one is made."""

from __future__ import annotations

from typing import Literal

from manus.guards.status_file import State

# Raised when the code of a kind changes in a way that gives other results from the same settings.
FORMAT_VERSIONS = {
    "detect": 1, "base": 1, "encoder": 1, "assemble": 1, "data": 2, "reward": 1, "pairs": 1, "train": 2,
    "evaluate": 1, "merge": 1, "report": 1,
}  # fmt: skip
Kind = Literal[
    "detect", "base", "encoder", "assemble", "data", "reward", "pairs", "train", "evaluate", "merge", "report"
]  # fmt: skip
COLUMNS = {
    "model": 0,
    "detect": 0,
    "base": 0,
    "encoder": 0,
    "assemble": 0,
    "data": 2,
    "reward": 1,
    "pairs": 2,
    "train": 2,
    "evaluate": 3,
    "merge": 4,
    "report": 4,
}
LAST_COLUMN = 4
# What a run of each kind says it does, until it knows better.
STATES: dict[str, State] = {
    "detect": "starting", "base": "preparing", "encoder": "preparing", "assemble": "preparing",
    "data": "preparing", "reward": "starting",
    "pairs": "preparing", "train": "starting", "evaluate": "evaluating",
    "merge": "merging", "report": "reporting",
}  # fmt: skip
