"""Rows tokenised while training are learned, in shuffled order, and a stopped run ends in the same bits."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manus.capabilities import cot
from manus.data.preparation.preparation import Preparation
from manus.data.preparation.while_training import LiveRows, describe, open_rows
from manus.data.settings import DataSettings, Source
from manus.errors import DataError, ManusError
from manus.models.loading.composition import Trained
from manus.models.tokenizer import load_tokenizer
from manus.recipe.recipe import METHODS
from manus.training.stage_job import StageJob
from tests.integration.stage import assert_learned, job, measured, stopped
from tests.pico import rows, write_rows
from tests.seeds import SEED

BAD: dict[str, Any] = {"messages": [{"role": "user", "content": "no answer"}]}
HARD: dict[str, Any] = {"epochs": 2.5, "batch_size": 4, "gradient_accumulation": 3, "dropout": 0.1, "rank": 4}


@pytest.fixture(autouse=True)
def own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MANUS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def described(
    base: Path, folder: Path, data: list[dict[str, Any]], **settings: Any
) -> Callable[[], LiveRows]:
    """Write down what is fixed ahead, in `folder`; return what opens the rows."""
    folder.mkdir()
    source = Source(path=str(write_rows(folder / "source.jsonl", data)))
    chosen = DataSettings(
        **({"held_out": 40, "max_length": 64, "prepare": "never", "data": (source,)} | settings)
    )
    asked = Preparation(
        [source], chosen, cot.read, "messages", load_tokenizer(base), folder, SEED, folder, folder / "work"
    )
    describe(asked)
    return lambda: open_rows(asked, folder)


def train(order: StageJob, stops: tuple[int, ...] = ()) -> tuple[list[float], str, str]:
    """Train a stage, stopped by a signal after some steps; return losses, a hash of weights, bad rows."""
    losses, weights = stopped(order, stops)
    told = (order.staging / "quarantine.jsonl").read_text()
    return losses, weights, told


def test_a_run_stopped_three_times_ends_in_the_same_bits(pico_base: Path, tmp_path: Path) -> None:
    data = [*rows("first", 75), BAD, {}, *rows("last", 75)]
    live = described(pico_base, tmp_path / "data", data, failure_budget=0.1)

    def order(name: str) -> StageJob:
        made = job(pico_base, tmp_path / "data", tmp_path / name, "lora", **HARD)
        return replace(made, live=live, failure_budget=0.1)

    calm = train(order("calm"))
    steps = len(calm[0])
    assert calm[2].count("no assistant turn") == 1  # read in each epoch, told once
    assert calm == train(order("stopped"), (1, steps // 2, steps - 2))


@pytest.mark.learns
def test_it_learns_what_the_rows_teach(undecided_base: Path, tmp_path: Path) -> None:
    def chain(name: str) -> list[Trained]:
        given = rows("first", 440, shuffled=name == "shuffled")
        live = described(undecided_base, tmp_path / name, given)
        order = job(
            undecided_base, tmp_path / name, tmp_path / f"{name}-run", "sft", epochs=5, learning_rate=2e-3
        )
        METHODS["sft"].train(replace(order, live=live, failure_budget=0.01))
        return [Trained(name, "model", order.staging / "model")]

    after, ablated = chain("right"), chain("shuffled")
    before, control, value = (
        measured(undecided_base, one, tmp_path / "right") for one in ([], ablated, after)
    )
    assert_learned(before, control, value)


def test_the_order_is_shuffled_over_all_rows(
    pico_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read is told by the reader itself, which runs in a process of its own, beside this one."""
    live = described(pico_base, tmp_path / "data", [*rows("first", 1000), *rows("last", 1000)])()
    told = tmp_path / "told"
    at = LiveRows.at

    def telling(self: LiveRows, epoch: int, place: int) -> Any:
        with told.open("a") as stream:
            stream.write(f"{os.getpid()} {epoch} {place}\n")
        return at(self, epoch, place)

    monkeypatch.setattr(LiveRows, "at", telling)
    order = job(pico_base, tmp_path / "data", tmp_path / "run", "lora", epochs=1, batch_size=100)
    METHODS["lora"].train(replace(order, live=lambda: live, failure_budget=0.01))
    read = np.array([line.split() for line in told.read_text().splitlines()], dtype=int)
    assert sorted(read[:, 2]) == list(range(2000)) and set(read[:, 1]) == {0}
    assert len(set(read[:, 0])) == 1 and os.getpid() not in read[:, 0]
    assert abs(np.corrcoef(np.arange(2000), read[:, 2])[0, 1]) < 0.08  # by chance about 1 / sqrt(2000)


def test_bad_rows_count_while_training(
    pico_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bad rows lie where nobody looked before."""
    monkeypatch.setattr("manus.data.preparation.while_training.ROWS_SAMPLED", 1)
    live = described(
        pico_base, tmp_path / "data", [*rows("first", 100), *[BAD] * 20], held_out=2, failure_budget=0.5
    )
    order = job(pico_base, tmp_path / "data", tmp_path / "run", "lora", epochs=1, batch_size=10)
    with pytest.raises(DataError, match="no assistant turn"):
        METHODS["lora"].train(replace(order, live=live, failure_budget=0.05))
    assert "no answer" in (order.work / "quarantine.jsonl").read_text()


def test_few_bad_rows_among_the_first_stop_nothing(pico_base: Path, tmp_path: Path) -> None:
    live = described(pico_base, tmp_path / "data", [*rows("first", 400), *[BAD] * 12], failure_budget=0.03)
    order = job(pico_base, tmp_path / "data", tmp_path / "run", "lora", epochs=1, batch_size=8)
    METHODS["lora"].train(replace(order, live=live, failure_budget=0.03))
    assert len((order.staging / "quarantine.jsonl").read_text().splitlines()) == 12


def test_what_goes_wrong_beside_the_training_is_one_message(
    pico_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = described(pico_base, tmp_path / "data", rows("first", 100))()
    order = job(pico_base, tmp_path / "data", tmp_path / "run", "lora", epochs=1, batch_size=10)

    def changed(*place: Any) -> Any:
        raise DataError("data source.jsonl: the file was changed")

    def killed(*place: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(LiveRows, "at", changed)
    with pytest.raises(DataError, match=r"^data source.jsonl: the file was changed$"):
        METHODS["lora"].train(replace(order, live=lambda: live, failure_budget=0.01))
    monkeypatch.setattr(LiveRows, "at", killed)
    with pytest.raises(ManusError, match=r"reads the rows died.*The next run continues$"):
        METHODS["lora"].train(replace(order, live=lambda: live, failure_budget=0.01))
