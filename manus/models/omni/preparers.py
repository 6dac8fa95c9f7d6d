"""What prepares media for encoders, as an omni checkpoint has it: read beside an encoder, shown as layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoImageProcessor, PreTrainedConfig, WhisperFeatureExtractor

from manus.errors import ModelError
from manus.models.loaders import load_from
from manus.models.omni.encoders import FLEXIBLE
from manus.models.omni.layout import SAMPLES_PER_SECOND, MediaLayout
from manus.models.omni.settings import OmniSettings


def image_processor(folder: Path, config: PreTrainedConfig) -> Any:
    """Return what prepares pictures; it shows all of one to an encoder of fixed resolution, nothing cut off.

    Raises:
        ModelError: there is none in the folder.
    """
    failed = f"{folder}: cannot load its image processor (preprocessor_config.json)"
    processor = load_from(AutoImageProcessor, folder, failed, backend="pil")
    if config.model_type == FLEXIBLE:
        return processor
    size = config.image_size
    crop = getattr(processor, "crop_size", None)
    if config.model_type.startswith("dinov2") and crop:  # trained at another resolution than it is used at
        size = [crop["height"], crop["width"]]
    high, wide = (size, size) if isinstance(size, int) else size
    patch = config.patch_size if isinstance(config.patch_size, int) else config.patch_size[0]
    settings = processor.to_dict() | {
        "size": {"height": high - high % patch, "width": wide - wide % patch},
        "do_center_crop": False,
        "do_resize": True,
        "do_convert_rgb": True,
    }
    return type(processor).from_dict(settings)


def feature_extractor(folder: Path, config: PreTrainedConfig) -> WhisperFeatureExtractor:
    """Return what prepares sound.

    Raises:
        ModelError: there is none in the folder, or it does not go with the encoder.
    """
    failed = f"{folder}: cannot load its feature extractor (preprocessor_config.json)"
    extractor: WhisperFeatureExtractor = load_from(WhisperFeatureExtractor, folder, failed)
    if extractor.feature_size != config.num_mel_bins or extractor.sampling_rate != SAMPLES_PER_SECOND:
        raise ModelError(
            f"{folder}: its feature extractor gives {extractor.feature_size} mel bands at "
            f"{extractor.sampling_rate} Hz, its encoder takes {config.num_mel_bins} at "
            f"{SAMPLES_PER_SECOND} Hz"
        )
    return extractor


def media_layout(
    images: Any, seen: PreTrainedConfig | None, heard: PreTrainedConfig | None, settings: OmniSettings
) -> MediaLayout:
    """Return how many tokens media become.

    Args:
        images: what prepares pictures, where there is vision.
        seen: the configuration of the vision encoder.
        heard: the configuration of the audio encoder.
        settings: what the recipe says.
    """
    is_flexible = seen is not None and seen.model_type == FLEXIBLE
    grid = None
    if seen is not None and not is_flexible:
        high, wide = (seen.patch_size,) * 2 if isinstance(seen.patch_size, int) else seen.patch_size
        grid = (images.size["height"] // high, images.size["width"] // wide)
    return MediaLayout(
        grid=grid,
        patch_size=images.patch_size if is_flexible else None,
        most_patches=images.max_num_patches if is_flexible else None,
        pixel_shuffle=settings.vision_pixel_shuffle,
        video_pool=settings.video_pool,
        frames_per_second=settings.frames_per_second,
        most_frames=settings.most_frames,
        audio_positions=heard.max_source_positions if heard is not None else None,
        audio_stack=settings.audio_stack,
    )
