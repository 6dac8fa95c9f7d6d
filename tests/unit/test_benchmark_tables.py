"""Each benchmark has its place in docs/BENCHMARKS.md, and a table goes there and nowhere else."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def tables() -> Any:
    spec = importlib.util.spec_from_file_location("tables", ROOT / "benchmarks" / "tables.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_table_replaces_the_one_before_and_names_the_machine(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "a\n<!-- plan:begin -->\nold\n<!-- plan:end -->\nb\n<!-- memory:begin -->\n<!-- memory:end -->\n"
    )
    for table in ("| 1 |", "| 2 |"):
        tables().write_table("plan", table, page)
    text = page.read_text()
    assert "old" not in text and "| 1 |" not in text and text.count("| 2 |") == 1
    assert text.startswith("a\n") and text.endswith("b\n<!-- memory:begin -->\n<!-- memory:end -->\n")
    assert f"Measured on {tables().processor()}" in text
    with pytest.raises(ValueError, match="throughput:begin"):
        tables().write_table("throughput", "", page)


@pytest.mark.parametrize("name", ["throughput", "memory", "resume", "plan", "plan of media"])
def test_the_page_has_a_place_for_each(name: str) -> None:
    page = (ROOT / "docs" / "BENCHMARKS.md").read_text()
    assert page.count(f"<!-- {name}:begin -->") == page.count(f"<!-- {name}:end -->") == 1
