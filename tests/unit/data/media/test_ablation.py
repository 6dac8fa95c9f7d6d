"""Cutting a sense off changes the medium and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from manus.data.media.ablation import ABLATIONS, Blanked, Shuffled, Silenced, removed, swapped


class Drawn:
    """Media that tell their number by what they show."""

    def facts(self, number):
        return {"kind": "image", "width": 4, "height": 3}

    def image(self, number):
        return Image.new("RGB", (4, 3), (number, 0, 0))

    def frames(self, number, times):
        return np.stack([np.full((3, 4, 3), place, np.uint8) for place, _ in enumerate(times)])

    def audio(self, number):
        return np.full(number + 1, 0.5, np.float32)


def sample(*media, question="<|image|>\nWhat is it?"):
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": "a cat"}]
    return {"messages": turns, "answer": "a cat", "media": list(media)}


def medium(number, kind="image", **facts):
    return {"kind": kind, "number": number, **facts}


def test_blanked_media_are_grey_and_as_large():
    blanked = Blanked(Drawn(), 0)
    assert blanked.image(7).size == (4, 3) and blanked.image(7).getcolors() == [(12, (128, 128, 128))]
    frames = blanked.frames(7, [0.0, 0.5])
    assert frames.shape == (2, 3, 4, 3) and frames.dtype == np.uint8 and set(frames.ravel()) == {128}
    assert blanked.facts(7) == Drawn().facts(7) and np.array_equal(blanked.audio(2), Drawn().audio(2))


def test_silence_is_as_long():
    assert np.array_equal(Silenced(Drawn(), 0).audio(9), np.zeros(10, np.float32))
    assert Silenced(Drawn(), 0).image(9).getpixel((0, 0)) == (9, 0, 0)


@pytest.mark.parametrize("count", [2, 3, 8, 16])
def test_frames_are_the_same_bag_in_another_order_every_time_the_same(count):
    orders = []
    for number in range(40):
        times = [0.5 * place for place in range(count)]
        order = [int(frame[0, 0, 0]) for frame in Shuffled(Drawn(), 3).frames(number, times)]
        assert sorted(order) == list(range(count)) != order
        assert order == Shuffled(Drawn(), 3).order(number, count)
        orders.append(tuple(order))
    if count > 2:
        assert len(set(orders)) > 3
    if count > 3:
        assert orders != [tuple(Shuffled(Drawn(), 4).order(number, count)) for number in range(40)]


def test_a_single_frame_stays():
    assert Shuffled(Drawn(), 0).frames(1, [0.0]).shape[0] == 1


def test_no_medium_is_swapped_with_itself_or_another_kind():
    samples = [sample(medium(n, width=n)) for n in range(5)] + [
        sample(medium(n, "audio", seconds=n)) for n in (10, 11)
    ]
    samples += [sample(medium(0, width=0), medium(3, width=3)), {"messages": samples[0]["messages"]}]
    for seed in range(20):
        others = swapped(samples, seed)
        for before, after in zip(samples, others, strict=True):
            assert after["messages"] == before["messages"]
            for old, new in zip(before.get("media", []), after.get("media", []), strict=True):
                assert old["kind"] == new["kind"] and old["number"] != new["number"]
                assert new.get("width", new.get("seconds")) == new["number"]  # its facts went with it
        assert others == swapped(samples, seed)
        assert [s["media"][0]["number"] for s in others[:5]] != list(range(5))
    assert len({str(swapped(samples, seed)) for seed in range(20)}) > 5


def test_one_medium_cannot_be_swapped():
    with pytest.raises(ValueError, match="single image"):
        swapped([sample(medium(1)), sample(medium(1))], 0)


def test_a_question_alone_has_no_place_for_a_medium():
    [bare] = removed([sample(medium(1), medium(2), question="<|image|>\n<|image|> What differs?<|audio|>")])
    assert bare["messages"][0]["content"] == "What differs?" and "media" not in bare
    assert bare["answer"] == "a cat"


@pytest.mark.parametrize("kind", ABLATIONS)
def test_samples_are_not_changed_in_place(kind):
    samples = [sample(medium(n)) for n in range(3)]
    kept = [sample(medium(n)) for n in range(3)]
    ABLATIONS[kind](samples, Drawn(), 0)
    assert samples == kept
