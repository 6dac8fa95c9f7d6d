"""Writes the report."""

from __future__ import annotations

from typing import Any

from manus.files import write_atomically
from manus.jobs.gates import verdicts
from manus.jobs.job import Job


def build(job: Job) -> dict[str, Any]:
    """Write the report. Return what its manifest says was measured."""
    from manus.report.page import render

    write_atomically(job.staging / "report.html", render(job.plan, verdicts(job.plan)))
    return {}
