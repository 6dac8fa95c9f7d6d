"""A plan that an earlier run left is read as it was written, and nothing else is taken for one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from manus.errors import InputError
from manus.plan.saved_plan import saved_plan
from tests.unit.plan.test_planner import planned, recipe

__all__ = ["recipe"]  # a fixture


def test_what_was_saved_is_read(recipe: Path) -> None:
    plan = planned(recipe)
    plan.save()
    assert saved_plan(plan.folder / "plan.json") == json.loads(json.dumps(plan.to_json()))


def test_where_there_is_none_there_is_nothing(tmp_path: Path) -> None:
    assert saved_plan(tmp_path / "plan.json") == {}


@pytest.mark.parametrize(
    "value", [[], {"revisions": []}, {"revisions": {}, "artifacts": {"a": {"made_from": {}}}}]
)
def test_what_is_none_is_named(tmp_path: Path, value: Any) -> None:
    (tmp_path / "plan.json").write_text(json.dumps(value))
    with pytest.raises(InputError, match=r"plan\.json is torn or no plan of ours; move it away"):
        saved_plan(tmp_path / "plan.json")
