"""A small SigLIP vision tower for drawn scenes, trained in minutes to say what stands on each patch.

It is no stand-in for a real encoder: it knows flat coloured shapes and nothing else. Each patch learns the
colour and the shape of the thing on it and the way to the thing's middle, from its last layer and from the
one before, which many models with eyes read. A layer before learns what is around a patch, which shapes are
then told by. The heads that say so are thrown away.

Pairs of colour and shape that the generator `scenes` holds out are not drawn while it learns; how well it
names them is what `held_out` measures. So that a colour tells nothing of a shape, shapes are learned from
things in colours that have no name here, which come in every shape.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manus.data.generators import _pictures, _things
from manus.models.encoders.trained import _labelled

if TYPE_CHECKING:
    import torch
    from transformers import SiglipImageProcessorPil, SiglipVisionModel

# Shape suffixes: B batch, P patches, D width, K classes.

VERSION = 1
SENSE = "vision"
MODEL_TYPE = "siglip_vision_model"
WIDTH, LAYERS, HEADS = 128, 5, 8
AROUND_LAYER, AROUND_WEIGHT = 2, 4.0
NAMES = (
    1 + len(_things.COLOURS),
    1 + len(_pictures.SHAPES),
    2,
)  # a colour or none, a shape or none, the way to the middle
NOTHING_WEIGHT = 0.3  # most patches show the background
HELD_OUT_SEED = "held out"


@dataclass(frozen=True, slots=True)
class Effort:
    """How long it trains; `is_shuffled` gives each picture another's labels, so nothing can be learned."""

    steps: int = 1800
    batch_size: int = 16
    learning_rate: float = 2e-3
    measured_pictures: int = 256
    is_shuffled: bool = False


def identity() -> dict[str, Any]:
    """Return what else the weights depend on: the colours, shapes and held-out pairs of the drawn scenes."""
    return {
        "colours": list(_things.COLOURS),
        "shapes": list(_pictures.SHAPES),
        "held_out": [str(thing) for thing in _labelled.HELD_OUT],
    }


def train(
    seed: int,
    work: Path,
    effort: Effort = Effort(),
) -> tuple[SiglipVisionModel, SiglipImageProcessorPil, dict[str, Any]]:
    """Train the tower.

    Args:
        seed: of the first weights and of the pictures.
        work: where checkpoints are kept.
        effort: how long.

    Returns:
        The tower, what prepares its pictures, and its held-out accuracy.

    Raises:
        Interrupted: a signal came; the next call continues to the same bits.
    """
    import torch
    from transformers import SiglipImageProcessorPil

    from manus.models.encoders.trained._guarded import GuardedTraining

    tower, heads = new_tower(seed)
    module = torch.nn.ModuleDict({"tower": tower, "heads": heads})
    training = GuardedTraining("scenes", module, effort.learning_rate, effort.steps, work)
    measured = batch_of(random.Random(HELD_OUT_SEED), _labelled.HELD_OUT, effort.measured_pictures, 0.0)
    before = accuracy_of(tower, heads, measured)

    def loss_at(step: int) -> torch.Tensor:
        draw = random.Random(f"scenes encoder:{seed}:{step}")
        return loss_of(
            tower,
            heads,
            batch_of(draw, _labelled.SEEN, effort.batch_size, _labelled.OTHER_SHARE, effort.is_shuffled),
        )

    training.run(loss_at)
    side = _labelled.SIZE_PIXELS
    metrics = {
        "steps": effort.steps,
        "loss": round(training.loss, 4),
        "held_out": accuracy_of(tower, heads, measured),
        "held_out_before": before,
    }
    return tower.eval(), SiglipImageProcessorPil(size={"height": side, "width": side}), metrics


def new_tower(seed: int) -> tuple[SiglipVisionModel, torch.nn.ModuleDict]:
    import torch
    from transformers import SiglipVisionConfig, SiglipVisionModel

    config = SiglipVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        image_size=_labelled.SIZE_PIXELS,
        patch_size=_labelled.PATCH_PIXELS,
        vision_use_head=False,
    )
    names = sum(NAMES)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tower = SiglipVisionModel(config)
        sizes = {"before_last": names, "last": names, "around": _labelled.SPOTS_AROUND}
        heads = torch.nn.ModuleDict({name: torch.nn.Linear(WIDTH, size) for name, size in sizes.items()})
    with torch.no_grad():
        tower.embeddings.position_embedding.weight.copy_(_waves())
    return tower, heads


