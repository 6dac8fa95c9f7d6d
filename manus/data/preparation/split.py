"""Decides which samples train and which are held out. Pure: it sees samples, never files or tokens."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from manus.data.sample import Sample
from manus.data.sample_digests import content_digest, order_digest, prompt_digest
from manus.errors import DataError

LARGEST_DEFAULT_HELD_OUT = 200


@dataclass
class Pool:
    """The samples of one source. A generator's held-out samples come apart from the others."""

    title: str
    weight: float
    samples: list[Sample]
    held_out: list[Sample] | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """The samples to train on, in file order, and those held out; what was left aside, by reason.

    `shares_recordings` tells that parts of a recording stand on both sides, since there is no other recording.
    """

    train: list[Sample]
    held_out: list[Sample]
    left_aside: dict[str, int] = field(default_factory=dict)
    shares_recordings: bool = False


def recordings_of(sample: Sample) -> set[str]:
    """Return the videos and sounds of which a sample holds parts, by digests of their content; whole ones are none."""
    digests = (medium["digest"].split(" ") for medium in sample.get("media", []))
    return {recording for recording, *part in digests if part}


def _is_in_pieces(sample: Sample) -> bool:
    """Tell whether a sample begins with a sound that is too long to be heard at once, and so stands in it as several."""
    digests = [medium["digest"] for medium in sample.get("media", [])]
    return len(digests) > 1 and " 0-" in digests[0]


def select(pools: Sequence[Pool], held_out: int | None, sample_size: int, seed: int) -> Selection:
    """Split pools into training and held-out samples.

    Exact duplicates are dropped. Held-out samples are drawn by prompt, so that a prompt that comes
    twice stays on one side; parts of a video or sound are drawn by the whole, and stay on one side
    as long as there is another. A weight of 2 shows each of a source's samples twice per epoch, 0.5 half
    of them. `sample_size` limits the training samples, drawn by `seed`; 0 takes all.

    Raises:
        DataError: too few samples for both sides.
    """
    aside = {"exact duplicate": 0, "same prompt as a held-out sample": 0, "same recording as a held-out sample": 0}
    seen: set[str] = set()
    kept = [_without_duplicates(pool.samples, seen, aside) for pool in pools]
    total = sum(map(len, kept))
    wanted = held_out or min(LARGEST_DEFAULT_HELD_OUT, max(1, total // 10))
    if total < 2 or ((held_out or 0) >= total and any(pool.held_out is None for pool in pools)):
        raise DataError(f"{total} distinct samples are too few to hold out {wanted} and train on the rest")
    tested: list[Sample] = []
    for pool, samples, share in zip(pools, kept, shares_of(wanted, list(map(len, kept))), strict=True):
        tested += _drawn(pool.held_out if pool.held_out is not None else samples, share, seed)
    tested = _without_duplicates(tested, set(), {"exact duplicate": 0})
    asked = {prompt_digest(sample) for sample in tested}
    chosen_for_test = {content_digest(sample) for sample in tested}
    recorded = {recording for sample in tested for recording in recordings_of(sample)}
    is_shared = bool(recorded) and all(recordings_of(sample) & recorded for samples in kept for sample in samples)
    train: list[Sample] = []
    for index, (pool, samples) in enumerate(zip(pools, kept, strict=True)):
        rest = [sample for sample in samples if content_digest(sample) not in chosen_for_test]
        own = [sample for sample in rest if prompt_digest(sample) not in asked]
        aside["same prompt as a held-out sample"] += len(rest) - len(own)
        apart = own if is_shared else [sample for sample in own if not recordings_of(sample) & recorded]
        aside["same recording as a held-out sample"] += len(own) - len(apart)
        train += _weighted(apart, pool.weight, random.Random(f"{seed}:weight:{index}"))
    if not train:
        raise DataError("no training samples are left beside the held-out ones; give more data or a smaller held_out")
    if sample_size and sample_size < len(train):
        chosen = sorted(random.Random(f"{seed}:sample").sample(range(len(train)), sample_size))
        aside["beyond sample_size"] = len(train) - sample_size
        train = [train[index] for index in chosen]
    return Selection(train, tested, {reason: count for reason, count in aside.items() if count}, is_shared)


def shares_of(wanted: int, sizes: Sequence[int]) -> list[int]:
    """Return how many samples each source holds out: by its size, but at least one of each that has any.

    Together they are about as many as are wanted, and more only where there are more sources than that.
    """
    total = sum(sizes)
    shares = [max(1, round(wanted * size / total)) if size else 0 for size in sizes]
    while sum(shares) > wanted and max(shares) > 1:
        shares[shares.index(max(shares))] -= 1
    return shares


def _without_duplicates(samples: Sequence[Sample], seen: set[str], aside: dict[str, int]) -> list[Sample]:
    """Return the samples that were not seen before, in any source."""
    distinct = {digest: sample for sample in samples if (digest := content_digest(sample)) not in seen}
    seen |= distinct.keys()
    aside["exact duplicate"] += len(samples) - len(distinct)
    return list(distinct.values())


def _drawn(samples: Sequence[Sample], share: int, seed: int) -> list[Sample]:
    """Draw samples by the digest of their prompts, or of what they are parts of: adding rows elsewhere moves few of them."""

    def place(sample: Sample) -> tuple[str, str]:
        asked = prompt_digest(sample)
        recordings = set() if _is_in_pieces(sample) else recordings_of(sample)
        return order_digest(seed, min(recordings, default=asked)), order_digest(seed, asked)

    return sorted(samples, key=place)[:share]


def _weighted(samples: list[Sample], weight: float, draw: random.Random) -> list[Sample]:
    whole, part = divmod(weight, 1)
    extra = sorted(draw.sample(range(len(samples)), round(part * len(samples))))
    return samples * int(whole) + [samples[index] for index in extra]
