"""Rows with media, as peers and hub data sets write them, become one conversation with placeholders."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from manus.data.forms.media import as_media_messages, rows_within
from manus.data.forms.messages import as_messages
from manus.data.sample import RowError

IMAGE, VIDEO, AUDIO = "<|image|>", "<|video|>", "<|audio|>"
ASKED = {"question": "What is it?", "answer": "A cat."}


def turns(row: dict[str, Any]) -> list[str]:
    return [message["content"] for message in as_media_messages(row)["messages"]]


def parts(*user: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(user)}, {"role": "assistant", "content": "A cat."}]}


TEXT = {"type": "text", "text": "What is it?"}
PARTS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"type": "image", "image": "a.png"}, {"kind": "image", "file": "a.png"}),
    ({"type": "image", "path": "a.png"}, {"kind": "image", "file": "a.png"}),
    ({"type": "image", "url": "https://x.org/a.png"}, {"kind": "image", "url": "https://x.org/a.png"}),
    ({"type": "image", "image": {"bytes": b"x", "path": None}}, {"kind": "image", "bytes": b"x"}),
    ({"type": "image", "path": None, "bytes": b"x"}, {"kind": "image", "bytes": b"x"}),
    (
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}},
        {"kind": "image", "bytes": b"x"},
    ),
    (
        {"type": "video", "video": "a.mp4", "start": 1, "end": 2.5},
        {"kind": "video", "file": "a.mp4", "begin": 1.0, "end": 2.5},
    ),
    ({"type": "video", "path": "file:///a.mp4"}, {"kind": "video", "file": "/a.mp4"}),
    ({"type": "audio", "audio": "a.wav"}, {"kind": "audio", "file": "a.wav"}),
    (
        {"type": "input_audio", "input_audio": {"data": "eA==", "format": "wav"}},
        {"kind": "audio", "bytes": b"x"},
    ),
]


@pytest.mark.parametrize(("part", "medium"), PARTS)
def test_content_parts(part: dict[str, Any], medium: dict[str, Any]) -> None:
    sample = as_media_messages(parts(part, TEXT))
    token = {"image": IMAGE, "video": VIDEO, "audio": AUDIO}[medium["kind"]]
    assert sample["messages"][0]["content"] == f"{token}\nWhat is it?"
    assert sample["media"] == [medium]


def test_media_stand_where_the_parts_do_over_all_turns() -> None:
    row = {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "image", "image": "a.png"}, TEXT, {"type": "image", "image": "b.png"}],
            },
            {"role": "assistant", "content": [{"type": "text", "text": "Two cats."}]},
            {
                "role": "user",
                "content": [{"type": "text", "text": "And this?"}, {"type": "audio", "audio": "c.wav"}],
            },
            {"role": "assistant", "content": "A miaow."},
            {"role": "user", "content": [{"type": "image", "image": "nobody-answers.png"}]},
        ]
    }
    sample = as_media_messages(row)
    assert [medium["file"] for medium in sample["media"]] == ["a.png", "b.png", "c.wav"]
    assert turns(row)[0] == f"{IMAGE}\nWhat is it?\n{IMAGE}" and turns(row)[2] == f"And this?\n{AUDIO}"


def test_bare_parts_take_from_the_column() -> None:
    row = parts({"type": "image"}, {"type": "image"}, TEXT) | {
        "images": ["a.png", {"bytes": b"x", "path": "b.png"}]
    }
    assert as_media_messages(row)["media"] == [
        {"kind": "image", "file": "a.png"},
        {"kind": "image", "bytes": b"x"},
    ]


def test_llava() -> None:
    row = {
        "id": "1",
        "image": "a.png",
        "conversations": [
            {"from": "human", "value": "What is it?\n<image>"},
            {"from": "gpt", "value": "A cat."},
        ],
    }
    assert turns(row) == [f"What is it?\n{IMAGE}", "A cat."]
    assert as_media_messages(row)["media"] == [{"kind": "image", "file": "a.png"}]


def test_a_conversation_that_does_not_say_where_shows_its_media_first() -> None:
    row = {
        "video": "a.mp4",
        "messages": [{"role": "system", "content": "Be brief."}, *parts(TEXT)["messages"]],
    }
    assert turns(row) == ["Be brief.", f"{VIDEO}\nWhat is it?", "A cat."]


def test_the_cauldron_is_a_row_for_each_text() -> None:
    row = {
        "images": ["a.png"],
        "texts": [{"user": f"q{n}", "assistant": f"a{n}", "source": "s"} for n in range(3)],
    }
    made = rows_within(row)
    assert [turns(dict(one)) for one in made] == [[f"{IMAGE}\nq{n}", f"a{n}"] for n in range(3)]
    assert rows_within(ASKED) == [ASKED]


SHAPES: list[tuple[dict[str, Any], list[str], str | None]] = [
    ({"image": "a.png", **ASKED}, [f"{IMAGE}\nWhat is it?", "A cat."], "A cat."),
    (
        {"image": "a.png", "question": "<image>\nWhat is it?", "answers": ["dog", "cat", "cat"]},
        [f"{IMAGE}\nWhat is it?", "cat"], "cat",
    ),
    ({"image": "a.png", "question": "How many?", "answer": 3}, [f"{IMAGE}\nHow many?", "3"], "3"),
    ({"image": "a.png", "question": "Is it?", "answer": True}, [f"{IMAGE}\nIs it?", "yes"], "yes"),
    ({"images": ["a.png", "b.png"], **ASKED}, [f"{IMAGE}\n{IMAGE}\nWhat is it?", "A cat."], "A cat."),
    ({"image": "a.png", "prompt": "What?", "completion": "A cat."}, [f"{IMAGE}\nWhat?", "A cat."], None),
    ({"image": b"x", "text": "a cat"}, [f"{IMAGE}\nDescribe the image.", "a cat"], "a cat"),
    (
        {"image": "a.png", "caption": ["a cat", "an animal"]}, [f"{IMAGE}\nDescribe the image.", "a cat"],
        "a cat",
    ),
    ({"video": "a.mp4", "caption": "it runs"}, [f"{VIDEO}\nDescribe the video.", "it runs"], "it runs"),
    (
        {"audio": {"path": "a.flac"}, "text": "HELLO THERE"},
        [f"{AUDIO}\nTranscribe the speech.", "hello there"], "hello there",
    ),
    ({"file_name": "a.JPG", "text": "a cat"}, [f"{IMAGE}\nDescribe the image.", "a cat"], "a cat"),
    (
        {"file_name": "a.wav", "transcription": "hello"}, [f"{AUDIO}\nTranscribe the speech.", "hello"],
        "hello",
    ),
    ({"file_name": "a.mp4", **ASKED}, [f"{VIDEO}\nWhat is it?", "A cat."], "A cat."),
]  # fmt: skip


@pytest.mark.parametrize(("row", "texts", "answer"), SHAPES)
def test_rows_with_columns(row: dict[str, Any], texts: list[str], answer: str | None) -> None:
    assert turns(row) == texts
    assert as_media_messages(row).get("answer") == answer


def test_the_level_is_kept() -> None:
    assert as_media_messages({"image": "a.png", **ASKED, "level": "colour"})["level"] == "colour"


def test_rows_without_media_are_read_as_ever() -> None:
    for row in (
        ASKED,
        parts(TEXT),
        {"conversations": [{"from": "human", "value": "<image> is a tag"}, {"from": "gpt", "value": "Yes."}]},
    ):
        assert as_media_messages(row) == as_messages(row)


BAD: list[tuple[dict[str, Any], str]] = [
    (
        parts({"type": "image", "image": "a.png"}, {"type": "text", "text": f"What is {IMAGE}?"}),
        "stands in a text",
    ),
    ({"image": "a.png", "question": f"What is {IMAGE}?", "answer": "x"}, "stands in a text"),
    ({"image": "a.png", "question": "What?", "answer": VIDEO}, "stands in a text"),
    (
        {"messages": [{"role": "user", "content": IMAGE}, {"role": "assistant", "content": "x"}]},
        "stands in a text",
    ),
    ({"question": "What?", "answer": AUDIO}, "stands in a text"),
    ({"image": "a.png", **ASKED, "system": f"You see {IMAGE}."}, "stands in a text"),
    (parts({"type": "image"}, TEXT), "more places for image"),
    (
        {
            "image": "a.png",
            "conversations": [{"from": "human", "value": "<image> <image>"}, {"from": "gpt", "value": "x"}],
        },
        "more places",
    ),
    (
        {
            "images": ["a.png", "b.png"],
            "conversations": [{"from": "human", "value": "<image>"}, {"from": "gpt", "value": "x"}],
        },
        "no place",
    ),
    ({"image": "", **ASKED}, "path of the image is empty"),
    ({"image": 7, **ASKED}, "not int"),
    ({"image": {"path": None, "bytes": None}, **ASKED}, "neither path nor bytes"),
    ({"audio": {"array": [0.1], "sampling_rate": 16_000}, "text": "x"}, "decode=False"),
    ({"image": "data:image/png;base64,???", **ASKED}, "base64"),
    ({"video": {"path": "a.mp4", "start": "now"}, **ASKED}, "not a number of seconds"),
    ({"file_name": "a.xyz", "text": "a cat"}, "ending does not say"),
    ({"image": "a.png"}, "no known shape"),
    (parts({"type": "hologram", "hologram": "a"}), "hologram"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "reason"), BAD)
def test_bad_rows_say_why(row: dict[str, Any], reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        as_media_messages(row)


def test_base64_round_trip() -> None:
    content = bytes(range(256))
    row = {"image": f"data:image/png;base64,{base64.b64encode(content).decode()}", **ASKED}
    assert as_media_messages(row)["media"][0]["bytes"] == content


TWO = {"images": ["a.png", "b.png"]}


@pytest.mark.parametrize(
    ("row", "asked"),
    [
        (
            {"query": "Compare <image> with <image>?", "response": "a", **TWO},
            "Compare <|image|> with <|image|>?",
        ),
        ({"query": "<image><image>Which?", "response": "a", **TWO}, "<|image|>\n<|image|>\nWhich?"),
        ({"query": "Which?", "response": "a", **TWO}, "<|image|>\n<|image|>\nWhich?"),
        (
            {"instruction": "A <image>", "input": "B <image>", "output": "a", **TWO},
            "A <|image|>\nB <|image|>",
        ),
    ],
)
def test_media_of_pairs_stand_where_their_marks_do(row: dict[str, Any], asked: str) -> None:
    assert turns(row)[0] == asked


def test_marks_in_earlier_rounds_stay_there() -> None:
    row = {"query": "And <image>?", "response": "b", "history": [["<image>What?", "a"]], **TWO}
    assert turns(row) == ["<|image|>What?", "a", "And <|image|>?", "b"]


def test_parts_of_anthropic_and_of_qwen_audio() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "eA=="}
    sample = as_media_messages(parts({"type": "image", "source": source}, TEXT))
    assert sample["media"] == [{"kind": "image", "bytes": b"x"}]
    sample = as_media_messages(parts({"type": "audio", "audio_url": "a.wav"}, TEXT))
    assert sample["media"] == [{"kind": "audio", "file": "a.wav"}]


DETAIL = [{"begin_offset": 7, "end_offset": 9, "train": True}]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"query": "<image>q", "response": "a", **TWO}, "its texts show image, and the row has image, image"),
        (
            {"query": "<video>q", "response": "a", "images": ["a.png"]},
            "its texts show video, and the row has image",
        ),
        ({"query": "q", "response": "<image> a", "images": ["a.png"]}, r"turn 2 \(assistant\) holds media"),
        ({"query": "<image>\nq", "response": "a"}, "turn 1 .* by '<image>', which the row does not have"),
        ({"query": "<image 1> q", "response": "a"}, "turn 1 .* by '<image 1>', which the row does not have"),
        ({"query": "<img>a.png</img>q", "response": "a"}, "which the row does not have"),
        (
            {**parts({"type": "image", "file_id": "x"}, TEXT), "images": ["a.png"]},
            "names its medium by 'file_id'",
        ),
        (
            {**parts({"type": "image", "index": 1}, TEXT), **TWO},
            "is image number 1 of the row, and stands as number 0",
        ),
        ({"image": "a.png", "caption": "c", "question": "q"}, r"columns: \{answer: caption\}"),
        ({"image": "a.png", "caption": "c", "is_correct": False}, "labelled as bad"),
        ({"video": "1.mp4", "question": "q", "answer": 1, "a0": "x", "a1": "y"}, "one of the columns a0, a1"),
        (
            {
                "messages": [
                    {"role": "user", "content": "q"},
                    {"role": "assistant", "content": "<image>abc", "train_detail": DETAIL},
                ],
                "images": ["a.png"],
            },
            "but media are put into it",
        ),
    ],
)
def test_media_without_their_place_and_places_without_their_medium_are_refused(
    row: dict[str, Any], reason: str
) -> None:
    with pytest.raises(RowError, match=reason):
        as_media_messages(row)


@pytest.mark.parametrize(
    "mark",
    [
        "<|image_1|>\n",
        "<|vision_start|><|image_pad|><|vision_end|>",
        "[IMG]",
        "(<image>./</image>)",
        "<ImageHere>",
        "<image_placeholder>",
        "<img>",
    ],
)
def test_marks_of_other_models_for_a_medium_are_no_words(mark: str) -> None:
    with pytest.raises(RowError, match="a mark of another model's for a medium"):
        as_media_messages({"image": "a.png", "question": f"{mark}What is it?", "answer": "a fox"})


def test_words_about_tags_are_words() -> None:
    text = "Is there an <img> or a <speech> tag?"
    row = {"image": "a.png", "question": text, "answer": "no"}
    assert as_media_messages(row)["messages"][0]["content"].endswith(text)


def test_two_columns_of_one_picture_are_one_and_of_different_ones_are_refused() -> None:
    row = {"image": "a.png", "images": ["a.png"], "question": "q", "answer": "a"}
    assert as_media_messages(row)["media"] == [{"kind": "image", "file": "a.png"}]
    with pytest.raises(
        RowError, match=r"'image' and 'image_path' both hold images: say ignore: \[image_path\]"
    ):
        as_media_messages({"image": {"bytes": b"x"}, "image_path": "a.png", "question": "q", "answer": "a"})


def test_pictures_of_single_turns_pictures_to_choose_from_and_frames_are_refused() -> None:
    turns = [{"role": "user", "content": "q", "images": ["a.png"]}, {"role": "assistant", "content": "a"}]
    with pytest.raises(RowError, match=r"messages\[\].images holds a medium, and is not known to"):
        as_media_messages({"messages": turns})
    with pytest.raises(RowError, match="'choices' holds media to choose from"):
        as_media_messages({"image": "a.png", "question": "q", "choices": ["b.png", "c.png"], "answer": 0})
    with pytest.raises(RowError, match="a video of 2 pictures, one by one"):
        as_media_messages({"video": ["1.png", "2.png"], "question": "q", "answer": "a"})


def test_media_and_captions_may_stand_in_a_text_as_csv_files_have_them() -> None:
    sample = as_media_messages({"images": '["a.png", "b.png"]', "caption": "['a fox', 'foxes']"})
    assert [medium["file"] for medium in sample["media"]] == ["a.png", "b.png"]
    assert sample["answer"] == "a fox"
    assert as_media_messages({"image": "{'bytes': None, 'path': 'a.png'}", "question": "q", "answer": "a"})[
        "media"
    ] == [{"kind": "image", "file": "a.png"}]
