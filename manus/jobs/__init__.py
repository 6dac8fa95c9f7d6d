"""What each kind of artifact is made by: one function a kind, from what its parents left in the store.

Knows the flow of a plan; knows nothing of when a job runs. Everything heavy is imported by the job that needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from manus.jobs.data import build_base, build_data, build_detect
from manus.jobs.finishing import build_merge, build_report
from manus.jobs.job import Job
from manus.jobs.measuring import build_evaluation
from manus.jobs.senses import build_assembled, build_encoder
from manus.jobs.training import build_pairs, build_reward, build_train

BUILDERS: dict[str, Callable[[Job], dict[str, Any]]] = {
    "detect": build_detect,
    "base": build_base,
    "encoder": build_encoder,
    "assemble": build_assembled,
    "data": build_data,
    "reward": build_reward,
    "pairs": build_pairs,
    "train": build_train,
    "evaluate": build_evaluation,
    "merge": build_merge,
    "report": build_report,
}
