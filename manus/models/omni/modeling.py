"""The omni model: a causal language model that reads pictures, video and sound at its text's placeholders.

What is not media goes through to the language model untouched, so text alone computes what the base computes.
"""

# Shapes: B rows, T tokens of a row, H hidden size, V vocabulary; I images, F frames, A sounds; P patches, N
# positions, D size of an encoder's states, M mel bands.

from __future__ import annotations

import inspect
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, GenerationMixin, PreTrainedModel

from manus.models.loaders import build_from
from manus.models.omni.configuration import ManusOmniConfig
from manus.models.omni.encoders import build_audio, build_vision, load_referenced
from manus.models.omni.features import Projector, shares
from manus.models.omni.quantisation import sparing_senses
from manus.models.omni.senses import MEDIA, Senses


def why_unfit(language_model: type[PreTrainedModel], config: Any) -> str | None:
    """Return why a language model cannot read features instead of tokens, None where it can."""
    parameters = inspect.signature(language_model.forward).parameters
    if getattr(config, "hidden_size_per_layer_input", None):
        return f"{config.model_type} looks tokens up in every layer, which features have no part in"
    if "inputs_embeds" not in parameters:
        return f"{language_model.__name__} takes no inputs_embeds"
    if "past_key_values" not in parameters:
        return (
            f"{language_model.__name__} keeps a state instead of keys and values, which generation with "
            "media needs"
        )
    return None


