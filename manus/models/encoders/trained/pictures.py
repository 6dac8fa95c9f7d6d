"""The tower of `scenes`, which learns beside drawn scenes what kinds of thing emoji show.

It knows those two and nothing else: it is no stand-in for a real encoder. Every patch of an emoji learns the
kind of the whole, so that whatever reads a patch can tell it. Emoji that the generator `emoji` holds out are
never shown while it learns; in how many of them it sees the kind is what `held_out` measures.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from manus.data.generators import _emoji_package as emoji_package
from manus.models.encoders.trained import _emoji_pictures, _labelled, scenes

if TYPE_CHECKING:
    import torch
    from transformers import SiglipImageProcessorPil, SiglipVisionModel

# Shape suffixes: B batch, P patches, D width, K kinds of thing.

VERSION = 1
SENSE = "vision"
MODEL_TYPE = scenes.MODEL_TYPE
SMOOTHING = 0.1  # few emoji: the kinds of those seen are soon known by heart


@dataclass(frozen=True, slots=True)
class Effort:
    """How long it trains, and how many pictures of each sort a step shows.

    `is_shuffled` gives every picture the labels of another, so that nothing can be learned.
    """

    steps: int = 1400
    scenes: int = 16
    emoji: int = 12
    learning_rate: float = 2e-3
    measured_scenes: int = 256
    is_shuffled: bool = False


def identity() -> dict[str, Any]:
    """Return what else the weights depend on: what scenes and emoji there are, and which are held out."""
    shown = [[one.code, one.category] for one in _emoji_pictures.of_side(False)]
    digest = hashlib.sha256(repr(shown).encode()).hexdigest()
    return {**scenes.identity(), "emoji": [emoji_package.PACKAGE, emoji_package.VERSION, digest]}


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
        DataError: the package with the emoji is not installed.
        Interrupted: a signal came; the next call continues to the same bits.
    """
    import torch
    from transformers import SiglipImageProcessorPil

    from manus.models.encoders.trained._guarded import GuardedTraining

    tower, heads = scenes.new_tower(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed + 1)
        heads["kind"] = torch.nn.Linear(scenes.WIDTH, len(emoji_package.CATEGORIES))
    module = torch.nn.ModuleDict({"tower": tower, "heads": heads})
    training = GuardedTraining("pictures", module, effort.learning_rate, effort.steps, work)
    measured = scenes.batch_of(
        random.Random(scenes.HELD_OUT_SEED), _labelled.HELD_OUT, effort.measured_scenes, 0.0
    )
    unseen = _emoji_batch(_emoji_pictures.every(True), False)

    def accuracy() -> dict[str, float]:
        return {**scenes.accuracy_of(tower, heads, measured), "emoji": _kinds_seen(tower, heads, unseen)}

    def loss_at(step: int) -> torch.Tensor:
        draw = random.Random(f"pictures encoder:{seed}:{step}")
        drawn = scenes.batch_of(
            draw, _labelled.SEEN, effort.scenes, _labelled.OTHER_SHARE, effort.is_shuffled
        )
        shown = _emoji_batch(_emoji_pictures.some(draw, effort.emoji), effort.is_shuffled)
        return scenes.loss_of(tower, heads, drawn) + _emoji_loss(tower, heads, shown)

    before = accuracy()
    training.run(loss_at)
    side = _labelled.SIZE_PIXELS
    metrics = {
        "steps": effort.steps,
        "loss": round(training.loss, 4),
        "held_out": accuracy(),
        "held_out_before": before,
    }
    return tower.eval(), SiglipImageProcessorPil(size={"height": side, "width": side}), metrics


@dataclass(frozen=True, slots=True)
class _Emoji:
    pixels: torch.Tensor  # [B, 3, 64, 64]
    kinds: torch.Tensor  # [B]


def _emoji_batch(shown: Sequence[_emoji_pictures.Shown], is_shuffled: bool) -> _Emoji:
    import numpy as np
    import torch

    pixels = torch.from_numpy(np.stack([each.pixels for each in shown])).permute(0, 3, 1, 2)
    kinds = [each.kind for each in shown]
    return _Emoji(pixels.float() / 127.5 - 1, torch.tensor(kinds[1:] + kinds[:1] if is_shuffled else kinds))


def _emoji_loss(tower: SiglipVisionModel, heads: torch.nn.ModuleDict, batch: _Emoji) -> torch.Tensor:
    from torch.nn import functional as F

    said_BPK = heads["kind"](tower(pixel_values=batch.pixels).last_hidden_state)
    right_BP = batch.kinds[:, None].expand(said_BPK.shape[:2])
    of_all = F.cross_entropy(said_BPK.mean(1), batch.kinds, label_smoothing=SMOOTHING)
    of_each = F.cross_entropy(said_BPK.flatten(0, 1), right_BP.flatten(), label_smoothing=SMOOTHING)
    return of_all + 0.5 * of_each


def _kinds_seen(tower: SiglipVisionModel, heads: torch.nn.ModuleDict, batch: _Emoji) -> float:
    """Return in how many emoji the kind is seen rightly, every kind counting alike."""
    import torch

    with torch.no_grad():
        said_B = heads["kind"](tower(pixel_values=batch.pixels).last_hidden_state).mean(1).argmax(-1)
    is_right_B = (said_B == batch.kinds).float()
    of_each = [float(is_right_B[batch.kinds == kind].mean()) for kind in sorted(set(batch.kinds.tolist()))]
    return round(fmean(of_each), 4)
