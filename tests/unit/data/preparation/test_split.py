"""The held-out split never meets the training split, whatever the data look like."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from manus.data.preparation import split
from manus.data.preparation.split import Pool, Selection, recordings_of, shares, shares_of
from manus.data.sample import Sample
from manus.data.sample_digests import content_digest, prompt_digest
from manus.errors import DataError


def select(pools: list[Pool], held_out: int | None, sample_size: int, seed: int) -> Selection:
    return split.select(pools, held_out, sample_size, seed, Path("nothing is written for so few"))


def sample(prompt: str, answer: str = "a") -> Sample:
    return {"messages": [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]}


def pool(count: int, name: str = "p", weight: float = 1.0) -> Pool:
    return Pool(name, weight, [sample(f"{name} {index}") for index in range(count)])


def test_the_same_prompt_never_stands_on_both_sides() -> None:
    twins = [sample(f"p {index}", answer) for index in range(50) for answer in ("a", "b", "a")]
    twins += [sample(f"P  {index} ", "spaced") for index in range(50)]
    chosen = select([Pool("x", 1.0, twins)], held_out=10, sample_size=0, seed=1)
    train, tested = ({prompt_digest(s) for s in side} for side in (chosen.train, chosen.held_out))
    assert len(chosen.held_out) == 10
    assert not train & tested
    assert chosen.left_aside["exact duplicate"] == 50
    assert chosen.left_aside["same prompt as a held-out sample"] > 0


def test_the_split_is_seeded_and_stable() -> None:
    first, again, other = (select([pool(100)], 10, 0, seed) for seed in (1, 1, 2))
    assert first == again
    assert first.held_out != other.held_out
    more = select([Pool("p", 1.0, [*pool(100).samples, sample("new")])], 10, 0, 1)
    kept = {content_digest(s) for s in first.held_out} & {content_digest(s) for s in more.held_out}
    assert len(kept) >= 9


def test_weights_repeat_and_thin_out() -> None:
    chosen = select([pool(40, "a", 2.0), pool(40, "b", 0.5)], held_out=8, sample_size=0, seed=0)
    count = {name: sum(s["messages"][0]["content"].startswith(name) for s in chosen.train) for name in "ab"}
    left = {
        name: len(
            {s["messages"][0]["content"] for s in chosen.train if s["messages"][0]["content"][0] == name}
        )
        for name in "ab"
    }
    assert count["a"] == 2 * left["a"] and count["a"] >= 70
    assert 15 <= count["b"] <= 20


def test_sample_size_limits_training_only() -> None:
    chosen = select([pool(100)], held_out=20, sample_size=30, seed=0)
    assert (len(chosen.train), len(chosen.held_out)) == (30, 20)
    assert chosen.left_aside["beyond sample_size"] == 50


def test_a_generators_held_out_samples_come_apart() -> None:
    made = Pool("g", 1.0, pool(30).samples, [sample(f"other {index}") for index in range(10)])
    chosen = select([made], held_out=10, sample_size=0, seed=0)
    assert len(chosen.train) == 30
    assert all(s["messages"][0]["content"].startswith("other") for s in chosen.held_out)


def test_the_default_held_out_is_a_tenth() -> None:
    assert len(select([pool(50)], None, 0, 0).held_out) == 5
    assert len(select([pool(5)], None, 0, 0).held_out) == 1


@pytest.mark.parametrize(("count", "held_out"), [(1, 1), (10, 10), (0, None), (10, 50)])
def test_too_few_samples_are_refused(count: int, held_out: int | None) -> None:
    with pytest.raises(DataError, match="too few"):
        select([pool(count)], held_out, 0, 0)


def test_texts_are_split_by_content() -> None:
    texts: list[Sample] = [{"text": f"text {index}"} for index in range(20)]
    chosen = select([Pool("t", 1.0, texts)], 5, 0, 0)
    assert not {s["text"] for s in chosen.train} & {s["text"] for s in chosen.held_out}


@pytest.mark.parametrize(
    ("sizes", "wanted", "expected"),
    [
        ([100, 9, 4], 12, [10, 1, 1]),
        ([100, 0, 4], 12, [11, 0, 1]),
        ([50, 50], 11, [5, 6]),
        ([1000, 1, 1, 1], 2, [1, 1, 1, 1]),
        ([40, 40], 8, [4, 4]),
    ],
)
def test_every_source_holds_out_at_least_one(sizes: list[int], wanted: int, expected: list[int]) -> None:
    assert sorted(shares_of(wanted, sizes)) == sorted(expected) and len(expected) == len(sizes)
    assert shares(sizes, [False] * len(sizes), wanted) == shares_of(wanted, sizes)
    chosen = select([pool(size, f"source{index}") for index, size in enumerate(sizes)], wanted, 0, 7)
    found = [
        sum(s["messages"][0]["content"].startswith(f"source{i} ") for s in chosen.held_out)
        for i in range(len(sizes))
    ]
    assert found == shares_of(wanted, sizes)


def part(recording: str, number: int) -> Sample:
    media = [
        {
            "kind": "audio",
            "number": number,
            "digest": f"{sha256(recording.encode()).hexdigest()} {number}-{number + 1}",
        }
    ]
    return {
        **sample("<|audio|>\nTranscribe.", f"{recording} {number}"),
        "media": media,  # type: ignore[typeddict-item]
    }


def test_parts_of_one_recording_stay_on_one_side() -> None:
    clips = [part(name, number) for name in ("one", "two", "three") for number in range(10)]
    chosen = select([Pool("clips", 1.0, clips), pool(10)], 4, 0, 1)
    held_out, train = (
        {r for s in side for r in recordings_of(s)} for side in (chosen.held_out, chosen.train)
    )
    assert held_out and train and not held_out & train and not chosen.shares_recordings
    assert chosen.left_aside["same recording as a held-out sample"] == 10 * len(held_out) - 3


def test_parts_of_the_only_recording_are_split_and_that_is_told() -> None:
    chosen = select([Pool("clips", 1.0, [part("one", number) for number in range(10)])], 2, 0, 1)
    assert chosen.shares_recordings and (len(chosen.train), len(chosen.held_out)) == (8, 2)


def test_whole_media_are_no_parts() -> None:
    whole: Sample = {**part("one", 1), "media": [{"kind": "image", "number": 1, "digest": "one"}]}
    assert recordings_of(whole) == set()
