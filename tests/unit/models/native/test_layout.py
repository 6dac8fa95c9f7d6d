"""Conversations with media become the tokens of the base's own processor, or are refused with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import Idefics2ImageProcessorPil, Idefics2Processor

from manus.data.preparation.media_intake import refuse_unmeant
from manus.data.sample import RowError, Sample
from manus.errors import ModelError
from manus.models.native.layout import OwnLayout
from tests.pico_native import ONLY_PARTS, SEEING, llava, tokenizer
from tests.pico_native_more import EVERY, made
from tests.unit.models.omni.small import film, picture, sound


class Media:
    """Pictures by numbers below ten, sounds from ten, a film as number twenty."""

    def facts(self, number: int) -> Any:
        return (
            {"kind": "image", "width": 40, "height": 24} if number < 10 else {"kind": "audio", "seconds": 0.7}
        )

    def image(self, number: int) -> Image.Image:
        return picture(number, 40 + 8 * number, 24)

    def audio(self, number: int) -> np.ndarray:
        return sound(number)

    def frames(self, number: int, times: Any) -> np.ndarray:
        return film(number, len(times))


def turns(kind: str, count: int, first: int = 0) -> Sample:
    messages: list[Any] = []
    for number in range(count):
        messages += [
            {"role": "user", "content": f"<|{kind}|>\nWhat is it?"},
            {"role": "assistant", "content": f"The {number}"},
        ]
    media: list[Any] = [{"kind": kind, "number": first + number} for number in range(count)]
    return {"messages": messages, "media": media}


@pytest.fixture(scope="module", params=list(EVERY))
def layout(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> OwnLayout:
    return OwnLayout.of(made(request.param, tmp_path_factory.mktemp(request.param)))


def kind_of(layout: OwnLayout) -> str:
    return "image" if "image" in layout.senses else "audio"


def test_answers_are_learned_wherever_media_stand(layout: OwnLayout) -> None:
    kind = kind_of(layout)
    tokens = layout.rendered(turns(kind, 3, 0 if kind == "image" else 10), Media())
    learned = [token for token, is_in in zip(tokens.ids, tokens.is_learned, strict=True) if is_in]
    assert layout.tokenizer.decode(learned) == "".join(f"The {number}<|im_end|>\n" for number in range(3))


THOUGHTS = (
    "{%- if m['role'] == 'assistant' and not loop.last -%}"
    "{{ (m['content'] if m['content'] is string else m['content'][0]['text']).split('</think>')[-1] }}"
    "{%- else -%}"
)


def test_a_turn_that_is_shown_otherwise_is_learned_apart_with_the_media_up_to_it(layout: OwnLayout) -> None:
    """As Qwen3-VL's template does, it drops the thoughts of earlier turns."""
    kind = kind_of(layout)
    template = layout.tokenizer.chat_template
    written = "{%- if m['content'] is string -%}"
    begin = template.index(written if written in template else "{%- for part in m['content']")
    end = template.index("<|im_end|>{{" if "<|im_end|>{{" in template else "<end_of_utterance>")
    changed = f"{template[:begin]}{THOUGHTS}{template[begin:end]}{{%- endif -%}}{template[end:]}"
    layout.tokenizer.chat_template = changed
    try:
        sample = turns(kind, 3, 0 if kind == "image" else 10)
        for place in (1, 5):
            sample["messages"][place]["content"] = f"<think>hm</think>The {place}"
        pieces = list(layout.renderings(sample, Media()))
        said = [
            layout.tokenizer.decode(
                [t for t, is_in in zip(piece.ids, piece.is_learned, strict=True) if is_in]
            )
            for piece in pieces
        ]
        end_mark = said[0][said[0].index("The 1") + 5 : said[0].index("<think>")]
        assert said == [
            f"The 1{end_mark}<think>hm</think>The 5{end_mark}",
            f"<think>hm</think>The 1{end_mark}",
        ]
        assert [piece.turns for piece in pieces] == [None, 2]
        first: Sample = {"messages": sample["messages"][:2], "media": sample["media"][:1]}
        assert pieces[1].ids == layout.rendered(first, Media()).ids
    finally:
        layout.tokenizer.chat_template = template


