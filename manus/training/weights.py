"""Prepares the weights that a stage trains: all of them, or an adapter on frozen, perhaps 4-bit, ones."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
from transformers import BitsAndBytesConfig, PreTrainedModel

from manus.errors import InputError
from manus.models.loading.composition import Trained, chain, compose, load_model
from manus.models.loading.precision import Precision, device, held_dtype
from manus.models.loading.unadaptable import unadaptable, used_past_themselves
from manus.models.native.parts import is_native, keep_encoders, spared
from manus.models.native.recognising import has_own_senses
from manus.models.senses.projectors import (
    adaptable,
    has_senses,
    language_model_of,
    language_prefix,
    projector_parameters,
    projectors_of,
)
from manus.training.kernels.low_rank import accumulate
from manus.training.settings import ALL_LINEAR, AdapterKind, AdapterSettings, TrainingSettings

if TYPE_CHECKING:
    from manus.training.stage_job import StageJob

Learned = AdapterKind | Literal["projectors"]  # what of a model is trained; "none" is all but the encoders


def trainable(
    base: Path, trained: Sequence[Trained], adapter: Learned, settings: TrainingSettings, precision: Precision
) -> Any:
    """Return the model to train, on its device.

    Trained weights are held in 32 bits, frozen ones in the arithmetic's type. Encoders are always frozen.

    Args:
        base: the base model's folder.
        trained: the stages that this one builds on, in order.
        adapter: what to train.
        settings: the method's settings; those of adapters are read when there is one.
        precision: the arithmetic.
    """
    model = start_model(base, trained, adapter, precision)
    if adapter == "projectors":
        return _with_trained_projectors(model)
    config = lora_config(adapter, settings, model)
    if config is None:
        return model
    try:
        adapted = get_peft_model(model, config)
    except ValueError as error:
        at = "targets" if is_chosen(settings) else f"{adapter} on {type(model).__name__}"
        raise InputError(f"{at}: {str(error).splitlines()[0]}") from None
    keep_in_32_bits(adapted)
    return adapted


def start_model(
    base: Path, trained: Sequence[Trained], adapter: Learned, precision: Precision
) -> PreTrainedModel:
    """Return the model that a stage starts from, on its device: frozen for an adapter, else to be trained."""
    held = held_dtype(precision)
    if adapter == "none":
        model = compose(base, trained, torch.float32).to(device())
    elif adapter == "qlora":
        quantised = _start_in_4_bits(base, trained, held)
        model = prepare_model_for_kbit_training(quantised, use_gradient_checkpointing=False)
    else:
        model = compose(base, trained, held).to(device())
    if is_native(model):
        keep_encoders(model)
    return model


def _with_trained_projectors(model: PreTrainedModel) -> PreTrainedModel:
    """Freeze everything but the projectors.

    Raises:
        InputError: the model has none.
    """
    model.requires_grad_(False)
    projectors = projector_parameters(model) if has_senses(model) else {}
    if not projectors:
        raise InputError(f"method alignment trains projectors, and {type(model).__name__} has none")
    for parameter in projectors.values():
        parameter.data = parameter.data.float()
        parameter.requires_grad_(True)
    return model


def lora_config(
    adapter: Learned, settings: TrainingSettings, model: PreTrainedModel, task: str = "CAUSAL_LM"
) -> LoraConfig | None:
    """Return PEFT's description of the adapter of a model, None where all weights are trained.

    Raises:
        InputError: the recipe names layers that are not there, or cannot carry an adapter.
    """
    if adapter == "none":
        return None
    assert isinstance(settings, AdapterSettings), "methods with adapters have their settings"
    targets = settings.targets if isinstance(settings.targets, str) else list(settings.targets)
    bare = unadaptable(model)
    if is_chosen(settings):
        _refuse_bare(settings.targets, bare)
    whole: list[str] | None = None
    if has_senses(model):
        targets, whole = adaptable(model, targets), projectors_of(model) or None
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=targets,
        use_dora=adapter == "dora",
        task_type=task,
        modules_to_save=whole,
        exclude_modules="|".join([*map(re.escape, bare), *_lower(model, settings.upper_layers)]) or None,
    )
    return accumulate(config, model)


def is_chosen(settings: TrainingSettings) -> bool:
    """Tell whether the recipe names the layers that get an adapter."""
    return getattr(settings, "targets", ALL_LINEAR) != ALL_LINEAR


def _refuse_bare(targets: Sequence[str], bare: Mapping[str, str]) -> None:
    """Refuse targets among which are layers that cannot carry an adapter.

    Raises:
        InputError: there are such.
    """
    for target in targets:
        found = next((name for name in bare if name == target or name.endswith(f".{target}")), None)
        if found:
            raise InputError(f"targets: {target!r} cannot carry an adapter: {bare[found]}; leave it out")


def _lower(model: PreTrainedModel, share: float) -> list[str]:
    """Return, as a pattern of names, the layers that get no adapter.

    They are all below the upper ones, which are the given share of the layers, and at least one.

    Raises:
        InputError: the model has no single list of layers, or experts, on which PEFT puts adapters in every
            layer.
    """
    if share == 1:
        return []
    language, prefix = language_model_of(model), f"{language_prefix(model)}." if has_senses(model) else ""
    if is_native(model):
        language = model.get_decoder()
    lists = [
        (name, len(part)) for name, part in language.named_modules() if isinstance(part, torch.nn.ModuleList)
    ]
    count = getattr(language.config.get_text_config(), "num_hidden_layers", None)
    found = [f"{prefix}{name}" for name, size in lists if size == count]
    if len(found) != 1 or count is None:
        raise InputError(
            f"upper_layers: {type(model).__name__} has no single list of layers; set upper_layers: 1.0"
        )
    if any(parameter.dim() == 3 for parameter in language.parameters()):
        raise InputError(
            f"upper_layers: {type(model).__name__} has experts, which all get adapters; set upper_layers: 1.0"
        )
    lower = count - max(1, round(count * share))
    if not lower:
        return []
    return [rf"{re.escape(found[0])}\.({'|'.join(map(str, range(lower)))})\..*"]


def frozen(model: Any) -> Any:
    """Return a model that is only looked at: without gradients and dropout."""
    return model.requires_grad_(False).eval()


def of_trl(job: StageJob, model: Any, callbacks: list[Any], task: str = "CAUSAL_LM") -> dict[str, Any]:
    """Return what each of TRL's trainers is told alike: tokenizer, adapter, callbacks and title."""
    adapter = lora_config(job.settings.adapter, job.settings, model, task)
    return {
        "processing_class": job.tokenizer,
        "peft_config": adapter,
        "callbacks": callbacks,
        "title": job.name,
    }


def keep_in_32_bits(model: torch.nn.Module) -> None:
    """Give trained weights 32 bits.

    TRL rounds an adapter on 4-bit weights to bf16, PEFT leaves projectors as they were.
    """
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def in_4_bits(compute: torch.dtype, spared: list[str] | None = None) -> BitsAndBytesConfig:
    """Return how bitsandbytes holds weights in NF4 with double quantisation.

    It computes in `compute`, and leaves the modules `spared` alone.
    """
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
        llm_int8_skip_modules=spared,
    )


def _start_in_4_bits(base: Path, trained: Sequence[Trained], compute: torch.dtype) -> PreTrainedModel:
    """Load the start model in NF4; a chain with adapters is first written out in full precision."""
    quantization = in_4_bits(compute, spared(base) if has_own_senses(base) else used_past_themselves(base))
    start, adapters = chain(base, trained)
    if not adapters:
        return load_model(start, compute, quantization_config=quantization, device_map=device())
    with tempfile.TemporaryDirectory(prefix="manus-") as folder:
        compose(base, trained, compute).save_pretrained(folder)
        return load_model(Path(folder), compute, quantization_config=quantization, device_map=device())
