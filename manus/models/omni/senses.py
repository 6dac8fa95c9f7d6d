"""What an omni model sees and hears: media through frozen encoders and projectors. Knows nothing of text."""

# Shapes: I images, F frames, A sounds; P patches, N positions, D size of an encoder's states, M mel bands, H
# hidden size.

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from manus.models.omni.encoders import FLEXIBLE
from manus.models.omni.features import pooled, shuffled, stacked
from manus.models.omni.names import SENSES

PICTURES_AT_ONCE = 16
SOUNDS_AT_ONCE = 8
MEDIA = {  # the inputs of each kind of medium, all with one entry a medium (a frame is one)
    "image": ("pixel_values", "image_states", "pixel_attention_mask", "spatial_shapes"),
    "video": ("pixel_values_videos", "video_states", "video_attention_mask", "video_spatial_shapes"),
    "audio": ("input_features", "audio_states", "audio_tokens"),
}


class Senses:
    """The part of an omni model that turns media into features; without a sense it lacks its parts."""

    config: Any

    def _encoder(self, sense: str) -> Any:
        return getattr(self, f"{sense}_encoder")

    def _encoders(self) -> Iterator[PreTrainedModel]:
        return (encoder for sense in SENSES if (encoder := self._encoder(sense)) is not None)

    def encode_images(
        self,
        pixel_values: Tensor,
        pixel_attention_mask: Tensor | None = None,
        spatial_shapes: Tensor | None = None,
    ) -> Tensor:
        """Return what the vision encoder sees of images or frames, a few at a time.

        Args:
            pixel_values: [I, 3, height, width]; patches [I, P, d] for an encoder of flexible resolution,
                which also needs `pixel_attention_mask` [I, P] and `spatial_shapes` [I, 2] (rows and columns
                of patches).

        Returns:
            [I, P, D], patches only, row by row.
        """
        encoder = self._needed("vision")
        extra = {"pixel_attention_mask": pixel_attention_mask, "spatial_shapes": spatial_shapes}
        parts = []
        for start in range(0, len(pixel_values), PICTURES_AT_ONCE):
            some = slice(start, start + PICTURES_AT_ONCE)
            given = {
                name: value[some].to(encoder.device) for name, value in extra.items() if value is not None
            }
            parts.append(self._seen(encoder, pixel_values[some].to(encoder.device, encoder.dtype), given))
        return torch.cat(parts)

    def encode_audio(self, input_features: Tensor) -> Tensor:
        """Return what the audio encoder hears: [A, N, D] of mel spectrograms [A, M, 2 N]."""
        encoder = self._needed("audio")
        parts = []
        with torch.set_grad_enabled(torch.is_grad_enabled() and _is_trained(encoder)):
            for start in range(0, len(input_features), SOUNDS_AT_ONCE):
                some = input_features[start : start + SOUNDS_AT_ONCE]
                parts.append(encoder(some.to(encoder.device, encoder.dtype)).last_hidden_state)
        return torch.cat(parts)

    def _seen(self, encoder: Any, pixels: Tensor, given: dict[str, Tensor]) -> Tensor:
        """Return the states [I, P, D] of the chosen layer, without those of class and register tokens."""
        layer = self.config.vision_feature_layer
        if self.config.vision_config.model_type.startswith("dinov2") or pixels.dim() == 3:
            options: dict[str, Any] = {}  # any resolution, by themselves
        else:
            options = {"interpolate_pos_encoding": True} if self._is_resized(pixels) else {}
        with torch.set_grad_enabled(torch.is_grad_enabled() and _is_trained(encoder)):
            found = encoder(pixels, output_hidden_states=layer != -1, **given, **options)
        states_IND: Tensor = found.last_hidden_state if layer == -1 else found.hidden_states[layer]
        if pixels.dim() == 3:
            return states_IND
        rows, columns = self._grid(pixels.shape[-2:])
        return states_IND[:, states_IND.shape[1] - rows * columns :]

    def _is_resized(self, pixels: Tensor) -> bool:
        return tuple(pixels.shape[-2:]) != _pair(self.config.vision_config.image_size)

    def _grid(self, size: Sequence[int]) -> tuple[int, int]:
        high, wide = _pair(self.config.vision_config.patch_size)
        return size[0] // high, size[1] // wide

    def _grids(
        self, count: int, spatial_shapes: Tensor | None, pixels: Tensor | None
    ) -> list[tuple[int, int]]:
        """Return the rows and columns of patches of each picture."""
        if spatial_shapes is not None:
            return [(int(rows), int(columns)) for rows, columns in spatial_shapes.tolist()]
        if self.config.vision_config.model_type == FLEXIBLE:
            raise ValueError("pictures of any aspect ratio need spatial_shapes: rows and columns of patches")
        if pixels is not None:
            grid = self._grid(pixels.shape[-2:])
        elif self.config.vision_grid is not None:
            grid = _pair(self.config.vision_grid)
        else:
            grid = self._grid(_pair(self.config.vision_config.image_size))
        return [grid] * count

    def _picture_features(
        self,
        pixels: Tensor | None,
        states: Tensor | None,
        mask: Tensor | None,
        shapes: Tensor | None,
        pool: int,
    ) -> list[Tensor]:
        """Return the features [tokens, H] of each picture or frame."""
        if states is None:
            assert pixels is not None, "pictures come as pixels or as states"
            states = self.encode_images(pixels, mask, shapes)
        projector = self._projector("vision")
        states = _like(states, projector)
        grids = self._grids(len(states), shapes, pixels)
        features: list[Tensor] = [states.new_empty(0)] * len(states)
        for grid in dict.fromkeys(grids):  # pictures of one shape go through together
            mine = [number for number, other in enumerate(grids) if other == grid]
            patches_IhwD = states[mine, : grid[0] * grid[1]].reshape(len(mine), *grid, -1)
            tokens_IhwH = projector(shuffled(patches_IhwD, self.config.vision_pixel_shuffle))
            if pool > 1:
                tokens_IhwH = pooled(tokens_IhwH, pool)
            for number, tokens_TH in zip(mine, tokens_IhwH.flatten(1, 2), strict=True):
                features[number] = tokens_TH
        return features

    def _sound_features(
        self, mel: Tensor | None, states: Tensor | None, tokens: Tensor | None
    ) -> list[Tensor]:
        """Return the features [tokens, H] of each sound; silence behind its end gives none."""
        if states is None:
            assert mel is not None, "sounds come as mel spectrograms or as states"
            states = self.encode_audio(mel)
        projector = self._projector("audio")
        whole_AND = stacked(_like(states, projector), self.config.audio_stack)
        counts = [whole_AND.shape[1]] * len(whole_AND) if tokens is None else tokens.tolist()
        if len(counts) != len(whole_AND) or max(counts) > whole_AND.shape[1]:
            raise ValueError(
                f"audio_tokens {counts}: there are {len(whole_AND)} sounds of at most {whole_AND.shape[1]} "
                "tokens"
            )
        kept = torch.cat([sound_ND[:count] for sound_ND, count in zip(whole_AND, counts, strict=True)])
        return list(projector(kept).split(counts))

    def features_of(self, media: Mapping[str, Tensor | None]) -> dict[str, list[Tensor]]:
        """Return the features [tokens, H] of each medium that is given, by kind."""
        values = {kind: [media.get(name) for name in names] for kind, names in MEDIA.items()}
        found: dict[str, list[Tensor]] = {}
        for kind, pool in (("image", 1), ("video", self.config.video_pool)):
            if any(value is not None for value in values[kind][:2]):
                pixels, states, mask, shapes = values[kind]
                found[kind] = self._picture_features(pixels, states, mask, shapes, pool)
        if any(value is not None for value in values["audio"][:2]):
            found["audio"] = self._sound_features(*values["audio"])
        return found

    def token_counts(self, media: Mapping[str, Tensor | None]) -> dict[str, list[int]]:
        """Return how many tokens each medium becomes, by kind; nothing is encoded for that."""
        found: dict[str, list[int]] = {}
        shuffle, pool, stack = (
            self.config.vision_pixel_shuffle,
            self.config.video_pool,
            self.config.audio_stack,
        )
        for kind, parts in (("image", 1), ("video", pool)):
            pixels, states, _, shapes = (media.get(name) for name in MEDIA[kind])
            if (given := pixels if pixels is not None else states) is not None:
                grids = self._grids(len(given), shapes, pixels)
                sides = [[math.ceil(math.ceil(side / shuffle) / parts) for side in grid] for grid in grids]
                found[kind] = [math.prod(pair) for pair in sides]
        mel, states, tokens = (media.get(name) for name in MEDIA["audio"])
        if tokens is not None:
            found["audio"] = tokens.tolist()
        elif (given := mel if mel is not None else states) is not None:
            found["audio"] = [-(-self.config.audio_config.max_source_positions // stack)] * len(given)
        return found

    def _needed(self, sense: str) -> Any:
        if (encoder := self._encoder(sense)) is None:
            raise ValueError(f"this model has no {sense} encoder")
        return encoder

    def _projector(self, sense: str) -> Any:
        self._needed(sense)
        return getattr(self, f"{sense}_projector")


def _like(tensor: Tensor, module: nn.Module) -> Tensor:
    weight = next(module.parameters())
    return tensor.to(weight.device, weight.dtype)


def _is_trained(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())


def _pair(size: int | Sequence[int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