def test_tokens_and_inputs_fit_together(layout: OwnLayout) -> None:
    """The processor's call on a whole conversation gives the same as tokens kept and media prepared later."""
    kind = kind_of(layout)
    sample = turns(kind, 2, 0 if kind == "image" else 10)
    media = layout.decoded(sample["media"], Media())
    text = layout.tokenizer.apply_chat_template(
        layout.in_parts(sample["messages"], sample["media"]), tokenize=False
    )
    given: dict[str, Any] = {f"{kind}s" if kind == "image" else kind: [value for _, value in media]}
    given = {"images": [given["images"]]} if kind == "image" else given
    whole = layout.processor(text=[text], **given, add_special_tokens=False, return_tensors="pt")
    ids = torch.tensor([layout.rendered(sample, Media()).ids])
    kept = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        **layout.marks(ids),
        **layout.media([media]),
    }
    assert kept.keys() == whole.keys()
    assert all(torch.equal(whole[name], kept[name]) for name in kept)


def test_a_turn_of_the_assistant_with_media_that_is_not_learned_is_read(layout: OwnLayout) -> None:
    kind = kind_of(layout)
    sample = turns(kind, 2, 0 if kind == "image" else 10)
    sample["messages"][1] = {"role": "assistant", "content": f"<|{kind}|>\nSee.", "learn": False}
    sample["media"] = [*sample["media"], {**sample["media"][0]}]
    tokens = layout.rendered(sample, Media())
    learned = [token for token, is_in in zip(tokens.ids, tokens.is_learned, strict=True) if is_in]
    assert layout.tokenizer.decode(learned) == "The 1<|im_end|>\n"


@pytest.mark.parametrize("family", ["llava", "qwen2_vl"])
def test_a_video_is_its_frames_with_their_times(tmp_path: Path, family: str) -> None:
    layout = OwnLayout.of(made(family, tmp_path))
    sample = turns("video", 1, 20)
    sample["media"][0]["seconds"] = 1.6
    tokens = layout.rendered(sample, Media())
    text = layout.tokenizer.decode(tokens.ids)
    assert text.index("<0.3 seconds>") < text.index("<0.8 seconds>") < text.index("<1.3 seconds>")
    given = layout.media([layout.decoded(sample["media"], Media())])
    assert len(given.get("image_grid_thw", given["pixel_values"])) == 3


@pytest.mark.parametrize("family", list(SEEING))
def test_what_would_be_taken_for_a_medium_is_refused(tmp_path: Path, family: str) -> None:
    layout = OwnLayout.of(made(family, tmp_path))
    mark = layout.own_placeholders["image"]
    unmeant: Sample = {
        "messages": [{"role": "user", "content": f"a {mark} b"}, {"role": "assistant", "content": "c"}]
    }
    with pytest.raises(RowError, match="stands in a text and would be taken for a medium"):
        refuse_unmeant(unmeant, layout)
    with pytest.raises(RowError, match="takes in image, video, not audio"):
        refuse_unmeant(turns("audio", 1, 10), layout)


def test_a_rate_of_sound_that_is_not_kept_is_no_sense(tmp_path: Path) -> None:
    layout = OwnLayout.of(made("qwen2_audio", tmp_path))
    assert layout.senses == {"audio"}
    layout.processor.feature_extractor.sampling_rate = 24_000
    with pytest.raises(RowError, match="takes in text only, not audio"):
        refuse_unmeant(turns("audio", 1, 10), OwnLayout(tmp_path, layout.processor, layout.tokenizer))


def test_a_template_that_forgets_pictures_is_refused(tmp_path: Path) -> None:
    folder = llava(tmp_path)
    template = folder / "chat_template.jinja"
    template.write_text(template.read_text().replace("<image>", ""))
    with pytest.raises(RowError, match="refuses it: The total number of <image> tokens"):
        OwnLayout.of(folder).rendered(turns("image", 1), Media())


def test_a_processor_that_needs_the_text_to_prepare_pictures_is_refused(tmp_path: Path) -> None:
    layout = OwnLayout.of(llava(tmp_path))
    own = type(layout.processor)

    class Peeking(own):  # type: ignore[valid-type, misc]
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            made = super().__call__(*args, **kwargs)
            return (
                made
                if not made.get("input_ids", [[]])[0].numel() > 30
                else made | {"mask": made["input_ids"] > 3}
            )

    layout.processor.__class__ = Peeking
    with pytest.raises(ModelError, match="mask depends on the text around a medium"):
        layout.rendered(turns("image", 1), Media())


def test_a_processor_that_hides_where_media_stand_is_refused(tmp_path: Path) -> None:
    tokens = tokenizer(
        ONLY_PARTS.replace("MARK", "<image>"), "<image>", "<fake_token_around_image>", "<end_of_utterance>"
    )
    processor = Idefics2Processor(Idefics2ImageProcessorPil(), tokens, chat_template=tokens.chat_template)
    folder = llava(tmp_path / "llava")
    processor.save_pretrained(folder)
    with pytest.raises(ModelError, match="does not say where media stand"):
        OwnLayout.of(folder).rendered(turns("image", 1), Media())
