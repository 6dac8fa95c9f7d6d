"""What each kind of artifact is made by: one function a kind, from what its parents left in the store.

Knows the flow of a plan; knows nothing of when a job runs. Everything heavy is imported by the job that needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from manus.jobs.assemble import build_assembled
from manus.jobs.base import build_base
from manus.jobs.data import build_data
from manus.jobs.detect import build_detect
from manus.jobs.encoder import build_encoder
from manus.jobs.evaluate import build_evaluation
from manus.jobs.job import Job
from manus.jobs.merge import build_merge
from manus.jobs.pairs import build_pairs
from manus.jobs.report import build_report
from manus.jobs.reward import build_reward
from manus.jobs.train import build_train

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
