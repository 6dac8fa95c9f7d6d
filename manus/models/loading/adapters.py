"""Puts PEFT adapters onto a model and merges them into its weights. Knows nothing of stages or recipes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.other import AuxiliaryTrainingWrapper
from safetensors.torch import load_file
from torch import nn
from transformers import PreTrainedModel

from manus.errors import ModelError, blamed_on

WEIGHTS = "adapter_model.safetensors"
# What may differ between LoRA adapters that are all the plain W + scaling * B @ A. Of anything else (DoRA,
# rslora, bias, modules_to_save, ...) `add_weighted_adapter` takes the first adapter's, or nothing.
FREE_IN_PLAIN = {
    "r",
    "lora_alpha",
    "lora_dropout",
    "rank_pattern",
    "alpha_pattern",
    "target_modules",
    "fan_in_fan_out",
    "init_lora_weights",
    "base_model_name_or_path",
    "revision",
    "inference_mode",
    "task_type",
    "peft_version",
    "auto_mapping",
}


def adapter_config(path: Path) -> PeftConfig:
    """Read an adapter folder's configuration.

    Raises:
        ModelError: a file is missing or unreadable, or the adapter can never become plain weights.
    """
    for name in ("adapter_config.json", WEIGHTS):
        if not (path / name).is_file():
            raise ModelError(f"{path} is not an adapter folder: it has no {name}")
    with blamed_on(f"cannot read {path}/adapter_config.json", ModelError):
        config = PeftConfig.from_pretrained(str(path))
    if config.is_prompt_learning or config.is_adaption_prompt:
        raise ModelError(f"{path}: {config.peft_type} has no form as plain weights; train a LoRA adapter")
    return config


def are_plain_lora(configs: Sequence[PeftConfig]) -> bool:
    """Tell whether all are W + scaling * B @ A and nothing else, so that PEFT can combine them exactly."""
    usual = LoraConfig().to_dict()
    forms = set()
    for config in configs:
        if not isinstance(config, LoraConfig) or config.init_lora_weights not in (True, False, "gaussian"):
            return False
        given = config.to_dict()
        if any(given[name] != usual[name] for name in usual.keys() - FREE_IN_PLAIN):
            return False
        forms.add(type(config.target_modules))
    return len(forms) == 1  # PEFT joins regular expressions, or sets, but not both


def adapted(model: PreTrainedModel | PeftModel, path: Path, name: str = "default") -> PeftModel:
    """Put the adapter of a folder onto a model (in place) and make it the active one.

    Raises:
        ModelError: the folder is broken, or its tensors are not exactly those that this model needs.
    """
    adapter_config(path)
    device = str(model.device)
    with (
        blamed_on(f"the adapter {path} does not fit the model it is put onto", ModelError),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # of tied layers and missing tensors, which are dealt with below
        if isinstance(model, PeftModel):
            model.load_adapter(str(path), name, torch_device=device)
            model.set_adapter(name)
        else:
            model = PeftModel.from_pretrained(model, str(path), adapter_name=name, torch_device=device)
        needed = get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=False)
    _fill(needed, path)
    _untie_where_adapted(model.get_base_model())
    return model


@torch.no_grad()
def _fill(needed: Mapping[str, torch.Tensor], path: Path) -> None:
    """See to it that an adapter's tensors are those of the folder.

    PEFT renames what it loads as transformers renames a family's own checkpoints, and may so lose what it
    wrote itself.

    Raises:
        ModelError: the folder's tensors are not exactly those that are needed.
    """
    stored = load_file(path / WEIGHTS)
    if missing := sorted(needed.keys() - stored.keys()):
        raise ModelError(f"the adapter {path} lacks {len(missing)} tensors, among them {missing[0]}")
    # PEFT may store whole embeddings beside the adapter: harmless. A LoRA tensor without its layer is not.
    if unused := sorted(key for key in stored.keys() - needed.keys() if "lora_" in key):
        raise ModelError(f"the adapter {path} was trained on another model: nothing takes its {unused[0]}")
    for name, tensor in needed.items():
        if tensor.shape != stored[name].shape:
            raise ModelError(
                f"the adapter {path} does not fit the model it is put onto: {name} has another shape"
            )
        tensor.copy_(stored[name])


def _untie_where_adapted(model: PreTrainedModel) -> None:
    """Give each of two tied embeddings its own weights when an adapter sits on one of them."""
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    if are_tied(model) and any(isinstance(end, (BaseTunerLayer, AuxiliaryTrainingWrapper)) for end in ends):
        untie(model)


def are_tied(model: PreTrainedModel) -> bool:
    """Tell whether input and output embeddings are one tensor."""
    head: Any = model.get_output_embeddings()
    if getattr(head, "weight", None) is None:
        return False
    source: Any = model.get_input_embeddings()
    return bool(source.weight.data_ptr() == head.weight.data_ptr())


def untie(model: PreTrainedModel) -> None:
    """Give the output embeddings their own copy of the weights they share with the input embeddings."""
    head: Any = model.get_output_embeddings()
    while isinstance(head, (BaseTunerLayer, AuxiliaryTrainingWrapper)):
        head = head.get_base_layer() if isinstance(head, BaseTunerLayer) else head.original_module
    head.weight = nn.Parameter(head.weight.detach().clone(), requires_grad=head.weight.requires_grad)


def say_whether_tied(model: PreTrainedModel) -> None:
    """Make the configuration, and that of its text part, tell the truth about tied embeddings.

    A saved model then loads as it was.
    """
    for config in (model.config, model.config.get_text_config()):
        if getattr(config, "tie_word_embeddings", False):
            config.tie_word_embeddings = are_tied(model)


def absorbed(active: PeftModel) -> PreTrainedModel:
    """Merge the active adapter into the weights and return the plain model, all of it trainable again.

    Raises:
        ModelError: the adapter holds NaN or infinity, or its kind cannot be merged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model: PreTrainedModel = active.merge_and_unload(safe_merge=True)
    except (ValueError, RuntimeError, NotImplementedError) as error:
        raise ModelError(f"cannot merge the adapter: {error}") from error
    model.requires_grad_(True)  # PEFT froze it
    say_whether_tied(model)
    return model
