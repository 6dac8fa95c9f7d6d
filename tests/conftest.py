"""Fixtures for all tests: a pico base model, and one thread, so that results do not depend on the cores."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from filelock import FileLock

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GOMP_SPINCOUNT", "0")  # for the jobs of tests that run side by side
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@pytest.fixture(scope="session")
def pico_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pico model, trained to name the last of three digits."""
    from tests.pico import pretrained

    return pretrained(tmp_path_factory.mktemp("pico") / "base")


@pytest.fixture(scope="session")
def undecided_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that copies the last of three digits when asked for it, and any of them when asked for the first.

    It knows the form of the answer and not the task. Trained once for all processes of a test run.
    """
    from tests.pico import pretrained, rows, undecided

    folder = tmp_path_factory.getbasetemp().parent / "undecided"
    with FileLock(f"{folder}.lock"):
        if not (folder / "done").exists():
            pretrained(folder, 500, rows("last", 700) + undecided("first", 1500))
            (folder / "done").touch()
    return folder
