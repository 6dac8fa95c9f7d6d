"""The store: whole or absent, published by link, repaired when damaged."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from manus.errors import ManusError
from manus.store.keys import canonical, key_of
from manus.store.manifest import Manifest, damage
from manus.store.publishing import link_or_copy, publish_file, publish_folder, same_file
from manus.store.store import Made, Store

KEY = key_of({"a": 1})


def sealed(root: Path, key: str = KEY, text: str = "weights") -> Store:
    store = Store(root)
    staging = store.staging(key)
    (staging / "adapter").mkdir()
    (staging / "adapter" / "weights.bin").write_text(text)
    (staging / "metrics.jsonl").write_text("{}\n")
    store.seal(
        "train",
        "cot",
        key,
        {"parents": {"data/cot": "d"}},
        time.time() - 2,
        Made(seed=7, metrics={"loss": 1.5}),
    )
    return store


def test_a_key_depends_on_content_not_on_order() -> None:
    assert key_of({"a": 1, "b": [1, 2]}) == key_of({"b": [1, 2], "a": 1})
    assert key_of({"a": 1, "b": [1, 2]}) != key_of({"a": 1, "b": [2, 1]})
    with pytest.raises(ValueError):
        canonical({"a": float("nan")})


def test_a_sealed_artifact_is_whole_and_says_what_made_it(tmp_path: Path) -> None:
    store = sealed(tmp_path)
    manifest = store.manifest(KEY)
    assert store.holds(KEY)
    assert set(manifest.files) == {"adapter/weights.bin", "metrics.jsonl"}
    assert manifest.parents == {"data/cot": "d"} and manifest.seed == 7 and manifest.metrics == {"loss": 1.5}
    assert manifest.versions["torch"] and manifest.hardware["cores"] == os.cpu_count()
    assert str(tmp_path) not in (store.folder(KEY) / "manifest.json").read_text()
    assert not (store.folder(KEY) / "work").exists()


@pytest.mark.parametrize("harm", ["truncate", "same size", "remove", "no manifest", "half a manifest"])
def test_every_harm_is_noticed(tmp_path: Path, harm: str) -> None:
    store = sealed(tmp_path)
    weights, manifest = store.folder(KEY) / "adapter" / "weights.bin", store.folder(KEY) / "manifest.json"
    if harm == "truncate":
        weights.write_text("w")
    elif harm == "same size":
        time.sleep(0.02)
        weights.write_text("weighty")
    elif harm == "remove":
        weights.unlink()
    elif harm == "no manifest":
        manifest.unlink()
    else:
        manifest.write_text(manifest.read_text()[:50])
    assert damage(store.folder(KEY)) is not None
    assert not store.holds(KEY)
    with pytest.raises(ManusError, match="rebuild"):
        store.manifest(KEY)


def test_touching_a_file_is_no_damage(tmp_path: Path) -> None:
    store = sealed(tmp_path)
    os.utime(store.folder(KEY) / "metrics.jsonl", (time.time() + 60, time.time() + 60))
    assert damage(store.folder(KEY)) is None
    assert damage(store.folder(KEY), deep=True) is None


def test_files_without_a_manifest_are_never_taken_for_an_artifact(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (store.staging(KEY) / "weights.bin").write_text("half")
    assert not store.holds(KEY)
    assert not store.holds("never started")


def test_discard_keeps_checkpoints(tmp_path: Path) -> None:
    store = sealed(tmp_path)
    (store.work(KEY) / "checkpoint-5").mkdir()
    store.discard(KEY)
    assert not store.holds(KEY)
    assert (store.work(KEY) / "checkpoint-5").exists()
    assert not (store.folder(KEY) / "adapter").exists()


def test_publishing_links_and_replaces(tmp_path: Path) -> None:
    store, view = sealed(tmp_path), tmp_path / "recipe" / "stages" / "cot"
    publish_folder(store.folder(KEY), view)
    assert same_file(store.folder(KEY) / "adapter" / "weights.bin", view / "adapter" / "weights.bin")
    assert (view / "adapter" / "weights.bin").stat().st_nlink == 2
    other = key_of({"a": 2})
    publish_folder(sealed(tmp_path, other, "other").folder(other), view)
    assert (view / "adapter" / "weights.bin").read_text() == "other"
    assert (store.folder(KEY) / "adapter" / "weights.bin").read_text() == "weights"
    assert [entry.name for entry in view.parent.iterdir()] == ["cot"]


def test_publishing_recovers_from_a_kill_between_its_two_renames(tmp_path: Path) -> None:
    store, view = sealed(tmp_path), tmp_path / "recipe" / "merged"
    publish_folder(store.folder(KEY), view)
    view.rename(view.with_name(".merged.outgoing"))
    publish_folder(store.folder(KEY), view)
    assert Manifest.read(view) is not None
    assert [entry.name for entry in view.parent.iterdir()] == ["merged"]


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    stored, view = tmp_path / "a.json", tmp_path / "recipe" / "detected.json"
    stored.write_text("1")
    publish_file(stored, view)
    publish_file(stored, view)
    assert same_file(stored, view)


def test_a_file_system_without_links_gets_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    stored = tmp_path / "a"
    stored.write_text("1")
    link_or_copy(stored, tmp_path / "b" / "a")
    assert same_file(stored, tmp_path / "b" / "a")
    (tmp_path / "b" / "a").write_text("22")
    assert not same_file(stored, tmp_path / "b" / "a")


def _hold(root: Path, seconds: float) -> None:
    with Store(root).lock(KEY):
        (root / f"held-{os.getpid()}").touch()
        time.sleep(seconds)


def test_two_processes_never_build_one_key_and_a_killed_holder_lets_go(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    holder = context.Process(target=_hold, args=(tmp_path, 60))
    holder.start()
    while not (tmp_path / f"held-{holder.pid}").exists():
        time.sleep(0.01)
    second = context.Process(target=_hold, args=(tmp_path, 0))
    second.start()
    second.join(0.3)
    assert second.is_alive(), "the second holder must wait"
    assert not (tmp_path / f"held-{second.pid}").exists()
    holder.kill()
    second.join(20)
    assert second.exitcode == 0
    assert (tmp_path / f"held-{second.pid}").exists()
