"""The settings that every training method shares. Knows no method and imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, PositiveFloat

from manus.settings.frozen import Frozen

# The upper limits only catch slips of the hand; nothing useful lies near them.
Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
Epochs = Annotated[float, Field(gt=0, le=100_000)]
LearningRate = Annotated[float, Field(gt=0, le=10)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
AdapterKind = Literal["none", "lora", "qlora", "dora"]
Result = Literal["adapter", "model", "projectors", "talker"]
ALL_LINEAR: Final = "all-linear"


class TrainingSettings(Frozen):
    """How one stage is trained; a method may change the defaults and add its own fields.

    Every method's settings also have `adapter`, which says what trains: a constant of the method, or a field.
    """

    epochs: Epochs = Field(3.0, description="How often the training samples are seen.")
    batch_size: Count = Field(1, description="Samples in one forward pass on one device.")
    gradient_accumulation: Count = Field(1, description="Forward passes before one optimizer step.")
    learning_rate: LearningRate = Field(2e-5, description="Peak learning rate.")
    scheduler: Literal["linear", "cosine", "constant_with_warmup", "constant"] = Field(
        "cosine", description="Learning rate over the steps, after the warmup."
    )
    warmup: Fraction = Field(0.03, description="Share of the steps in which the learning rate rises from 0.")
    weight_decay: Annotated[float, Field(ge=0)] = Field(0.0, description="Decoupled weight decay (AdamW).")
    max_grad_norm: PositiveFloat = Field(1.0, description="Gradients are clipped to this global norm.")
    optimizer: Literal["adamw_torch_fused", "adamw_torch", "adafactor", "sgd", "adamw_bnb_8bit"] = Field(
        "adamw_torch_fused", description="Optimizer, by its transformers name."
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="Arithmetic; auto takes bf16 where the hardware is fast in it, else fp32."
    )
    gradient_checkpointing: bool | Literal["auto"] = Field(
        "auto",
        description="Trade about 30 % of the speed for memory; auto does so only where memory is short.",
    )


class PackingSettings(Frozen):
    """Settings of methods that learn token by token, and so can fill rows with several samples."""

    packing: bool = Field(
        False, description="Fill each row of the batch up to max_length with whole samples, kept apart."
    )


class MediaSettings(Frozen):
    """Settings of methods whose batches may hold images, video and sound."""

    cache_features: bool | Literal["auto"] = Field(
        "auto",
        description="Keep on disk, while training, what the frozen encoders make of the media; "
        "auto does so for more than one epoch.",
    )


class AdapterSettings(TrainingSettings):
    """Settings of low-rank adapters (LoRA, Hu et al. 2021, arXiv:2106.09685)."""

    learning_rate: LearningRate = Field(2e-4, description="Peak learning rate.")
    rank: Annotated[int, Field(ge=1, le=65_536)] = Field(16, description="Rank of the adapter's matrices.")
    alpha: PositiveFloat = Field(32.0, description="The adapter's output is scaled by alpha / rank.")
    dropout: Fraction = Field(0.0, description="Dropout on the adapter's input.")
    targets: Literal["all-linear"] | Annotated[tuple[str, ...], Field(min_length=1, strict=False)] = Field(
        ALL_LINEAR, description="Names of the linear layers to adapt, or all-linear."
    )
    upper_layers: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0,
        description="Share of the layers, from the top, that get an adapter; "
        "nothing is computed backward below them.",
    )


class ChosenAdapterSettings(AdapterSettings):
    """Settings of a method that trains all weights or an adapter, as the recipe says."""

    adapter: AdapterKind = Field("none", description="Train all weights (none) or an adapter.")


class AlignmentSettings(ChosenAdapterSettings):
    """Settings of methods that move a trained model a little: by default an adapter and one pass."""

    adapter: AdapterKind = Field("lora", description="Train all weights (none) or an adapter.")
    epochs: Epochs = Field(1.0, description="How often the training samples are seen.")


def result(settings: Any) -> Result:
    """Return what a stage's folder holds: full weights if all were trained, projectors, or a PEFT adapter."""
    if settings.adapter == "projectors":
        return "projectors"
    return "model" if settings.adapter == "none" else "adapter"
