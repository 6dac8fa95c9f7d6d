"""A model in memory, and what must be known to put conversations to it, in a terminal or behind a server.

Knows nothing of requests, and nothing of who asks.

Shapes: T tokens of a prompt.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import Environment, TemplateSyntaxError, meta
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from manus.data.sample import NEVER_WRITTEN, MediumKind
from manus.data.tokens.chat_templates import opened_thought, placed, template_at_work
from manus.errors import InputError, blamed_on
from manus.models.detection.modalities import OMNI
from manus.models.generation.inputs import on_device
from manus.models.generation.settings import ends_of_turn
from manus.models.generation_file import generation_settings
from manus.models.loaders import load_from
from manus.models.loading.composition import load_model
from manus.models.loading.precision import device, held_dtype, precision_of
from manus.models.native.layout import OwnLayout
from manus.models.omni.layout import MediaLayout
from manus.models.senses.inputs import layout_of
from manus.models.speech.names import speaks
from manus.models.speech.voice import Voice
from manus.models.tokenizer import load_tokenizer
from manus.models.vocabulary import fit_special_tokens

TAIL_TOKENS = 16  # of a prompt, in which a template may open a thought
ENGINE_TEXT = ("input_ids", "attention_mask")


@dataclass(frozen=True, slots=True)
class Asked:
    """A conversation as a model takes it: tokens [T], its media, and the thought the prompt opens, if any."""

    ids: list[int]
    media: dict[str, Any]
    thought: str


@dataclass
class Hosted:
    """A model, its tokenizer and what it makes of media; several threads may call `asked` and `tokens`."""

    name: str
    folder: Path
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    layout: Any
    preparer: Any = None  # of an omni model
    voice: Voice | None = None  # of a model that speaks
    tools_in_system: bool = False  # functions stand in the system turn, as Manus teaches them
    lock: threading.Lock = field(
        default_factory=threading.Lock
    )  # tokenizers change their own state as they work

    @classmethod
    def load(cls, folder: Path, name: str, tools_in_system: bool | None = None) -> Hosted:
        """Load a model from its folder.

        Args:
            folder: with config.json and safetensors.
            name: what clients call it.
            tools_in_system: where functions are shown; None finds out.

        Raises:
            ModelError: it cannot be loaded.
        """
        model = load_model(folder, held_dtype(precision_of("auto")), device()).eval()
        layout: Any = layout_of(folder) or MediaLayout()
        preparer = None
        if isinstance(layout, OwnLayout):
            tokenizer = layout.tokenizer
        elif model.config.model_type == OMNI:
            from transformers import AutoProcessor  # once the omni checkpoint's classes are there

            preparer = load_from(AutoProcessor, folder, f"{folder}: cannot load its processor")
            tokenizer = preparer.tokenizer
            fit_special_tokens(tokenizer, folder)
        else:
            tokenizer = load_tokenizer(folder)
        in_system = tools_in_system if tools_in_system is not None else learned_calls(folder)
        own = isinstance(layout, OwnLayout)
        shown_in_system = own or in_system or not shows_tools(tokenizer)
        voice = Voice.beside(folder, model, tokenizer) if speaks(folder) else None
        hosted = cls(name, folder, model, tokenizer, layout, preparer, voice, shown_in_system)
        assert hosted.ends is not None  # asks the template, so not within a request
        return hosted

    @property
    def senses(self) -> set[MediumKind]:
        """The kinds of media that the model takes in."""
        return set(self.layout.senses)

    @cached_property
    def context(self) -> int | None:
        """How many tokens the model reads at most, prompt and answer together."""
        most: int | None = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        return most

    @cached_property
    def vocabulary(self) -> int:
        """How many logits the model gives for a token."""
        return int(self.model.config.get_text_config().vocab_size)

    @cached_property
    def ends(self) -> tuple[int, ...]:
        """The tokens that end an answer."""
        return tuple(ends_of_turn(self.model, self.tokenizer))

    @cached_property
    def drawn_by_default(self) -> dict[str, Any]:
        """How answers are drawn where no request says: as the model's settings do, else likeliest token."""
        told = generation_settings(self.folder)
        if not told.get("do_sample"):
            return {"temperature": 0.0, "top_p": 1.0, "top_k": 0}
        return {
            "temperature": float(told.get("temperature") or 1.0),
            "top_p": float(told.get("top_p") or 1.0),
            "top_k": int(told.get("top_k") or 0),
        }

    def asked(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] | None
    ) -> Asked:
        """Return a conversation as the model takes it.

        Args:
            messages: turns; contents are texts, or lists of parts where the model has senses: pictures, files
                of videos, float32 [S] of sound.
            tools: functions for the chat template to show.

        Raises:
            InputError: the template or the processor refuses it.
        """
        with self.lock, blamed_on("this conversation cannot be put to the model", InputError):
            inputs = self._inputs(messages, tools)
            ids = inputs["input_ids"][0].tolist()
            tail = str(self.tokenizer.decode(ids[-TAIL_TOKENS:], skip_special_tokens=False))
        unused = ENGINE_TEXT if isinstance(self.layout, OwnLayout) else (*ENGINE_TEXT, "token_type_ids")
        media = on_device({key: value for key, value in inputs.items() if key not in unused}, self.model)
        return Asked(ids, media, opened_thought(tail))

    def refuse_unmeant(self, text: str) -> None:
        """See to it that a text does not hold what stands for a medium.

        Raises:
            InputError: it does.
        """
        with blamed_on("this conversation cannot be put to the model", InputError):
            if isinstance(self.layout, OwnLayout):
                self.layout.refuse_unmeant(text)
            elif found := NEVER_WRITTEN.search(text):
                raise InputError(f"a text holds {found[0]}; give the medium as a part of its own instead")

    def tokens(self, text: str) -> list[int]:
        """Return a bare text as the model reads it, with what begins a text for it."""
        with self.lock:
            ids: list[int] = self.tokenizer(text, add_special_tokens=True)["input_ids"]
        return ids

    def _inputs(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] | None
    ) -> dict[str, Any]:
        if isinstance(self.layout, OwnLayout):
            return self.layout.asked(placed(self.tokenizer, messages))
        shown = {"tools": list(tools)} if tools else {}
        with template_at_work():
            return dict(
                (self.preparer or self.tokenizer).apply_chat_template(
                    list(placed(self.tokenizer, messages)),
                    tokenize=True,
                    return_dict=True,
                    return_tensors="pt",
                    add_generation_prompt=True,
                    **shown,
                )
            )


def shows_tools(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Tell whether a tokenizer's chat template shows functions by itself."""
    template = tokenizer.get_chat_template(tools=[])
    try:
        return "tools" in meta.find_undeclared_variables(Environment().parse(template))
    except TemplateSyntaxError:  # tags that only transformers' own environment knows, as {% generation %}
        return "tools" in template


def learned_calls(folder: Path) -> bool:
    """Tell whether a model shown in a recipe's folder learned calls there, by evaluations beside it."""
    found = (folder.parent / "evaluations").glob("*.json") if folder.name == "merged" else ()
    return any(json.loads(file.read_text(encoding="utf-8")).get("capability") == "tools" for file in found)
