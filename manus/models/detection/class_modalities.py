"""Decides what one model class of transformers takes in and gives out, in transformers' words.

The words are text, image, audio and video, and others (time, states) for what no modality of ours stands for.
Knows nothing of configurations.
"""

from __future__ import annotations

import re

from manus.models.detection import transformers_source
from manus.models.detection.source_class import SourceClass

# The names transformers gives to what goes into a model, and the words that name it less plainly.
_INPUT_NAMES = {
    "input_ids": "text",
    "pixel_values": "image",
    "pixel_values_videos": "video",
    "input_features": "audio",
    "input_values": "audio",
}
_INPUT_WORDS = {
    "text": ("input_ids", "text", "inputs_embeds"),
    "image": ("pixel", "image", "visual", "vision", "patches", "grid_thw", "mm_encoder_outputs"),
    "audio": ("audio", "input_features", "input_values", "spectrogram", "speech", "mm_encoder_outputs"),
    "video": ("video", "frame", "pixel", "visual", "grid_thw", "mm_encoder_outputs"),
}
_TEXT_TABLES = ("CAUSAL_LM", "CTC", "RNNT", "TDT", "MASKED_LM", "TEXT_RECOGNITION")
_MEDIA_TABLES = {
    "TEXT_TO_WAVEFORM": "audio",
    "TEXT_TO_SPECTROGRAM": "audio",
    "CAUSAL_IMAGE_MODELING": "image",
    "IMAGE_TO_IMAGE": "image",
}
_AUDIO_FIELDS = ("audio_values", "waveform", "spectrogram")
# What makes sound of a spectrogram or of codes, by the field's names for it; such classes return bare
# tensors.
_SPEAKERS = re.compile(r"Hifi-?Gan|Vocoder|VGAN|Token2Wav|Code2Wav|TokenizerDecoder", re.IGNORECASE)

# Where transformers itself says what is not so. Everything else is derived.
_CORRECTIONS = {
    # transcribes: its codec only encodes, and `generate` returns text
    ("KyutaiSpeechToTextForConditionalGeneration", "output_modalities"): ("text",),
    # writes the tokens of an image: the size of its head is `vision_vocab_size`
    ("GlmImageForConditionalGeneration", "output_modalities"): ("image",),
    # takes bytes: what it claims came with code from a vision model
    ("BltPreTrainedModel", "input_modalities"): ("text",),
    # `pixel_values` are the frames of one clip
    ("XCLIPModel", "input_modalities"): ("video", "text"),
    ("XCLIPVisionModel", "input_modalities"): ("video",),
}


def class_inputs(source: SourceClass, model_type: str) -> dict[str, str]:
    """Return what a class takes in, in transformers' words, each with where that is said."""
    parameters = source.parameters("forward", "generate", "encode")
    if parameters is None and source.outside == {"PreTrainedModel"}:
        return {}  # the common base of a family, not a model
    named = {
        _INPUT_NAMES[parameter]: f"{parameter} of {source.name}"
        for parameter in parameters or ("input_ids",)
        if parameter in _INPUT_NAMES
    }
    declared = _declared(source, "input_modalities")
    if declared:
        own = [
            name
            for name in declared
            if name not in _INPUT_WORDS or parameters is None or _takes(parameters, name)
        ]
        borrowed = [
            name for name in declared if name not in own and _is_prepared(name, model_type, bool(named))
        ]
        said = dict.fromkeys(own + borrowed, f"{source.name}.input_modalities")
        if own or not said:  # else input_ids carry what is declared, as in ImageGPT
            said |= {name: reason for name, reason in named.items() if name not in said and name != "image"}
        return said or dict.fromkeys(declared, f"{source.name}.input_modalities")
    main = source.literal("main_input_name")
    if named or not isinstance(main, str):
        return named or _guessed(parameters or (), source.name)
    return _guessed((main,), source.name) or {main: f"{source.name}.main_input_name"}


def generates(source: SourceClass) -> bool:
    """Say whether a class has `generate`: from GenerationMixin, or from a mixin that is named after it."""
    bases = {definition.name for definition in source.lineage} | source.outside
    return any(base.endswith("GenerationMixin") for base in bases)


def _declared(source: SourceClass, attribute: str) -> tuple[str, ...]:
    """Return the modalities a class or its nearest base declares, corrected where known to be wrong."""
    for definition in source.lineage:
        if (definition.name, attribute) in _CORRECTIONS:
            return _CORRECTIONS[definition.name, attribute]
    declared = source.literal(attribute) or ()
    return (declared,) if isinstance(declared, str) else tuple(declared)


def _guessed(parameters: tuple[str, ...], owner: str) -> dict[str, str]:
    """Return the first modality that a word in a parameter's name stands for."""
    for name, words in _INPUT_WORDS.items():
        for parameter in parameters:
            if any(word in parameter for word in words):
                return {name: f"{parameter} of {owner}"}
    return {}


def _takes(parameters: tuple[str, ...], name: str) -> bool:
    return any(word in parameter for parameter in parameters for word in _INPUT_WORDS[name])


def _is_prepared(name: str, model_type: str, has_named_inputs: bool) -> bool:
    """Say whether a declared input gets in under another's name; many classes inherit too wide a claim."""
    tables = transformers_source.tables()
    prepared = {
        "audio": model_type in tables["FEATURE_EXTRACTOR_MAPPING_NAMES"],
        "image": model_type in tables["IMAGE_PROCESSOR_MAPPING_NAMES"],
        "video": model_type in tables["VIDEO_PROCESSOR_MAPPING_NAMES"],
    }
    return name != "text" and (prepared[name] or not has_named_inputs)


def class_outputs(
    source: SourceClass, listed: tuple[str, ...], inputs: tuple[str, ...]
) -> tuple[tuple[str, ...], str]:
    """Return what a class gives out, in transformers' words, and where that is said."""
    declared = _declared(source, "output_modalities")
    if declared:
        return declared, f"{source.name}.output_modalities"
    for table in listed:
        for words, name in _MEDIA_TABLES.items():
            if words in table:
                return (name,), f"{table} lists {source.name}"
    if generates(source):
        return ("text",), f"{source.name} inherits GenerationMixin"
    for table in listed:
        if any(words in table for words in _TEXT_TABLES):
            return ("text",), f"{table} lists {source.name}"
    if any(word in field for field in source.returned_fields() for word in _AUDIO_FIELDS):
        return ("audio",), f"what {source.name} returns"
    if _SPEAKERS.search(source.name):
        return ("audio",), f"the name of {source.name}"
    if source.method("encode") and source.method("decode"):
        return tuple(name for name in inputs if name != "text"), f"{source.name} decodes what it encodes"
    return (), ""
