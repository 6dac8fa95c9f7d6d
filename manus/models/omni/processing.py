"""Prepares text, pictures, video and sound for the omni model. Knows nothing of weights.

How many tokens a medium becomes is said by its `MediaLayout`, which the preparation of data asks as well.
"""

# Shapes: T frames, H x W pixels, S samples of sound, M mel bands, N positions of the audio encoder.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import BatchFeature, WhisperFeatureExtractor
from transformers.models.auto.image_processing_auto import get_image_processor_class_from_name
from transformers.processing_utils import ProcessorMixin

from manus.data.sample import PLACEHOLDER, PLACEHOLDERS, Facts, MediumKind
from manus.models.omni.configuration import ManusOmniConfig
from manus.models.omni.layout import SAMPLES_PER_POSITION, SAMPLES_PER_SECOND, MediaLayout
from manus.models.omni.parts import plain
from manus.models.omni.reading import read_audio, read_frames, read_image, video_facts

__all__ = ["ManusOmniConfig", "ManusOmniProcessor"]


class ManusOmniProcessor(ProcessorMixin):
    """A tokenizer, and what prepares pictures and sound, as far as the model has those senses."""

    def __init__(
        self,
        tokenizer: Any = None,
        image_processor: Any = None,
        feature_extractor: Any = None,
        layout: Any = None,
        chat_template: Any = None,
    ) -> None:
        template = chat_template if chat_template is not None else getattr(tokenizer, "chat_template", None)
        super().__init__(tokenizer, chat_template=template)
        if isinstance(image_processor, dict):
            name = image_processor["image_processor_type"].removesuffix(
                "Pil"
            )  # the same everywhere, torchvision or not
            image_processor = get_image_processor_class_from_name(f"{name}Pil").from_dict(image_processor)
        if isinstance(feature_extractor, dict):
            feature_extractor = WhisperFeatureExtractor.from_dict(feature_extractor)
        self.image_processor, self.feature_extractor = image_processor, feature_extractor
        self.layout = layout if isinstance(layout, dict) else layout.to_dict()
        self.media_layout = MediaLayout.from_dict(self.layout)
        self.image_token, self.video_token, self.audio_token = PLACEHOLDERS.values()

    @classmethod
    def get_attributes(cls) -> list[str]:
        """Return what is stored in files of its own; the rest stands in processor_config.json."""
        return ["tokenizer"]

    @property
    def model_input_names(self) -> list[str]:
        """The names of what `__call__` returns."""
        media = ("pixel_values", "pixel_values_videos", "input_features", "audio_tokens")
        return [*self.tokenizer.model_input_names, *media]

    # One medium

    def pixels(self, image: Image.Image) -> torch.Tensor:
        """Return a picture as the vision encoder takes it: [3, H, W], or patches [P, d] where flexible."""
        pixels: torch.Tensor = self.image_inputs([image])["pixel_values"][0]
        return pixels

    def frame_pixels(self, frames: np.ndarray) -> torch.Tensor:
        """Return frames, uint8 [T, H, W, 3], as the vision encoder takes them: [T, 3, H, W] or [T, P, d]."""
        return self.image_inputs([Image.fromarray(frame) for frame in frames])["pixel_values"]

    def features(self, audio: np.ndarray) -> torch.Tensor:
        """Return sound, float32 [S], mono, 16 kHz, as a mel spectrogram [M, 2 N] with silence at its end."""
        if self.feature_extractor is None:
            raise ValueError("this model has no hearing: it takes no audio")
        window = (self.media_layout.audio_positions or 0) * SAMPLES_PER_POSITION
        prepared = self.feature_extractor(
            np.asarray(audio, dtype=np.float32)[:window],
            sampling_rate=SAMPLES_PER_SECOND,
            return_tensors="pt",
            padding="max_length",
            max_length=window,
            truncation=True,
        )
        mel: torch.Tensor = prepared["input_features"][0]
        return mel

    # Several media

    def image_inputs(self, images: Sequence[Image.Image]) -> dict[str, torch.Tensor]:
        """Return a model's inputs for pictures: `pixel_values`; masks, shapes if resolution is flexible."""
        if self.image_processor is None:
            raise ValueError("this model has no vision: it takes no pictures or videos")
        arrays = [np.asarray(image.convert("RGB")) for image in images]
        prepared = self.image_processor(arrays, return_tensors="pt", input_data_format="channels_last")
        return {name: prepared[name] for name in self.image_processor.model_input_names if name in prepared}

    def video_inputs(self, videos: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
        """Return the model's inputs for the frames [T, H, W, 3] of videos, all frames in one row."""
        names = {"pixel_values": "pixel_values_videos", "pixel_attention_mask": "video_attention_mask"}
        names["spatial_shapes"] = "video_spatial_shapes"
        frames = [Image.fromarray(frame) for video in videos for frame in video]
        return {names[name]: value for name, value in self.image_inputs(frames).items()}

    def audio_inputs(self, sounds: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
        """Return the model's inputs for sounds, float32 [S]: mel spectrograms, how many tokens each has."""
        tokens = [self.media_layout.audio_tokens(len(sound) / SAMPLES_PER_SECOND) for sound in sounds]
        features = torch.stack([self.features(sound) for sound in sounds])
        return {"input_features": features, "audio_tokens": torch.tensor(tokens)}

    # Text with media in it

    def __call__(
        self,
        images: Any = None,
        text: Any = None,
        videos: Any = None,
        audio: Any = None,
        return_tensors: str | None = "pt",
        **kwargs: Any,
    ) -> BatchFeature:
        """Prepare texts whose placeholders stand for the given media, in order.

        Args:
            images: one or several: PIL images, files, or arrays [H, W, 3]; also nested by text.
            text: one or several.
            videos: one or several: files, or frames of uint8 [T, H, W, 3] taken at `frames_per_second`.
            audio: one or several: files, or float32 [S], mono, 16 kHz.
            return_tensors: "pt", or None for lists of tokens.
            kwargs: for the tokenizer.

        Raises:
            ValueError: placeholders and media do not fit together, or a sense is missing.
        """
        kwargs = _without_kinds(kwargs)
        pictures = [_as_image(image) for image in _flat(images)]
        films = [self._film(video) for video in _flat(videos)]
        sounds = [_as_sound(sound) for sound in _flat(audio)]
        inputs: dict[str, Any] = {}
        inputs |= self.image_inputs(pictures) if pictures else {}
        inputs |= self.video_inputs([frames for frames, _ in films]) if films else {}
        inputs |= self.audio_inputs(sounds) if sounds else {}
        known: dict[MediumKind, list[Facts]] = {
            "image": [Facts(kind="image", width=each.width, height=each.height) for each in pictures],
            "video": [facts for _, facts in films],
            "audio": [Facts(kind="audio", seconds=len(sound) / SAMPLES_PER_SECOND) for sound in sounds],
        }
        if text is not None:
            texts = self._expanded([text] if isinstance(text, str) else list(text), known)
            tokens = self.tokenizer(texts, return_tensors=return_tensors, **kwargs)
            inputs = {**tokens, **inputs}
        return BatchFeature(inputs)

    def apply_chat_template(self, conversation: Any, chat_template: str | None = None, **kwargs: Any) -> Any:
        """Write conversations with the tokenizer's template; their content may be text, or a list of parts.

        Parts are {"type": "text", "text": ...}, {"type": "image", "image": ...}, and likewise video and
        audio.

        Args:
            conversation: one list of messages, or several.
            chat_template: instead of the model's own.
            kwargs: `tokenize`, `return_dict`, `return_tensors`, `padding`, ... as with any processor.

        Raises:
            ValueError: a text holds a placeholder itself.
        """
        is_one = not conversation or isinstance(conversation[0], Mapping)
        rows = [conversation] if is_one else conversation
        media: dict[MediumKind, list[Any]] = {"image": [], "video": [], "audio": []}
        written = [[plain(message, media) for message in row] for row in rows]
        should_tokenize, as_dict = kwargs.pop("tokenize", False), kwargs.pop("return_dict", False)
        for_call: dict[str, Any] = {
            key: kwargs.pop(key)
            for key in ("return_tensors", "padding", "truncation", "max_length")
            if key in kwargs
        }
        for_call |= dict(kwargs.pop("processor_kwargs", None) or {})
        template = chat_template or self.chat_template
        texts = [
            self.tokenizer.apply_chat_template(row, chat_template=template, tokenize=False, **kwargs)
            for row in written
        ]
        if not should_tokenize:
            return texts[0] if is_one else texts
        for_call.setdefault("add_special_tokens", False)  # the template has written them
        inputs = self(
            text=texts,
            images=media["image"] or None,
            videos=media["video"] or None,
            audio=media["audio"] or None,
            **for_call,
        )
        return inputs if as_dict else inputs["input_ids"]

    def batch_decode(self, *args: Any, **kwargs: Any) -> Any:
        """Return the texts of tokens."""
        return self.tokenizer.batch_decode(*args, **kwargs)

    def decode(self, *args: Any, **kwargs: Any) -> Any:
        """Return the text of tokens."""
        return self.tokenizer.decode(*args, **kwargs)

    def _expanded(self, texts: list[str], known: dict[MediumKind, list[Facts]]) -> list[str]:
        """Expand the placeholders of texts, which take the media of each kind one after another."""
        rest = {kind: list(facts) for kind, facts in known.items()}
        found = []
        for text in texts:
            kinds = [
                kind for token in PLACEHOLDER.findall(text) for kind in rest if PLACEHOLDERS[kind] == token
            ]
            missing = [kind for kind in rest if kinds.count(kind) > len(rest[kind])]
            if missing:
                raise ValueError(
                    f"more {PLACEHOLDERS[missing[0]]} in the text than there are media: {text[:80]!r}"
                )
            found.append(self.media_layout.expanded(text, [rest[kind].pop(0) for kind in kinds]))
        if left := {kind: len(facts) for kind, facts in rest.items() if facts}:
            raise ValueError(
                f"media without a placeholder in the text: {left}; "
                f"put {' '.join(PLACEHOLDERS.values())} there"
            )
        return found

    def _film(self, video: Any) -> tuple[np.ndarray, Facts]:
        """Return the frames [T, H, W, 3] that are looked at, and the facts that tell their times."""
        if isinstance(video, str | Path):
            facts = video_facts(Path(video))
            return read_frames(Path(video), self.media_layout.frame_times(facts["seconds"])), facts
        frames = np.asarray(video)
        if frames.ndim != 4 or not len(frames) or frames.shape[-1] != 3 or frames.dtype != np.uint8:
            raise ValueError(
                f"frames must be uint8 [T, H, W, 3]; these are {frames.dtype} {list(frames.shape)}"
            )
        seconds = len(frames) / self.media_layout.frames_per_second
        times = self.media_layout.frame_times(seconds)
        chosen = [min(len(frames) - 1, int(time / seconds * len(frames))) for time in times]
        facts = Facts(kind="video", width=frames.shape[2], height=frames.shape[1], seconds=seconds)
        return frames[chosen], facts


def _flat(media: Any) -> list[Any]:
    """Return one medium, several, or several by text, as one list."""
    if media is None:
        return []
    if not isinstance(media, list | tuple):
        return [media]
    if media and all(isinstance(each, Image.Image) for each in media):
        return list(media)
    return [one for each in media for one in (_flat(each) if isinstance(each, list | tuple) else [each])]


def _as_image(image: Any) -> Image.Image:
    if isinstance(image, Image.Image):
        return image.convert("RGB")
    return read_image(Path(image)) if isinstance(image, str | Path) else Image.fromarray(np.asarray(image))


def _as_sound(sound: Any) -> np.ndarray:
    if isinstance(sound, str | Path):
        return read_audio(Path(sound))
    samples = np.asarray(sound, dtype=np.float32)
    if samples.ndim != 1:
        raise ValueError(
            f"sound must be mono samples [S] at {SAMPLES_PER_SECOND} Hz; this is {list(samples.shape)}"
        )
    return samples


def _without_kinds(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the tokenizer's settings, given as such or as `text_kwargs`."""
    nested = kwargs.pop("text_kwargs", None) or {}
    return {**kwargs, **nested}
