"""Fixtures for all tests: a pico base model, and one thread, so that results do not depend on the cores."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GOMP_SPINCOUNT", "0")  # for the jobs of tests that run side by side
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def pytest_configure(config: pytest.Config) -> None:
    """Hand out files in the order of collection: sorted by number of tests, long files of few come last."""
    if hasattr(config.option, "loadscopereorder"):  # pytest-xdist is there
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what `make test-exhaustive` adds, and begin with the folders whose files take longest.

    `--dist loadfile` gives a file to one process: a long one at the end would keep the others waiting.
    """
    if "exhaustive" not in config.option.markexpr and not any("::" in argument for argument in config.args):
        added = [item for item in items if item.get_closest_marker("exhaustive")]
        config.hook.pytest_deselected(items=added)
        items[:] = [item for item in items if not item.get_closest_marker("exhaustive")]
    items.sort(
        key=lambda item: (*(f"tests/{folder}/" not in item.nodeid for folder in ("e2e", "integration")),)
    )


def made_once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], object]) -> Path:
    """Return a folder that the first process of a test run builds and all others share."""
    folder = factory.getbasetemp().parent / name
    if "PYTEST_XDIST_WORKER" not in os.environ:
        folder = factory.getbasetemp() / name
    with FileLock(f"{folder}.lock"):
        if not (done := folder.with_name(f"{name}.done")).exists():
            build(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def pico_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pico model, trained to name the last of three digits; once for all processes."""
    from tests.pico import pretrained

    return made_once(tmp_path_factory, "pico", pretrained)


@pytest.fixture(scope="session")
def undecided_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that copies the last of three digits when asked for it, and any when asked for the first.

    It knows the form of the answer and not the task. Trained once for all processes of a test run.
    """
    from tests.pico import pretrained, rows, undecided

    data = rows("last", 700) + undecided("first", 1500)
    return made_once(tmp_path_factory, "undecided", lambda folder: pretrained(folder, 500, data))
