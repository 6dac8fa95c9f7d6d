"""Measures a probe again with the sense cut off: what an answer rests on shows as a fall. Knows no models."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

from manus.data.media.ablation import ABLATIONS, CHANGED_KINDS, MediaReader
from manus.data.sample import MediumKind, Sample
from manus.evaluation.intervals import paired_bootstrap
from manus.evaluation.retrieval import can_tell_apart, is_retrieval
from manus.guards.ranks import say

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from manus.data.media.ablation import MediaReader
    from manus.evaluation.probes import Probe

DEFAULT_MOST_SAMPLES = 60
Measured = Callable[["Probe", MediaReader, str], dict[str, Any]]


def measure_ablated(
    probe: Probe,
    media: MediaReader,
    measured: Measured,
    whole: Mapping[str, Any],
    most_samples: int = DEFAULT_MOST_SAMPLES,
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """Return for each ablation of the capability what is left of the metric, and how far it falls.

    Samples of which an ablation changes no medium are not asked again. One that none admits is left out, and
    that is said: there is no such medium, or one and none to swap it with or to tell its caption from.

    Args:
        probe: what was measured; its samples carry the numbers of their media.
        media: decodes them.
        measured: measures a probe whose media are read from the given reader, under a title.
        whole: the measurement with the sense, over all usable samples.
        most_samples: how many samples an ablation uses, drawn from the probe's.
        seed: decides which, what is swapped with what, and how frames are shuffled.

    Returns:
        By the ablation's name: `value`, `low`, `high`, `levels`, `samples` as a probe has them; `whole`, the
        value with the sense on the same samples, in all and for each level; `hurts`, how the names of the
        levels (or kinds of medium) begin that must fall, "" for all; `drop`, how far they do, with a paired
        interval at 95 % and their number of samples.
    """
    usable = probe.usable
    results: dict[str, dict[str, Any]] = {}
    for name, kind in probe.capability.ABLATIONS.items():
        concerned = [index for index, sample in enumerate(usable) if _concerns(kind, sample)]
        chosen = [concerned[place] for place in drawn(len(concerned), most_samples, seed)]
        samples, values = [usable[index] for index in chosen], [whole["values"][index] for index in chosen]
        if not _admits(samples, kind) or (is_retrieval(probe.capability) and not can_tell_apart(samples)):
            say(f"{probe.stage}: {name}: left out, the held-out samples have too few media for it")
            continue
        changed, reader = ABLATIONS[kind](samples, media, seed)
        left = measured(
            replace(probe, samples=list(changed), is_chosen=True), reader, f"{probe.stage}: {name}"
        )
        hurts = probe.capability.HURT_LEVELS.get(name, "")
        results[name] = compared(samples, values, left, hurts)
    return results


def compared(
    samples: Sequence[Sample], values: Sequence[float], left: Mapping[str, Any], hurts: str
) -> dict[str, Any]:
    """Return an ablation's result, from the values with the sense and the measurement without it."""
    levels = {
        name: {**level, "whole": fmean(values[index] for index in _within(samples, name))}
        for name, level in left["levels"].items()
        if _within(samples, name)
    }
    hurt = _within(samples, hurts, begins=True)
    return {
        **{key: left[key] for key in ("value", "low", "high")},
        "samples": len(samples),
        "levels": levels,
        "whole": fmean(values),
        "hurts": hurts,
        "drop": _drop([values[index] for index in hurt], [left["values"][index] for index in hurt]),
    }


def drawn(count: int, most: int, seed: int) -> list[int]:
    """Return at most `most` of the indices below `count`, in order."""
    return sorted(random.Random(f"ablations:{seed}").sample(range(count), min(count, most)))


def _within(samples: Sequence[Sample], name: str, begins: bool = False) -> list[int]:
    """Return which samples have a level, or a kind of medium, of that name or whose name begins so."""
    names = [{sample.get("level", ""), *(m["kind"] for m in sample.get("media", []))} for sample in samples]
    return [
        index
        for index, own in enumerate(names)
        if any(n.startswith(name) if begins else n == name for n in own)
    ]


def _concerns(kind: str, sample: Sample) -> bool:
    """Return whether an ablation changes one of a sample's media."""
    return any(medium["kind"] in CHANGED_KINDS[kind] for medium in sample.get("media", []))


def _admits(samples: Sequence[Sample], kind: str) -> bool:
    numbers: dict[MediumKind, set[int]] = {}
    for sample in samples:
        for medium in sample.get("media", []):
            numbers.setdefault(medium["kind"], set()).add(medium["number"])
    if kind == "swapped" and any(len(found) == 1 for found in numbers.values()):
        return False
    return bool(numbers)


def _drop(whole: Sequence[float], left: Sequence[float]) -> dict[str, float]:
    if not whole:
        return {"value": 0.0, "low": 0.0, "high": 0.0, "samples": 0}
    low, high = paired_bootstrap(left, whole)
    return {"value": fmean(whole) - fmean(left), "low": low, "high": high, "samples": len(whole)}


def ablated(
    probe: Probe, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, whole: dict[str, Any]
) -> dict[str, Any]:
    """Return, for a probe with media, what is left of the metric with the sense cut off, else nothing.

    Answers that none can verify are not measured again: no share of them could fall.
    """
    from manus.evaluation.probes import measure

    media = probe.media
    if media is None or probe.is_of_answers:
        return {}

    def measured(cut: Probe, reader: MediaReader, title: str) -> dict[str, Any]:
        return measure(replace(cut, media=replace(media, files=reader)), model, tokenizer, title)

    return {"ablations": measure_ablated(probe, media.files, measured, whole)}
