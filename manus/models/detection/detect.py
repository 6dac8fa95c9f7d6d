"""Says what a model can do, from its configuration alone: no weights are loaded, none of its code is run.

What counts as a modality is said in `manus.models.detection.modalities`. Knows nothing of recipes, and needs
no torch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from manus.errors import ModelError, blamed_on, nearest
from manus.models.detection import transformers_source
from manus.models.detection.gguf_header import read_gguf_header
from manus.models.detection.modalities import (
    MODALITIES,
    OMNI,
    Findings,
    omni_modalities,
    transformers_modalities,
)
from manus.models.detection.pipeline_index import pipeline_modalities
from manus.models.detection.safetensors_header import count_parameters
from manus.models.detection.text_facts import TextFacts, text_facts
from manus.models.json_files import read_object
from manus.models.speech.names import FACTS, SPEECH, speaks

CONFIG, PIPELINE, ADAPTER = "config.json", "model_index.json", "adapter_config.json"


@dataclass(frozen=True)
class Detection:
    """What a model is and can do, and what that rests on.

    `language_model` is what a base for text needs: one class reads text and writes text. `modalities["text"]`
    is weaker: an encoder only reads text, a transcriber only writes it.
    """

    kind: Literal["transformers", "diffusers", "adapter", "gguf"]
    model_type: str
    modalities: dict[str, bool]
    evidence: dict[str, list[str]]
    read_from: str
    architectures: tuple[str, ...] = ()
    language_model: bool = False
    facts: TextFacts = field(default_factory=TextFacts)
    parameters: int | None = None
    quantized: bool = False
    custom_code: bool = False
    base: str | None = None
    other_inputs: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return what `detected.json` holds."""
        return dataclasses.asdict(self)


def detect(path: Path) -> Detection:
    """Detect the modalities of a local model.

    Args:
        path: a folder of transformers, diffusers or PEFT, or a `.gguf` file, or a folder holding just one

    Raises:
        ModelError: there is no model, it is broken, or its type is not known here.
    """
    with blamed_on(f"{path} is not a model as we know them", ModelError):
        return _detect(Path(path), visited=())


def modalities_missing(detection: Detection, needed: Iterable[str]) -> list[str]:
    """Return those of the needed modalities that a base model lacks; text counts only in a language model."""
    has = detection.modalities | {"text": detection.language_model}
    return [modality for modality in needed if not has[modality]]


def _detect(path: Path, visited: tuple[Path, ...]) -> Detection:
    if path.is_file() and path.suffix == ".gguf":
        return _detect_gguf(path)
    if not path.is_dir():
        found = "is a file" if path.exists() else "does not exist"
        raise ModelError(f"{path} {found}; expected a model folder or a .gguf file")
    if (path / ADAPTER).is_file():
        return _detect_adapter(path, visited)
    if (path / PIPELINE).is_file():
        return _detect_pipeline(path)
    if (path / CONFIG).is_file():
        with blamed_on(f"{path / CONFIG} is not the configuration of a model", ModelError):
            return _detect_transformers(path)
    if len(files := sorted(path.glob("*.gguf"))) == 1:
        return _detect_gguf(files[0])
    if files:
        raise ModelError(
            f"{path} holds several .gguf files; name one: {', '.join(file.name for file in files)}"
        )
    held = "holds no" if any(path.iterdir()) else "is empty: it holds no"
    raise ModelError(
        f"{path} {held} {CONFIG}, {PIPELINE}, {ADAPTER} or .gguf file; give the folder of a model"
    )


def _detect_transformers(path: Path) -> Detection:
    config = read_object(path / CONFIG)
    model_type = config.get("model_type")
    custom_code = "auto_map" in config
    if model_type == OMNI:
        findings = omni_modalities(config)
    elif isinstance(model_type, str) and model_type in transformers_source.model_types():
        findings = transformers_modalities(config)
    else:
        raise ModelError(_unknown_type(path / CONFIG, config))
    if speaks(path):
        findings.add("audio_out", f"{SPEECH}/{FACTS}: a talker beside the model")
    return _detection(
        findings,
        kind="transformers",
        model_type=model_type,
        read_from=f"{CONFIG}, transformers {transformers_source.version()}",
        architectures=tuple(config.get("architectures") or ()),
        facts=text_facts(config),
        quantized=(quantized := _is_quantized(config)),
        # packed weights are fewer than the parameters they stand for
        parameters=None if quantized else count_parameters(path),
        custom_code=custom_code,
    )


