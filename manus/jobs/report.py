"""Writes the report."""

from __future__ import annotations

from typing import Any

from manus.files import write_atomically
from manus.jobs.gates import verdicts
from manus.jobs.job import Job


def build_report(job: Job) -> dict[str, Any]:
    """writing the report"""
    from manus.report.page import render

    write_atomically(job.staging / "report.html", render(job.plan, verdicts(job.plan)))
    return {}
