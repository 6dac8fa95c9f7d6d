"""vision-qa, video-understanding and hearing read users' rows, and judge short answers and transcripts."""

from __future__ import annotations

import pytest

from manus.capabilities import hearing, video_understanding, vision_qa
from manus.data.forms.media import rows_within
from manus.data.media.ablation import ABLATIONS
from manus.data.sample import RowError

PICTURE = {"bytes": b"\x89PNG"}
CAULDRON = {
    "images": [PICTURE],
    "texts": [
        {"user": "What is it?\nAnswer briefly.", "assistant": "Cat.", "source": "VQAv2"},
        {"user": "Is it black?", "assistant": "No.", "source": "VQAv2"},
    ],
}
LLAVA = {
    "id": "1",
    "video": "clips/a.mp4",
    "conversations": [
        {"from": "human", "value": "<video>\nWhat happens?"},
        {"from": "gpt", "value": "A man opens the door, walks in and sits down on a chair."},
        {"from": "human", "value": "What colour is the door?"},
        {"from": "gpt", "value": "Red."},
    ],
}
PARTS = {
    "messages": [
        {
            "role": "user",
            "content": [{"type": "image", "image": PICTURE}, {"type": "text", "text": "How many?"}],
        },
        {"role": "assistant", "content": "three"},
    ],
    "level": "count",
}


def test_the_cauldron_gives_a_sample_for_each_text():
    samples = [vision_qa.read(row) for row in rows_within(CAULDRON)]
    assert [sample["answer"] for sample in samples] == ["Cat.", "No."]
    assert all(vision_qa.can_score(sample) and len(sample["media"]) == 1 for sample in samples)
    assert vision_qa.score(samples[0], "a cat").correct
    assert vision_qa.score(samples[1], "No, it is white.").correct
    assert not vision_qa.score(samples[1], "It is not.").correct


def test_parts_keep_their_level_and_place():
    sample = vision_qa.read(PARTS)
    assert sample["messages"][0]["content"].startswith("<|image|>") and sample["level"] == "count"
    assert sample["media"] == [{"kind": "image", "bytes": PICTURE["bytes"]}]
    assert vision_qa.score(sample, "3").correct and not vision_qa.score(sample, "4").correct


def test_the_answer_after_a_thought_counts():
    assert vision_qa.score(vision_qa.read(PARTS), "<think>\nfour?\n</think>\nThree.").correct


@pytest.mark.parametrize(
    "row",
    [
        {"image": PICTURE, "caption": "a long caption that nobody would say in the same words again"},
        {"question": "What is two and two?", "answer": "four"},
        {"messages": [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hello!"}]},
        {"video": PICTURE, "question": "What is it?", "answer": "a cat"},
    ],
)
def test_descriptions_and_rows_without_a_picture_train_and_are_not_probed(row):
    sample = vision_qa.read(row)
    assert sample["messages"][-1]["content"] and not vision_qa.can_score(sample)


def test_a_video_row_of_several_turns_is_probed_on_its_last():
    sample = video_understanding.read(LLAVA)
    assert video_understanding.can_score(sample) and sample["answer"] == "Red."
    assert sample["media"] == [{"kind": "video", "file": "clips/a.mp4"}]
    assert video_understanding.score(sample, "red").correct


@pytest.mark.parametrize(
    "row",
    [
        {
            "messages": [
                {"role": "user", "content": "<|image|> What is it?"},
                {"role": "assistant", "content": "A cat."},
            ]
        },
        {"image": PICTURE, "question": "What is it?"},
        {"image": 7, "question": "What is it?", "answer": "a cat"},
        {"image": PICTURE, "question": "What is it?", "answer": ""},
        {"audio": PICTURE, "text": "  "},
    ],
)
@pytest.mark.parametrize("capability", [vision_qa, video_understanding, hearing])
def test_broken_rows_are_refused(capability, row):
    with pytest.raises(RowError):
        capability.read(row)


LIBRISPEECH = {"audio": {"bytes": b"fLaC"}, "text": "HE TOLD THE TWENTY ONE OLD SAILORS", "id": "1-2-3"}


def test_a_transcript_is_judged_by_its_word_errors():
    sample = hearing.read(LIBRISPEECH)
    assert hearing.can_score(sample)
    assert sample["messages"][-1]["content"] == "he told the twenty one old sailors"
    exact, close, far = (
        hearing.score(sample, said)
        for said in (
            "He told the 21 old sailors.",
            "He told a 21 old sailors.",
            "The sailors were old and told tales.",
        )
    )
    assert (exact.correct, exact.parts) == (True, {"wer": 0.0})
    assert close.correct and close.parts == {"wer": pytest.approx(1 / 6)}
    assert not far.correct and far.parts["wer"] > 0.8
    assert not hearing.score(
        sample, "He told a 21 old sailors.", hearing.Settings(most_word_errors=0.1)
    ).correct
    assert hearing.score(sample, "word " * 50).parts == {"wer": 1.0}


def test_a_spoken_question_is_judged_by_its_answer():
    sample = hearing.read({"audio": {"bytes": b"RIFF"}, "question": "Answer what is asked.", "answer": "7"})
    assert hearing.score(sample, "Seven.").correct and not hearing.score(sample, "17").correct
    assert "wer" not in hearing.score(sample, "17").parts


@pytest.mark.parametrize("capability", [vision_qa, video_understanding, hearing])
def test_ablations_are_known_kinds(capability):
    assert set(capability.ABLATIONS.values()) <= set(ABLATIONS)
    assert "removed" in capability.ABLATIONS.values() and "swapped" in capability.ABLATIONS.values()
    assert set(getattr(capability, "HURT_LEVELS", {})) <= set(capability.ABLATIONS)


def test_order_is_what_shuffling_takes_away():
    from manus.data.generators.moving_scenes import Settings

    begins = video_understanding.HURT_LEVELS["frames shuffled"]
    kinds = Settings().kinds
    assert {kind for kind in kinds if kind.startswith(begins)} == set(kinds) - {"colour", "shape"}
