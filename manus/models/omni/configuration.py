"""The configuration of an omni checkpoint. Knows nothing of weights."""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec

from manus.models.omni.registration import ask_for_model


class ManusOmniConfig(PreTrainedConfig):
    """A language model, the encoders of its senses, and the projectors between them.

    `text_config` keeps the base's configuration; its vocabulary is not enlarged. `vocab_size` counts the
    placeholders too, `text_tokens` those tokens that the base's tokenizer has. `encoders` names, by sense
    (`vision`, `audio`), the weights that are referred to instead of stored, with their digest. The
    configurations of what a model gives out have their place and are None for now.
    """

    model_type = "manus_omni"
    sub_configs_defaults = {  # noqa: RUF012 (transformers' way)
        "text_config": SubConfigSpec(AutoConfig, model_type="llama"),
        "vision_config": SubConfigSpec(AutoConfig, model_type="siglip_vision_model", optional=True),
        "audio_config": SubConfigSpec(AutoConfig, model_type="whisper", optional=True),
        "codec_config": SubConfigSpec(AutoConfig, model_type="mimi", optional=True),
    }
    text_config: Any = None
    vision_config: Any = None
    audio_config: Any = None
    codec_config: Any = None
    talker_config: dict[str, Any] | None = None
    vision_output_config: dict[str, Any] | None = None
    video_output_config: dict[str, Any] | None = None
    encoders: dict[str, Any] | None = None
    image_token_id: int | None = None
    video_token_id: int | None = None
    audio_token_id: int | None = None
    reserved_token_ids: list[int] | None = None
    vocab_size: int | None = None
    text_tokens: int | None = None
    text_embedding_rms: float = 1.0
    vision_grid: list[int] | None = None
    vision_feature_layer: int = -2
    vision_pixel_shuffle: int = 2
    video_pool: int = 2
    audio_stack: int = 4
    tie_word_embeddings: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        super().__post_init__(**kwargs)
        ask_for_model()
        self.tie_word_embeddings = False  # the language model ties itself, as `text_config` says
        text = self.text_config
        for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
            if getattr(self, name, None) is None:
                setattr(self, name, getattr(text, name, None))
        if self.vocab_size is None:
            self.vocab_size = max([text.vocab_size, *(token + 1 for token in self.special_token_ids)])

    @property
    def placeholder_ids(self) -> dict[str, int]:
        """The tokens whose places are filled with features, by kind of medium."""
        ids = {"image": self.image_token_id, "video": self.video_token_id, "audio": self.audio_token_id}
        return {kind: token for kind, token in ids.items() if token is not None}

    @property
    def special_token_ids(self) -> list[int]:
        """The tokens that the language model never writes."""
        return sorted({*self.placeholder_ids.values(), *(self.reserved_token_ids or ())})
