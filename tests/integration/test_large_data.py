"""Large data train as small ones do: stopped anywhere, over epochs, packed or not, bits are the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from manus.capabilities import cot
from manus.data.preparation import in_shards
from manus.data.preparation.choosing import prepare
from manus.data.prepared.samples import PreparedSamples, open_samples
from manus.data.prepared.sharded import ShardedSamples
from manus.data.settings import DataSettings, Source
from manus.models.tokenizer import load_tokenizer
from tests.integration.stage import job, prepared, prepared_with_media, stopped
from tests.pico import pairs, rows, write_rows
from tests.pico_omni import with_senses

HARD: dict[str, Any] = {
    "epochs": 2.5,
    "batch_size": 4,
    "gradient_accumulation": 3,
    "dropout": 0.1,
    "rank": 4,
    "warmup": 0.2,
    "scheduler": "cosine",
}


@pytest.fixture(scope="module")
def large(pico_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data of a few kilobytes, prepared as if they were large."""
    folder = tmp_path_factory.mktemp("large")
    path = write_rows(folder / "source.jsonl", rows("first", 150))
    settings = DataSettings(held_out=10, max_length=64, index_above_bytes=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANUS_CACHE_DIR", str(folder / "cache"))
        source = [Source(path=str(path))]
        (folder / "out").mkdir()
        prepare(
            source,
            settings,
            cot.read,
            "messages",
            load_tokenizer(pico_base),
            folder,
            0,
            folder / "out",
            folder / "work",
        )
    return folder / "out"


def train(
    base: Path, data: Path, folder: Path, stops: tuple[int, ...], **settings: Any
) -> tuple[list[float], str]:
    """Train a stage, stopped by a signal after some steps; return its losses and the hash of its weights."""
    order = job(base, data, folder, "lora", **(HARD | settings))
    return stopped(order, stops)


@pytest.mark.parametrize("packing", [False, True])
def test_a_run_stopped_three_times_ends_in_the_same_bits(
    pico_base: Path, large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packing: bool
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    calm = train(pico_base, large, tmp_path / "calm", (), packing=packing)
    steps = len(calm[0])
    stopped = train(pico_base, large, tmp_path / "stopped", (1, steps // 2, steps - 2), packing=packing)
    assert calm == stopped


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("MANUS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(in_shards, "SHARD_BYTES", 5000)
    monkeypatch.setattr(in_shards, "ROWS_WITH_MEDIA", 5)


@pytest.mark.usefixtures("cache")
def test_pairs_of_shards_train_to_the_same_bits_as_those_in_memory(pico_base: Path, tmp_path: Path) -> None:
    data = [
        prepared(
            pico_base, tmp_path / str(above), pairs("first", 120), 10, "preference", index_above_bytes=above
        )
        for above in (0, 10**9)
    ]
    own = {"epochs": 1, "rank": 2, "learning_rate": 1e-3}
    small = stopped(job(pico_base, data[1], tmp_path / "small", "dpo", **own), (), "dpo")
    assert stopped(job(pico_base, data[0], tmp_path / "large", "dpo", **own), (2, 5), "dpo") == small


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("packing", [False, True])
def test_media_of_shards_train_to_the_same_bits_as_those_in_memory(
    pico_base: Path, tmp_path: Path, packing: bool
) -> None:
    base = with_senses(pico_base, tmp_path / "omni")
    data = [prepared_with_media(base, tmp_path / str(above), index_above_bytes=above) for above in (0, 10**9)]
    own = {"epochs": 1, "batch_size": 4, "learning_rate": 1e-3, "packing": packing}
    orders = [
        replace(job(base, folder, tmp_path / f"run-{folder.name}", "lora", **own), max_length=512)
        for folder in data
    ]
    assert isinstance(open_samples(data[0]), ShardedSamples) and isinstance(
        open_samples(data[1]), PreparedSamples
    )
    assert stopped(orders[0], (1, 3)) == stopped(orders[1], ())
