"""Says from its configuration why a model cannot be a base, or be trained in some way. Imports no torch.

What transformers and PEFT do with a family is read from their source text; what that does not tell stands in
tables, and a test builds every causal family to see that the answers are true.
"""

from __future__ import annotations

import functools
import importlib.util
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from manus.models.detection import transformers_source
from manus.models.detection.modalities import OMNI, transformers_modalities
from manus.models.native.recognising import own_senses

CAUSAL = "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES"
NAME_ANOTHER = "name a causal language model, such as Qwen/Qwen2.5-0.5B-Instruct"
# Families whose output at a place depends on later places, which no field of their configuration tells.
BOTH_WAYS = ("cpmant", "xlnet")
# Families that see or hear whose language model transformers does not tell from the rest.
NOT_TAKEN_APART = ("git", "phi4_multimodal")
# Families that no prepared text fits: they cut bytes into patches, answer beside a bigger model, or write
# sound.
NOT_FOR_TEXT = {
    "blt": "it reads bytes in patches of its own",
    "gemma4_assistant": "it only drafts for a larger model, from that one's hidden states",
    "gemma4_unified_assistant": "it only drafts for a larger model, from that one's hidden states",
    "moshi": "it speaks and writes at once, from codes of sound",
    "musicgen": "it writes codes of music",
    "musicgen_melody": "it writes codes of music",
    "reformer": "it trains on texts of one length alone, that of its positions",
}
NOT_IN_4_BITS = {
    "rwkv": "rescales its weights when it answers, which 4-bit weights with an adapter do not bear"
}
# The packages that families need beside transformers.
PACKAGES = {"gemma3n": "timm", "timm_wrapper": "timm"}
# The old forms of mixtures of experts by whose names PEFT finds, under `all-linear`, the fused experts of
# today.
PEFT_EXPERTS = ("mixtral", "qwen2_moe")
EXPERT_LAYERS = ("gate", "gate_proj", "up_proj", "down_proj", "w1", "w2", "w3")
FUSED_EXPERTS = re.compile(r"nn\.Parameter\(\s*torch\.\w+\(\s*\(?\s*self\.\w*experts")
EXPERT_COUNTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
DIRECTIONS = ("is_decoder", "causal")


def why_no_base(config: Mapping[str, Any]) -> str | None:
    """Return in a clause why a model cannot be trained as a language model; None if it can, or is not known.

    Args:
        config: what `config.json` holds.
    """
    model_type = config.get("model_type")
    if model_type == OMNI or model_type not in transformers_source.model_types():
        return None
    if _given(config, "is_encoder_decoder"):
        return f"is an encoder-decoder ({model_type}), and models of one decoder are trained; {NAME_ANOTHER}"
    senses = own_senses(config)
    if reason := NOT_FOR_TEXT.get(model_type):
        return f"cannot be trained on text ({model_type}): {reason}; {NAME_ANOTHER}"
    if model_type not in transformers_source.tables()[CAUSAL] and not senses:
        return f"is no causal language model: transformers has none of the type {model_type}; {NAME_ANOTHER}"
    if model_type in BOTH_WAYS or any(not _given(config, name) for name in _directions(model_type)):
        return f"reads in both directions ({model_type}), so it cannot learn what comes next; {NAME_ANOTHER}"
    if senses and model_type in NOT_TAKEN_APART:
        return (
            f"sees or hears by itself, and no language model is to be found in a {model_type}; {NAME_ANOTHER}"
        )
    for part in _types_in(config):
        package_name = PACKAGES.get(part)
        if package_name and senses and importlib.util.find_spec(package_name) is None:
            return (
                f"needs the Python package {package_name} ({part}), which is not installed; "
                f"pip install {package_name}"
            )
    if not transformers_modalities(config).language_model:
        saved = ", ".join(config.get("architectures") or [model_type])
        return f"is no causal language model ({saved}); {NAME_ANOTHER}"
    return None


def why_not_adapted(config: Mapping[str, Any], adapter: str, targets: str | Sequence[str]) -> str | None:
    """Return why no adapter of a kind can be put onto a model, and what works; None where it can.

    Args:
        config: what `config.json` holds.
        adapter: `dora`, `qlora` or another kind.
        targets: `all-linear`, or the names of the layers to be adapted.
    """
    model_type = str(config.get("model_type"))
    if model_type not in transformers_source.model_types():
        return None
    if adapter == "qlora" and model_type in NOT_IN_4_BITS:
        return f"{model_type} {NOT_IN_4_BITS[model_type]}; use method: lora"
    if adapter == "qlora" and has_fused_experts(config):
        return (
            f"the experts of {model_type}, most of its weights, are fused tensors, "
            "which bitsandbytes does not hold in 4 bits; use method: lora"
        )
    named = targets == "all-linear" or any(target.rsplit(".")[-1] in EXPERT_LAYERS for target in targets)
    if adapter == "dora" and named and has_fused_experts(config) and _is_adapted_in_experts(model_type):
        return (
            f"dora cannot adapt the experts of {model_type}, which are fused tensors; "
            "use method: lora, or name its attention layers, as in targets: [q_proj, k_proj, v_proj, o_proj]"
        )
    return None


def has_fused_experts(config: Mapping[str, Any]) -> bool:
    """Tell whether a model has experts whose weights lie in one tensor for all of them."""
    parts = [config, *(value for value in config.values() if isinstance(value, Mapping))]
    types = [one for one in _types_in(config) if one in transformers_source.model_types()]
    counted = any(
        isinstance(part.get(name), int) and part[name] > 1 for part in parts for name in EXPERT_COUNTS
    )
    silent = not any(name in part for part in parts for name in EXPERT_COUNTS)
    defaults = [_default(one, name) for one in types for name in EXPERT_COUNTS] if silent else []
    return (counted or any(isinstance(one, int) and one > 1 for one in defaults)) and any(
        map(_fuses_experts, types)
    )


@functools.cache
def _fuses_experts(model_type: str) -> bool:
    files = transformers_source.modeling_files(model_type)
    return any(FUSED_EXPERTS.search(file.read_text(encoding="utf-8")) for file in files)


def _is_adapted_in_experts(model_type: str) -> bool:
    """Tell whether PEFT adapts a family's experts when asked for all linear layers, or experts' old names."""
    patterns = transformers_source.checkpoint_conversions()
    return model_type == "mixtral" or patterns.get(model_type) in PEFT_EXPERTS


def _types_in(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield the model types of a configuration and of its parts."""
    if isinstance(config.get("model_type"), str):
        yield config["model_type"]
    for value in config.values():
        if isinstance(value, Mapping):
            yield from _types_in(value)


def _given(config: Mapping[str, Any], name: str) -> Any:
    """Return what a configuration says of itself, or what its class says where it is silent."""
    return config[name] if name in config else _default(config["model_type"], name)


def _directions(model_type: str) -> list[str]:
    """Return the fields by which a family is told to look back alone; some have the field, and always do."""
    fields = [name for name in DIRECTIONS if _default(model_type, name) is False]
    texts = [
        file.read_text(encoding="utf-8") for file in transformers_source.modeling_files(model_type) if fields
    ]
    return [
        name
        for name in fields
        if any(f"self.config.{name}" in text or f"= config.{name}" in text for text in texts)
    ]


def _default(model_type: str, name: str) -> Any:
    source = transformers_source.config_class(model_type)
    return source.literal(name) if source else None
