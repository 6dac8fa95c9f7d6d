"""What `manus serve` refuses before it loads anything, and what it calls a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from manus.cli.serving import _served
from manus.errors import InputError, ManusError


def test_a_merged_model_is_called_as_its_recipe(long_model: Path) -> None:
    assert _served(str(long_model)) == (long_model, "animals")


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManusError):
        _served(str(tmp_path))
    with pytest.raises(ManusError, match="no such file"):
        _served(str(tmp_path / "no.yaml"))


def test_a_recipe_that_is_not_built_says_how_to_build_it(tmp_path: Path, pico_base: Path) -> None:
    from tests.pico import rows, write_rows

    write_rows(tmp_path / "rows.jsonl", rows("first", 40))
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(
        f"base_model: {pico_base}\noutput_dir: {tmp_path}/results\n"
        "defaults: {method: sft}\ncapabilities:\n"
        f"  - instruct: {{data: [{{path: {tmp_path}/rows.jsonl}}]}}\n",
        encoding="utf-8",
    )
    with pytest.raises(InputError, match="not built yet; run snakemake"):
        _served(str(recipe))


@pytest.fixture
def long_model(tmp_path: Path, pico_base: Path) -> Path:
    import shutil

    return Path(shutil.copytree(pico_base, tmp_path / "results" / "animals" / "merged"))
