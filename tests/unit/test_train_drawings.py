from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from manus import jobs
from manus.data import rendering
from manus.data.prepared import write_jsonl
from manus.guards import ranks


@pytest.mark.parametrize("is_first", [True, False])
def test_only_the_first_rank_draws_what_was_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_first: bool
) -> None:
    def train(order: Any) -> dict[str, Any]:
        write_jsonl(
            order.staging / "metrics.jsonl", [{"step": s, "loss": 0.1, "kl": 0.2, "reward": None} for s in (1, 2)]
        )
        return {"steps": 2}

    monkeypatch.setitem(jobs.METHODS, "lora", SimpleNamespace(train=train))
    monkeypatch.setattr(rendering, "load_tokenizer", lambda _: SimpleNamespace(pad_token_id=0))
    monkeypatch.setattr(ranks, "is_first", lambda: is_first)
    stage = SimpleNamespace(name="cot", method="lora", training=None, data=SimpleNamespace(max_length=8))
    plan = SimpleNamespace(
        recipe=SimpleNamespace(seed=0), base=SimpleNamespace(spec="base"), chain_before=lambda _: []
    )  # fmt: skip
    job: Any = SimpleNamespace(
        stage=stage, plan=plan, base=tmp_path, work=tmp_path, staging=tmp_path,
        trained=lambda _: [], folder=lambda _: tmp_path,
    )  # fmt: skip
    assert jobs.build_train(job) == {"steps": 2}
    drawn = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.svg"))
    assert drawn == (["charts/kl.svg", "loss.svg"] if is_first else [])