def _detect_pipeline(path: Path) -> Detection:
    index = read_object(path / PIPELINE)
    findings = pipeline_modalities(index)
    given = index.get("_class_name")
    name = given[-1] if isinstance(given, list) and given else given
    if not isinstance(name, str) or not findings.reasons:
        raise ModelError(f"{path / PIPELINE} names no diffusers pipeline with a component that generates")
    components = {
        slot: value for slot, value in index.items() if isinstance(value, list) and (path / slot).is_dir()
    }
    configs = [read_object(path / slot / CONFIG) for slot in components if (path / slot / CONFIG).is_file()]
    quantized = any(_is_quantized(config) for config in configs)
    counts = [count for slot in components if (count := count_parameters(path / slot)) is not None]
    return _detection(
        findings,
        kind="diffusers",
        model_type=name,
        read_from=PIPELINE,
        architectures=(name,),
        quantized=quantized,
        parameters=sum(counts) if counts and not quantized else None,
        custom_code=isinstance(given, list)
        or any((path / f"{value[0]}.py").is_file() for value in components.values()),
    )


def _detect_adapter(path: Path, visited: tuple[Path, ...]) -> Detection:
    base = read_object(path / ADAPTER).get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise ModelError(
            f"{path / ADAPTER} names no base model; set base_model_name_or_path to the folder of its base"
        )
    visited = (*visited, path.resolve())
    candidates = (Path(base), path / base)
    found = next((candidate for candidate in candidates if candidate.exists()), None)
    if found is None:
        raise ModelError(
            f"{path / ADAPTER}: the base {base!r} isn't on this machine; fetch it, or name its folder"
        )
    if found.resolve() in visited:
        raise ModelError(
            f"{path / ADAPTER}: its base {base!r} leads back to the adapter itself; name the real base"
        )
    return dataclasses.replace(_detect(found, visited), kind="adapter", base=base)


def _detect_gguf(path: Path) -> Detection:
    header = read_gguf_header(path)
    architecture = header.values.get("general.architecture")
    findings = Findings()
    if "tokenizer.ggml.tokens" in header.lengths:
        findings.add("text", f"tokenizer.ggml.tokens in {path.name}")
        findings.language_model = (
            header.values.get(f"{architecture}.attention.causal", True)
            and not header.values.get(f"{architecture}.pooling_type")
            and not str(architecture).endswith("encoder")
        )
    for key, modality in (("clip.has_vision_encoder", "vision"), ("clip.has_audio_encoder", "audio_in")):
        if header.values.get(key):
            findings.add(modality, f"{key} in {path.name}")
    if not isinstance(architecture, str) or not findings.reasons:
        raise ModelError(
            f"{path} has the architecture {architecture!r} and neither a tokenizer nor a vision "
            "or audio encoder; only language models and their encoders can be read from GGUF"
        )
    return _detection(
        findings,
        kind="gguf",
        model_type=architecture,
        read_from=f"the header of {path.name}",
        facts=TextFacts(
            hidden_size=header.values.get(f"{architecture}.embedding_length"),
            vocab_size=header.values.get(
                f"{architecture}.vocab_size", header.lengths.get("tokenizer.ggml.tokens")
            ),
            max_positions=header.values.get(f"{architecture}.context_length"),
            layers=header.values.get(f"{architecture}.block_count"),
        ),
        parameters=header.parameters if header.values.get("split.count", 1) <= 1 else None,
        quantized=header.quantized,
    )


def _detection(findings: Findings, **fields: Any) -> Detection:
    return Detection(
        modalities={modality: modality in findings.reasons for modality in MODALITIES},
        evidence={
            modality: findings.reasons[modality] for modality in MODALITIES if modality in findings.reasons
        },
        language_model=bool(findings.language_model),
        other_inputs=tuple(sorted(findings.other_inputs)),
        **fields,
    )


def _is_quantized(config: Mapping[str, Any]) -> bool:
    nested = (value for value in config.values() if isinstance(value, dict))
    return bool(config.get("quantization_config")) or any(part.get("quantization_config") for part in nested)


def _unknown_type(file: Path, config: Mapping[str, Any]) -> str:
    model_type = config.get("model_type")
    if not isinstance(model_type, str):
        if "_class_name" in config:
            return f"{file} is a part of a diffusers pipeline; give the folder that holds {PIPELINE}"
        return f"{file} names no model_type; expected the configuration of a transformers model"
    known = [*transformers_source.model_types(), OMNI]
    guess = nearest(model_type, known)
    return (
        f"{file}: transformers {transformers_source.version()} does not know the model_type {model_type!r}"
        + (f"; the nearest it knows is {guess!r}" if guess else "")
        + ("; the folder brings its own code, which is not run" if "auto_map" in config else "")
    )