def _waves() -> torch.Tensor:
    """Return positions to start from: sines of row and column, so that neighbours find each other early."""
    import torch

    places_P = torch.arange(_labelled.GRID, dtype=torch.float32)
    speeds_F = 1.57 * torch.logspace(0, -1.3, WIDTH // 4)
    rows_P, columns_P = (each.reshape(-1) for each in torch.meshgrid(places_P, places_P, indexing="ij"))
    waves = [
        function(at_P[:, None] * speeds_F)
        for at_P in (rows_P, columns_P)
        for function in (torch.sin, torch.cos)
    ]
    return 0.5 * torch.cat(waves, dim=1)


@dataclass(frozen=True, slots=True)
class _Batch:
    pixels: torch.Tensor  # [B, 3, 64, 64]
    colours: torch.Tensor  # [B, P]
    shapes: torch.Tensor  # [B, P]
    towards: torch.Tensor  # [B, P, 2]
    around: torch.Tensor  # [B, P, spots]


def batch_of(
    draw: random.Random,
    things: Sequence[_things.Thing],
    count: int,
    other_share: float,
    is_shuffled: bool = False,
) -> _Batch:
    import numpy as np
    import torch

    drawn = [_labelled.labelled(draw, things, other_share) for _ in range(count)]
    pixels = torch.from_numpy(np.stack([np.asarray(each.picture) for each in drawn])).permute(0, 3, 1, 2)
    if is_shuffled:
        draw.shuffle(drawn)
    labels = (
        torch.from_numpy(np.stack([getattr(each, name) for each in drawn]))
        for name in ("colours", "shapes", "towards", "around")
    )
    return _Batch(pixels.float() / 127.5 - 1, *labels)


@dataclass(frozen=True, slots=True)
class _Said:
    """What the heads say of each patch: what is on it, from two layers, and what is around it."""

    named: list[tuple[torch.Tensor, ...]]  # colours [B, P, K], shapes [B, P, K], ways [B, P, 2]
    around: torch.Tensor  # [B, P, spots]


def _said(tower: SiglipVisionModel, heads: torch.nn.ModuleDict, pixels: torch.Tensor) -> _Said:
    seen = tower(pixel_values=pixels, output_hidden_states=True)
    layers = {"before_last": seen.hidden_states[-2], "last": seen.last_hidden_state}
    named = [heads[name](layer_BPD).split(NAMES, dim=-1) for name, layer_BPD in layers.items()]
    return _Said(named, heads["around"](seen.hidden_states[AROUND_LAYER]))


def loss_of(tower: SiglipVisionModel, heads: torch.nn.ModuleDict, batch: _Batch) -> torch.Tensor:
    import torch
    from torch.nn import functional as F

    said = _said(tower, heads, batch.pixels)
    is_thing_BP = batch.shapes > 0
    shapes_BP = batch.shapes.where(batch.colours <= 0, _labelled.UNNAMED)
    total = AROUND_WEIGHT * F.binary_cross_entropy_with_logits(said.around, batch.around)
    for colours_BPK, shapes_BPK, towards_BP2 in said.named:
        for said_BPK, right_BP in ((colours_BPK, batch.colours), (shapes_BPK, shapes_BP)):
            weights_K = torch.ones(said_BPK.shape[-1])
            weights_K[0] = NOTHING_WEIGHT
            total = total + F.cross_entropy(
                said_BPK.flatten(0, 1), right_BP.flatten(), weights_K, ignore_index=_labelled.UNNAMED
            )
        total = total + F.smooth_l1_loss(towards_BP2[is_thing_BP], batch.towards[is_thing_BP])
    return total


def accuracy_of(tower: SiglipVisionModel, heads: torch.nn.ModuleDict, batch: _Batch) -> dict[str, float]:
    """Return how many things are named rightly at their middles, and how many patches, to hold one or not."""
    import torch

    with torch.no_grad():
        colours_BPK, shapes_BPK, _ = _said(tower, heads, batch.pixels).named[-1]
    colours_BP, shapes_BP = colours_BPK.argmax(-1), shapes_BPK.argmax(-1)
    is_thing_BP = batch.shapes > 0
    is_middle_BP = is_thing_BP & (batch.towards.abs().amax(-1) <= 0.5)
    right = {
        "colour": (colours_BP == batch.colours)[is_middle_BP],
        "shape": (shapes_BP == batch.shapes)[is_middle_BP],
        "place": (shapes_BP > 0) == is_thing_BP,
    }
    return {name: round(each.float().mean().item(), 4) for name, each in right.items()}