class ManusOmniForConditionalGeneration(Senses, PreTrainedModel, GenerationMixin):
    """A language model with senses; see `ManusOmniConfig`. Encoders are frozen, always in evaluation mode."""

    config_class = ManusOmniConfig
    base_model_prefix = ""
    main_input_name = "input_ids"
    input_modalities = ("image", "video", "audio", "text")
    output_modalities = ("text",)
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _skip_keys_device_placement = ["past_key_values"]  # noqa: RUF012 (transformers' way)

    def __init__(self, config: ManusOmniConfig) -> None:
        super().__init__(config)
        self.language_model = build_from(AutoModelForCausalLM, config.text_config)
        if reason := why_unfit(type(self.language_model), config.text_config):
            raise ValueError(f"this text model cannot get senses: {reason}")
        self._is_stateful = self.language_model._is_stateful
        self.vision_encoder = self.vision_projector = self.audio_encoder = self.audio_projector = None
        hidden, gain = self.get_input_embeddings().embedding_dim, config.text_embedding_rms
        if config.vision_config is not None:
            self.vision_encoder = build_vision(config.vision_config)
            width = config.vision_config.hidden_size * config.vision_pixel_shuffle**2
            self.vision_projector = Projector(width, hidden, gain)
        if config.audio_config is not None:
            self.audio_encoder = build_audio(config.audio_config)
            self.audio_projector = Projector(config.audio_config.d_model * config.audio_stack, hidden, gain)
        self._keys_to_ignore_on_load_missing = [rf"^{sense}_encoder\." for sense in config.encoders or ()]
        self._keys_to_ignore_on_save = [
            f"{sense}_encoder.{key}"
            for sense in config.encoders or ()
            for key in self._encoder(sense).state_dict()
        ]
        self.post_init()
        self._freeze_encoders()

    # What transformers asks of every language model

    def get_input_embeddings(self) -> Any:
        """Return the language model's embedding."""
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the language model's embedding."""
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> Any:
        """Return the language model's head."""
        return self.language_model.get_output_embeddings()

    def set_output_embeddings(self, value: nn.Module) -> None:
        """Replace the language model's head."""
        self.language_model.set_output_embeddings(value)

    @property
    def base_model(self) -> Any:
        """The language model without its head, which TRL asks for the states of texts; it knows no media."""
        return self.language_model.base_model

    def get_decoder(self, *args: Any, **kwargs: Any) -> Any:
        """Return the language model without its head."""
        return self.language_model.get_decoder()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, Projector):
            module.initialise()
        elif not isinstance(
            module, nn.Linear | nn.LayerNorm
        ):  # those of the projector have been drawn with it
            super()._init_weights(module)

    # Frozen encoders

    def _freeze_encoders(self) -> None:
        for encoder in self._encoders():
            nn.Module.requires_grad_(encoder, False)
            encoder.eval()

    def train(self, mode: bool = True) -> ManusOmniForConditionalGeneration:
        """Set the mode of everything but the encoders."""
        super().train(mode)
        for encoder in self._encoders():
            encoder.eval()
        return self

    def requires_grad_(self, requires_grad: bool = True) -> ManusOmniForConditionalGeneration:
        """Let everything but the encoders be trained, or nothing."""
        super().requires_grad_(requires_grad)
        self._freeze_encoders()
        return self

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Any:
        """Load a checkpoint, and the encoders that it refers to. Only the language model is ever quantised.

        Raises:
            ModelError: an encoder that is referred to is gone, or is another one.
        """
        if (quantization := kwargs.get("quantization_config")) is not None:
            kwargs["quantization_config"] = sparing_senses(quantization)
        loaded = super().from_pretrained(*args, **kwargs)
        model = loaded[0] if isinstance(loaded, tuple) else loaded
        for sense, reference in (model.config.encoders or {}).items():
            found = load_referenced(sense, reference, getattr(model.config, f"{sense}_config"))
            model._encoder(sense).load_state_dict(found.state_dict())
        model._freeze_encoders()
        return loaded

    # The language model with features in it

    def embedded(self, input_ids: Tensor, **media: Tensor | None) -> Tensor:
        """Return the embeddings [B, T, H] of a text whose placeholders are filled with the features of media.

        Raises:
            ValueError: there are more or fewer placeholders than features, with both numbers and the sense.
        """
        for token in self.config.reserved_token_ids or ():
            if bool((input_ids == token).any()):
                raise ValueError(
                    f"the text holds the token {token}, which is for what this model neither takes nor gives"
                )
        features = self.features_of(media)
        ids_BT = input_ids
        for token in self.config.special_token_ids:
            if token >= self.config.text_config.vocab_size:
                ids_BT = ids_BT.masked_fill(ids_BT == token, 0)
        embeds_BTH: Tensor = self.get_input_embeddings()(ids_BT)
        for kind, token in self.config.placeholder_ids.items():
            is_place_BT = input_ids == token
            mine = features.get(kind, [])
            if not mine and not bool(is_place_BT.any()):
                continue
            shares(is_place_BT.sum(1).tolist(), [len(medium) for medium in mine], kind)
            joined = torch.cat(mine).to(embeds_BTH.device, embeds_BTH.dtype)
            embeds_BTH = embeds_BTH.masked_scatter(is_place_BT[..., None], joined)
        return embeds_BTH

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        pixel_values: Tensor | None = None,
        pixel_attention_mask: Tensor | None = None,
        spatial_shapes: Tensor | None = None,
        pixel_values_videos: Tensor | None = None,
        video_attention_mask: Tensor | None = None,
        video_spatial_shapes: Tensor | None = None,
        input_features: Tensor | None = None,
        audio_tokens: Tensor | None = None,
        image_states: Tensor | None = None,
        video_states: Tensor | None = None,
        audio_states: Tensor | None = None,
        is_generating: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Run the language model on a text and the media in it.

        Args:
            pixel_values: all images of the batch, in order: [I, 3, height, width], or patches [I, P, d] with
                `pixel_attention_mask` [I, P] and `spatial_shapes` [I, 2].
            pixel_values_videos: all frames of all videos, in order, likewise.
            input_features: all sounds, in order: mel spectrograms [A, M, 2 N].
            audio_tokens: [A], how many tokens each sound has; all without it.
            image_states: [I, P, D] instead of pixels, as `encode_images` returns them; `video_states` [F, P,
                D] and `audio_states` [A, N, D] likewise.
            is_generating: give all `vocab_size` logits, those of placeholders and of ids without a token
                -inf.
            kwargs: go through to the language model.

        Raises:
            ValueError: there are more or fewer placeholders than features, or a sense is missing.
        """
        media = {
            "pixel_values": pixel_values,
            "image_states": image_states,
            "pixel_attention_mask": pixel_attention_mask,
            "spatial_shapes": spatial_shapes,
            "pixel_values_videos": pixel_values_videos,
            "video_states": video_states,
            "video_attention_mask": video_attention_mask,
            "video_spatial_shapes": video_spatial_shapes,
            "input_features": input_features,
            "audio_states": audio_states,
            "audio_tokens": audio_tokens,
        }
        if input_ids is not None and inputs_embeds is None and self._has_media(input_ids, media):
            inputs_embeds = self.embedded(input_ids, **media)
            input_ids = None
            if position_ids is None and past_key_values is None:
                position_ids = _positions(attention_mask)
        if position_ids is not None and self._knows_positions():
            kwargs["position_ids"] = position_ids
        if labels is not None:
            labels = labels.masked_fill(torch.isin(labels, self._special_ids(labels.device)), -100)
        given = {
            "attention_mask": attention_mask,
            "past_key_values": past_key_values,
            "inputs_embeds": inputs_embeds,
            "labels": labels,
            "use_cache": use_cache,
            "logits_to_keep": logits_to_keep,
        }
        kwargs |= {name: value for name, value in given.items() if _is_said(value)}
        outputs = self.language_model(input_ids=input_ids, **kwargs)
        if is_generating:
            outputs.logits = self._writable(outputs.logits)
        return outputs

    def _special_ids(self, device: torch.device) -> Tensor:
        return torch.tensor(self.config.special_token_ids, device=device, dtype=torch.long)

    def _has_media(self, input_ids: Tensor, media: dict[str, Tensor | None]) -> bool:
        if any(value is not None for value in media.values()):
            return True
        return bool(torch.isin(input_ids, self._special_ids(input_ids.device)).any())

    def _knows_positions(self) -> bool:
        return "position_ids" in inspect.signature(type(self.language_model).forward).parameters

    def _writable(self, logits_BTV: Tensor) -> Tensor:
        """Return logits [B, T, vocab_size] in which only tokens of text can be chosen."""
        missing = self.config.vocab_size - logits_BTV.shape[-1]
        logits_BTV = F.pad(logits_BTV, (0, max(0, missing)), value=float("-inf"))
        if self.config.text_tokens is not None:
            logits_BTV[..., self.config.text_tokens :] = float("-inf")
        logits_BTV[..., self.config.special_token_ids] = float("-inf")
        return logits_BTV

    # Generation

    def prepare_inputs_for_generation(
        self, input_ids: Tensor, is_first_iteration: bool | None = False, **kwargs: Any
    ) -> dict[str, Any]:
        """Return the inputs of one step: media only with the prompt, unless nothing is cached."""
        media = {name: kwargs.pop(name) for names in MEDIA.values() for name in names if name in kwargs}
        inputs: dict[str, Any] = self.language_model.prepare_inputs_for_generation(
            input_ids, is_first_iteration=is_first_iteration, **kwargs
        )
        if is_first_iteration or not kwargs.get("use_cache", True):
            inputs |= media
        return inputs | {"is_generating": True}

    def _expand_inputs_for_generation(
        self,
        expand_size: int = 1,
        is_encoder_decoder: bool = False,
        input_ids: Tensor | None = None,
        **kwargs: Any,
    ) -> tuple[Tensor | None, dict[str, Any]]:
        """Repeat every row, and the media of every row as a block."""
        media = {
            name: kwargs.pop(name)
            for names in MEDIA.values()
            for name in names
            if kwargs.get(name) is not None
        }
        if media and expand_size > 1 and input_ids is not None:
            tokens = self.token_counts(media)
            for kind, token in self.config.placeholder_ids.items():
                dealt = shares((input_ids == token).sum(1).tolist(), tokens.get(kind, []), kind)
                order = [number for mine in dealt for _ in range(expand_size) for number in mine]
                media |= {name: media[name][order] for name in MEDIA[kind] if name in media}
        ids, expanded = super()._expand_inputs_for_generation(
            expand_size=expand_size, is_encoder_decoder=is_encoder_decoder, input_ids=input_ids, **kwargs
        )
        return ids, expanded | media


def _is_said(value: Any) -> bool:
    """Tell whether an argument is more than the default, which a part of the language model may not know."""
    return value is not None and not (isinstance(value, int) and not isinstance(value, bool) and value == 0)


def _positions(attention_mask: Tensor | None) -> Tensor | None:
    """Return positions [B, T] that do not count padding, None where nothing is padded."""
    if attention_mask is None or attention_mask.dim() != 2 or bool(attention_mask.all()):
        return None
    return (attention_mask.long().cumsum(-1) - 1).clamp(min=0)
