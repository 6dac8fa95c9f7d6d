"""Every kind of artifact has all it needs: a table row, a builder, a rule, and names no stage can have."""

from __future__ import annotations

import dataclasses
import re

import pytest

from manus.jobs.runner import builder_of
from manus.kinds import COLUMNS, KINDS, RESERVED_NAMES, Kind, KindFacts
from tests.rooms import ROOT


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_a_builder_and_a_rule_of_its_resources(kind: Kind) -> None:
    assert builder_of(kind).__module__ == f"manus.jobs.{kind}"
    rules = "".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "rules").glob("*.smk")))
    (rule,) = re.findall(rf"^rule {kind}:\n(.*?)(?=^rule |^#|\Z)", rules, re.M | re.S)
    for word in ("needs", "cores", "gpus", "why", "command"):
        assert f'{word}("{kind}")' in rule


def test_what_a_row_lacks_is_said() -> None:
    row = dataclasses.asdict(KINDS["train"])
    del row["gpus"]
    with pytest.raises(TypeError, match="gpus"):
        KindFacts(**row)


def test_columns_and_names() -> None:
    assert {facts.column for facts in KINDS.values()} == set(range(COLUMNS))
    assert {*KINDS, "merged", "detected", "all", "shown", "plan", "export"} <= RESERVED_NAMES
