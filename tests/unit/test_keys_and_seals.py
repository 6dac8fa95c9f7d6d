"""A key never lies: what is stored under it was made from what it stands for, and says so till it changes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow
import pytest

from manus.data.sources.formats import records_of
from manus.errors import DataError, InputError, ModelError
from manus.files import sha256_of
from manus.jobs import runner
from manus.models.base import find_base
from manus.models.loading.composition import load_model
from manus.store.digests import REMEMBER_FROM_BYTES, Digests
from manus.store.manifest import MANIFEST, SCHEMA_VERSION, Manifest, damage, seal_of
from tests.unit.plan.test_planner import planned, recipe
from tests.unit.store.test_store import KEY, sealed

__all__ = ["recipe"]  # a fixture

FORGED: dict[str, Any] = {
    "metrics": {"loss": 0.0},
    "key": "0" * 20,
    "files": {},
    "parents": {},
    "made_from": {},
    "seed": 8,
    "name": "other",
    "kind": "data",
    "hardware": {},
    "seconds": 0.5,
    "versions": {},
    "seal": "0" * 64,
    "started": "now",
    "ended": "now",
    "schema_version": 3,
}


@pytest.mark.parametrize("name", FORGED)
def test_a_manifest_that_says_something_else_is_damaged(tmp_path: Path, name: str) -> None:
    store = sealed(tmp_path)
    file = store.folder(KEY) / MANIFEST
    said = json.loads(file.read_text())
    assert said.keys() == FORGED.keys(), "each of them has a case here"
    assert said[name] != FORGED[name]
    file.write_text(json.dumps({**said, name: FORGED[name]}))
    assert Manifest.read(store.folder(KEY)) is None
    assert not store.holds(KEY)
    assert "was changed" in str(store.damage(KEY))
    file.write_text(json.dumps({key: value for key, value in said.items() if key != name}))
    assert damage(store.folder(KEY)) is not None


def test_a_manifest_that_is_only_written_otherwise_is_whole(tmp_path: Path) -> None:
    store = sealed(tmp_path)
    file = store.folder(KEY) / MANIFEST
    said = json.loads(file.read_text())
    file.write_text(json.dumps(dict(reversed(said.items()))))
    assert store.holds(KEY)


def test_an_artifact_under_the_key_of_another_is_damaged(tmp_path: Path) -> None:
    store = sealed(tmp_path)
    shutil.copytree(store.folder(KEY), store.folder("f" * 20))
    assert store.holds(KEY)
    assert not store.holds("f" * 20)


@pytest.mark.parametrize(
    "said",
    [
        {"schema_version": SCHEMA_VERSION + 1},
        {"files": {"../../mine": {"bytes": 0, "sha256": ""}}},
        {"files": {"/etc/passwd": {"bytes": 0, "sha256": ""}}},
        {"files": {"": {"bytes": 0, "sha256": ""}}},
    ],
)
def test_a_manifest_of_another_version_or_of_files_elsewhere_is_none_however_sealed(
    tmp_path: Path, said: dict[str, Any]
) -> None:
    store = sealed(tmp_path)
    file = store.folder(KEY) / MANIFEST
    changed = {**json.loads(file.read_text()), **said}
    file.write_text(json.dumps({**changed, "seal": seal_of(changed)}))
    assert Manifest.read(store.folder(KEY)) is None
    assert not store.holds(KEY)


@pytest.mark.parametrize("edited", ["one.jsonl", "base/config.json", "nothing"])
def test_what_changes_while_it_is_read_is_not_stored(
    recipe: Path, monkeypatch: pytest.MonkeyPatch, edited: str
) -> None:
    plan = planned(recipe)
    artifact = plan.artifacts["data/cot"]

    def build(job: Any) -> dict[str, Any]:
        (job.staging / "data").write_text("made from the old or from the new")
        if edited != "nothing":
            file = recipe.parent / edited
            file.write_text(file.read_text().replace("one", "other").replace("llama", "qwen2"))
        return {}

    monkeypatch.setattr(runner, "builder_of", lambda kind: build)
    if edited == "nothing":
        assert runner.ensure_stored(plan, artifact)
        assert plan.store.holds(artifact.key)
        return
    with pytest.raises(
        InputError, match=r"data/cot is not stored: the content of .* changed while it was built"
    ):
        runner.ensure_stored(plan, artifact)
    assert not plan.store.holds(artifact.key)
    again = planned(recipe)
    assert again.artifacts["data/cot"].key != artifact.key


def test_an_edit_of_other_data_does_not_concern_a_stage(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(recipe)

    def build(job: Any) -> dict[str, Any]:
        (job.staging / "data").write_text("")
        for name in ("two", "three"):
            (recipe.parent / f"{name}.jsonl").unlink()
        return {}

    monkeypatch.setattr(runner, "builder_of", lambda kind: build)
    assert runner.ensure_stored(plan, plan.artifacts["data/cot"])


@pytest.mark.parametrize("ending", [".jsonl", ".csv", ".jsonl.zst", ".txt.zst"])
def test_nothing_of_an_edited_file_is_kept_under_its_old_digest(tmp_path: Path, ending: str) -> None:
    file, cache = tmp_path / f"data{ending}", tmp_path / "cache"
    content = [b"text\n" + f"{number}\n".encode() * 9 for number in (1, 2)]
    packed = [bytes(pyarrow.compress(one, "zstd")) if ending.endswith(".zst") else one for one in content]
    file.write_bytes(packed[0])
    digest = sha256_of(file)
    file.write_bytes(packed[1])
    with pytest.raises(DataError, match=f"data{ending}: it was changed while it was read"):
        records_of(file, digest, cache)
    assert not [path for path in cache.iterdir() if path.suffix in (".plain", ".u64")]
    file.write_bytes(packed[0])
    assert records_of(file, digest, cache) is not None


def test_a_digest_is_remembered_only_of_what_has_not_changed(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"a" * REMEMBER_FROM_BYTES)
    digests = Digests(tmp_path / "memory.json")
    before = digests.of_file(file)
    assert not digests.known, "it was written a moment ago"
    time.sleep(2.1)
    assert digests.of_file(file) == before
    assert len(digests.known) == 1
    found = file.stat()
    with file.open("r+b") as stream:
        stream.write(b"b")
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (found.st_size, found.st_mtime_ns)
    assert digests.of_file(file) != before


@pytest.mark.parametrize(
    "named", ["../other.safetensors", "/tmp/other.safetensors", "sub/x.safetensors", "x.bin", ""]
)
def test_weights_that_no_digest_covers_are_refused(pico_base: Path, tmp_path: Path, named: str) -> None:
    import torch

    folder = tmp_path / "base"
    shutil.copytree(pico_base, folder)
    other = folder / named
    other.parent.mkdir(exist_ok=True)
    if named:
        shutil.move(folder / "model.safetensors", other)
    (folder / "decoy.safetensors").write_bytes(b"")
    from safetensors import safe_open

    with safe_open(other if named else folder / "model.safetensors", "pt") as weights:
        index = {"metadata": {}, "weight_map": dict.fromkeys(weights.keys(), named)}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    for use in (
        lambda: find_base(str(folder), tmp_path, Digests(tmp_path / "memory.json"), {}),
        lambda: load_model(folder, torch.float32),
    ):
        with pytest.raises(ModelError, match=r"index\.json names"):
            use()
    if named.startswith("/tmp"):
        Path(named).unlink()


def test_templates_in_a_subfolder_are_part_of_a_base(pico_base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "base"
    shutil.copytree(pico_base, folder)
    (folder / "additional_chat_templates").mkdir()
    found = set()
    for text in (None, "a", "b"):
        if text:
            (folder / "additional_chat_templates" / "tool_use.jinja").write_text(text)
        found.add(find_base(str(folder), tmp_path, Digests(tmp_path / "memory.json"), {}).digest)
    assert len(found) == 3


SAVE = """
import sys, torch
from pathlib import Path
from types import SimpleNamespace
from peft import LoraConfig, get_peft_model
from manus.models.loading.composition import load_model
from manus.training.job import save
names = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
model = get_peft_model(load_model(Path(sys.argv[1]), torch.float32), LoraConfig(target_modules=names, exclude_modules=["lm_head", "embed_tokens"]))
save(model, SimpleNamespace(settings=SimpleNamespace(adapter="lora"), staging=Path(sys.argv[2]), base_name="base"))
"""


def test_an_adapters_configuration_is_the_same_from_run_to_run(pico_base: Path, tmp_path: Path) -> None:
    found = []
    for seed in ("1", "2", "3"):
        command = [sys.executable, "-c", SAVE, str(pico_base), str(tmp_path / seed)]
        subprocess.run(
            command, env={**os.environ, "PYTHONHASHSEED": seed}, check=True, capture_output=True, timeout=120
        )
        found.append((tmp_path / seed / "adapter" / "adapter_config.json").read_text())
    assert len(set(found)) == 1
    modules = json.loads(found[0])["target_modules"]
    assert modules == sorted(modules)
    assert len(modules) == 7
