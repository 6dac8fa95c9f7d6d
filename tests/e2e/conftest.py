"""One finished run of a two-stage recipe, made once, copied for every test that changes it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import made_once
from tests.e2e.product import Product, kill_what_is_left
from tests.pico import rows, write_rows

RECIPE = """\
base_model: base
defaults: {method: lora, epochs: 12, batch_size: 16, learning_rate: 5e-3, held_out: 40, max_length: 64, precision: fp32}
capabilities:
  - cot:
      data: [{path: first.jsonl}]
      probe: {max_new_tokens: 12}
  - reasoning:
      data: [{path: middle.jsonl}]
      epochs: 25
      probe: {max_new_tokens: 12}
  - streaming: {probe: {questions: 2, max_new_tokens: 12}}
gates: {reasoning: {min_gain: 0.2}}
guards: {cooldown_every_steps: 0}
"""


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Whatever becomes of a test, no process outlives it."""
    yield
    kill_what_is_left()


@pytest.fixture(scope="session")
def finished(pico_base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Product, str]:
    """The folder after a whole run, and what it printed."""

    def build(folder: Path) -> None:
        shutil.copytree(pico_base, folder / "base")
        for place in ("first", "middle"):
            write_rows(folder / f"{place}.jsonl", rows(place, 440))
        (folder / "pico.yaml").write_text(RECIPE)
        done = Product(folder, folder / "pico.yaml").snakemake()
        folder.with_suffix(".txt").write_text(done.stdout + done.stderr)

    folder = made_once(tmp_path_factory, "product", build)
    return Product(folder, folder / "pico.yaml"), folder.with_suffix(".txt").read_text()


def copied(product: Product, folder: Path) -> Product:
    """A copy of a product in a folder that is there, hard links kept."""
    subprocess.run(["cp", "-a", f"{product.folder}/.", str(folder)], check=True)
    return Product(folder, folder / product.recipe.name)


@pytest.fixture
def product(finished: tuple[Product, str], tmp_path: Path) -> Product:
    """A copy of the finished folder that a test may change."""
    return copied(finished[0], tmp_path)
