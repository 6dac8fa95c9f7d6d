"""One finished run of a two-stage recipe, made once, copied for every test that changes it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from tests.e2e.product import Product
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
gates: {reasoning: {min_gain: 0.2}}
guards: {cooldown_every_steps: 0}
"""


@pytest.fixture(scope="session")
def finished(pico_base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Product, str]:
    """The folder after a whole run, and what it printed."""
    # All processes of a test run share it.
    folder = tmp_path_factory.getbasetemp().parent / "product"
    printed = folder.with_suffix(".txt")
    product = Product(folder, folder / "pico.yaml")
    with FileLock(f"{folder}.lock"):
        if not printed.exists():
            shutil.copytree(pico_base, folder / "base")
            for place in ("first", "middle"):
                write_rows(folder / f"{place}.jsonl", rows(place, 440))
            product.recipe.write_text(RECIPE)
            done = product.snakemake()
            printed.write_text(done.stdout + done.stderr)
    return product, printed.read_text()


@pytest.fixture
def product(finished: tuple[Product, str], tmp_path: Path) -> Product:
    """A copy of the finished folder, hard links kept, that a test may change."""
    import subprocess

    subprocess.run(["cp", "-a", f"{finished[0].folder}/.", str(tmp_path)], check=True)
    return Product(tmp_path, tmp_path / "pico.yaml")
