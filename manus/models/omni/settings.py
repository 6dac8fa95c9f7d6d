"""What a recipe may say about an omni checkpoint's senses. Knows nothing of models."""

from __future__ import annotations

from pydantic import Field

from manus.settings.frozen import Frozen


class OmniSettings(Frozen):
    """How many tokens a picture, a video and a sound become, and what of the encoders they are made of."""

    vision_feature_layer: int = Field(
        -2, description="Which layer of the vision encoder is looked at; -1 is its end."
    )
    vision_pixel_shuffle: int = Field(
        2, ge=1, le=8, description="So many patches, squared, become one token."
    )
    video_pool: int = Field(
        2, ge=1, le=16, description="So many tokens of a frame, squared, are averaged into one."
    )
    frames_per_second: float = Field(
        2.0, gt=0, description="How many frames of a second of video are looked at."
    )
    most_frames: int = Field(
        16, ge=1, description="A longer video gets no more frames; they lie further apart."
    )
    audio_stack: int = Field(
        4, ge=1, le=32, description="So many positions of the audio encoder become one token."
    )
    longest_audio_seconds: float | None = Field(
        None,
        gt=0,
        description="Shorten the audio encoder's window to this (30 s for Whisper): faster, less exact.",
    )
