"""What a training logged is drawn beside its weights."""

from __future__ import annotations

from pathlib import Path

from manus.files import write_jsonl
from manus.jobs.stage_job import draw


def test_what_was_logged_is_drawn_and_nothing_else(tmp_path: Path) -> None:
    write_jsonl(
        tmp_path / "metrics.jsonl", [{"step": s, "loss": 0.1, "kl": 0.2, "reward": None} for s in (1, 2)]
    )
    draw(tmp_path)
    drawn = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.svg"))
    assert drawn == ["charts/kl.svg", "loss.svg"]
