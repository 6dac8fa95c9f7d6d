"""Converts a base model into a folder of safetensors."""

from __future__ import annotations

from typing import Any

from manus.jobs.job import Job
from manus.models.base import local_folder


def build(job: Job) -> dict[str, Any]:
    """Convert the base model. Return what its manifest says was measured."""
    from manus.models.loading.gguf import convert_gguf

    return convert_gguf(local_folder(job.plan.base), job.staging)
