"""Servers that the tests of this folder share: a model that knows its answer, one that reads long texts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from manus.serving.server.answering import Service
from tests.conftest import made_once
from tests.pico import untrained
from tests.unit.serving.server.serving import running


@pytest.fixture(scope="session")
def served(pico_base: Path) -> Iterator[tuple[str, Service]]:
    """The address and the service of the pico model that names the last of three digits."""
    with running(pico_base) as found:
        yield found


@pytest.fixture(scope="session")
def client(served: tuple[str, Service]) -> OpenAI:
    """The real client of that server."""
    return OpenAI(base_url=f"{served[0]}/v1", api_key="none", max_retries=0)


@pytest.fixture(scope="session")
def long_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model that has learned nothing and reads long texts."""
    return made_once(tmp_path_factory, "untrained", untrained)


@pytest.fixture(scope="session")
def long_served(long_base: Path) -> Iterator[tuple[str, Service]]:
    """The address and the service of that model."""
    with running(long_base) as found:
        yield found


@pytest.fixture(scope="session")
def long_client(long_served: tuple[str, Service]) -> OpenAI:
    """The real client of that server."""
    return OpenAI(base_url=f"{long_served[0]}/v1", api_key="none", max_retries=0)
