"""Converts a GGUF file into a folder of safetensors that transformers loads as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from manus.guards.run import RUN
from manus.models.loaders import load_from


def convert_gguf(file: Path, folder: Path) -> dict[str, Any]:
    """Write the model and tokenizer of a GGUF file into a folder, dequantised to 32 bits.

    Args:
        file: the .gguf file.
        folder: an empty folder.

    Returns:
        The number of parameters and the model type.

    Raises:
        ModelError: the file is damaged, or of an architecture that transformers does not read.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    failed = f"{file.name} cannot be converted"
    print("  reading the tokenizer", flush=True)
    tokenizer = load_from(AutoTokenizer, file.parent, failed, gguf_file=file.name)
    print("  reading and dequantising the weights", flush=True)
    plain = {"quantization_config": GgufConfig(dequantize=True), "dtype": torch.float32}
    model = load_from(AutoModelForCausalLM, file.parent, failed, gguf_file=file.name, **plain)
    RUN.cross("converting the base model")
    print("  writing safetensors", flush=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return {"parameters": model.num_parameters(), "model_type": model.config.model_type}
