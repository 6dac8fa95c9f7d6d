"""Fixtures for all tests: a pico base model, and one thread, so that results do not depend on the cores."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@pytest.fixture(scope="session")
def pico_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pico model, trained to name the last of three digits."""
    from tests.pico import pretrained

    return pretrained(tmp_path_factory.mktemp("pico") / "base")
