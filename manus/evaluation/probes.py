"""Measures a stage's held-out samples on a model and compares two measurements. Knows no recipes."""

from __future__ import annotations

import inspect
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING, Any

from manus.capabilities import Capability
from manus.data.sample import Sample
from manus.data.tokens.chat_templates import ends_of_answers
from manus.evaluation.answers import (
    answer,
    foresee,
    foresee_answers,
    inputs_of,
    learned_of,
    prefer,
    prompt_of,
)
from manus.evaluation.intervals import mean_nats, paired_bootstrap, wilson
from manus.evaluation.retrieval import can_tell_apart, is_retrieval, retrieve
from manus.guards.clock import CLOCK
from manus.scorers.metrics import ANSWER_NATS, PERPLEXITY
from manus.scorers.score import Score

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from manus.models.senses.inputs import Media

PREFERENCE = "preference_accuracy"
ANSWERS_SHOWN = 12  # of the samples whose answers are measured, so many are also answered, to be read


def is_measurable(capability: Capability, samples: Sequence[Sample], has_answers: bool = True) -> bool:
    """Tell whether there is something to measure: a text, two answers, an answer to verify or foresee.

    Args:
        capability: whose probe measures.
        samples: what is held out.
        has_answers: whether the last turns are answers to imitate; those of prompts are not.
    """
    if any("text" in sample or "rejected" in sample for sample in samples):
        return True
    scored = [sample for sample in samples if capability.can_score(sample)]
    if is_retrieval(capability):
        return can_tell_apart(scored)
    return bool(scored) or (has_answers and bool(samples))


@dataclass(frozen=True, slots=True)
class Probe:
    """What to measure: a capability's verifier on answers, perplexity on texts, the likelier of two answers.

    Where no answer can be verified, it is how well the samples' own answers are foreseen.

    `media` are the images, videos and sounds that samples refer to, where they do.
    """

    stage: str
    capability: Capability
    settings: Any
    samples: list[Sample]
    max_length: int
    media: Media | None = None
    is_chosen: bool = False  # the samples were usable before a medium was taken from them: all are scored

    @property
    def is_of_texts(self) -> bool:
        """Whether the held-out samples are plain texts, which have no answer to verify."""
        return bool(self.samples) and "text" in self.samples[0]

    @property
    def is_of_pairs(self) -> bool:
        """Whether the held-out samples are pairs of answers of which none can be verified."""
        return any("rejected" in s for s in self.samples) and not any(
            map(self.capability.can_score, self.samples)
        )

    @property
    def is_of_answers(self) -> bool:
        """Whether the held-out samples are conversations of which no answer can be verified."""
        is_other = self.is_of_texts or self.is_of_pairs or self.is_chosen or is_retrieval(self.capability)
        return not is_other and not any(map(self.capability.can_score, self.samples))

    @property
    def metric(self) -> str:
        """The name of what is measured."""
        if self.is_of_texts:
            return PERPLEXITY
        return (
            PREFERENCE
            if self.is_of_pairs
            else ANSWER_NATS
            if self.is_of_answers
            else str(self.capability.METRIC)
        )

    @property
    def usable(self) -> list[Sample]:
        """The samples that can be scored."""
        if self.is_of_texts or self.is_of_answers or self.is_chosen:
            return self.samples
        return [
            s for s in self.samples if (self.is_of_pairs and "rejected" in s) or self.capability.can_score(s)
        ]

    @property
    def verifier(self) -> Callable[[Sample, str], Score]:
        """The capability's verifier, with the probe's settings where it has a place for them."""
        score: Callable[..., Score] = self.capability.score
        takes_settings = "settings" in inspect.signature(score).parameters
        return partial(score, settings=self.settings) if takes_settings else score


def measure(
    probe: Probe, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, title: str
) -> dict[str, Any]:
    """Return the metric with its interval, and what the model said to each sample.

    The result's `values` hold one number a sample: 1 or 0 for right or wrong, nats per token for texts and
    answers that none can verify; those also have `weights`, their tokens.

    Raises:
        Interrupted: a signal came.
    """
    started = CLOCK.now()
    model.eval()
    result = _measurement_of(probe)(probe, model, tokenizer, title)
    return {**result, "samples": len(probe.usable), "seconds": round(CLOCK.now() - started, 1)}


def has_answer_to_foresee(probe: Probe, tokenizer: PreTrainedTokenizerBase) -> bool:
    """Tell whether some held-out answer has tokens that the loss would count."""
    found = (learned_of(tokenizer, sample, probe.max_length, probe.media)[0] for sample in probe.usable)
    return any(any(tokens.is_learned[1:]) for tokens in found)


def _measurement_of(probe: Probe) -> Callable[..., dict[str, Any]]:
    if probe.is_of_texts:
        return _perplexity
    if probe.is_of_pairs:
        return _preferences
    if probe.is_of_answers:
        return _answers
    return _retrieval if is_retrieval(probe.capability) else _scores


def _retrieval(
    probe: Probe, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, title: str
) -> dict[str, Any]:
    """Measure how often a medium's own caption is the likeliest of several."""
    longest = probe.settings.max_new_tokens
    end = (ends_of_answers(tokenizer) or [tokenizer.eos_token_id])[0]

    def prompted(sample: Sample) -> dict[str, torch.Tensor]:
        return inputs_of(model, tokenizer, [prompt_of(tokenizer, sample, probe.media)], [sample], probe.media)

    def tokenised(caption: str) -> list[int]:
        ids: list[int] = tokenizer(caption, add_special_tokens=False)["input_ids"]
        return [*ids[:longest], end]

    return retrieve(model, prompted, tokenised, probe.usable, title, probe.settings.candidates)


def _scores(
    probe: Probe, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, title: str
) -> dict[str, Any]:
    samples = probe.usable
    texts = answer(model, tokenizer, samples, probe.settings.max_new_tokens, title, probe.media)
    verifier = probe.verifier
    scores = [verifier(sample, text) for sample, text in zip(samples, texts, strict=True)]
    right = sum(score.correct for score in scores)
    low, high = wilson(right, len(scores))
    parts: dict[str, list[float]] = defaultdict(list)
    levels: dict[str, list[float]] = defaultdict(list)
    for sample, score in zip(samples, scores, strict=True):
        for part, value in score.parts.items():
            parts[part].append(value)
        if "level" in sample:
            levels[sample["level"]].append(float(score.correct))
    return {
        "value": right / len(scores) if scores else 0.0,
        "low": low,
        "high": high,
        "parts": {name: fmean(values) for name, values in sorted(parts.items())},
        "levels": {name: {"value": fmean(v), "samples": len(v)} for name, v in sorted(levels.items())},
        "values": [float(score.correct) for score in scores],
        "said": [{"text": text, "note": score.note} for text, score in zip(texts, scores, strict=True)],
    }


def _perplexity(
    probe: Probe, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, title: str
) -> dict[str, Any]:
    found = _in_nats(foresee(model, tokenizer, probe.samples, probe.max_length, title))
    return {
        **found,
        **{end: math.exp(found[end]) for end in ("value", "low", "high")},
        "said": [{"text": "", "note": f"perplexity {math.exp(value):.2f}"} for value in found["values"]],
    }


def _answers(
    probe: Probe, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, title: str
) -> dict[str, Any]:
    """Measure how well the samples' own answers are foreseen, and have some of the questions answered."""
    found = _in_nats(foresee_answers(model, tokenizer, probe.usable, probe.max_length, title, probe.media))
    first = range(min(ANSWERS_SHOWN, len(probe.usable)))
    asked_of = [index for index in first if found["weights"][index]]
    questions = [probe.usable[index] for index in asked_of]
    texts = answer(
        model, tokenizer, questions, probe.settings.max_new_tokens, f"{title}: to be read", probe.media
    )
    answers = dict(zip(asked_of, texts, strict=True))
    return {**found, "said": [_shown(answers.get(index), found["values"][index]) for index in first]}


def _shown(text: str | None, nats: float) -> dict[str, str]:
    if text is None:
        return {"text": "", "note": "not counted: longer than max_length, or refused by the chat template"}
    return {
        "text": text,
        "note": f"{'' if text else 'said nothing; '}the row's own answer: {nats:.2f} nats per token",
    }


def _in_nats(measured: Sequence[tuple[float, int]]) -> dict[str, Any]:
    """Return a measurement from the mean nats per token of each sample and its number of tokens."""
    nats, tokens = [value for value, _ in measured], [count for _, count in measured]
    low, high = paired_bootstrap([0.0] * len(nats), nats, tokens)
    mean = sum(value * count for value, count in measured) / sum(tokens)
    ends = {"value": mean, "low": low, "high": high}
    return {**ends, "parts": {}, "levels": {}, "values": nats, "weights": tokens}


def _preferences(
    probe: Probe, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, title: str
) -> dict[str, Any]:
    """Measure in how many pairs the better answer is the likelier one, per token."""
    margins = prefer(model, tokenizer, probe.usable, probe.max_length, title)
    right = sum(margin > 0 for margin in margins)
    low, high = wilson(right, len(margins))
    return {
        "value": right / len(margins) if margins else 0.0,
        "low": low,
        "high": high,
        "parts": {},
        "levels": {},
        "values": [float(margin > 0) for margin in margins],
        "said": [{"text": "", "note": f"better answer {margin:+.3f} nats per token"} for margin in margins],
    }


def gain(before: dict[str, Any], after: dict[str, Any]) -> dict[str, float]:
    """Return how much better `after` is, more being better, with a paired interval at 95 %.

    For accuracies it is their difference; for what is measured in nats those saved per token, which of
    perplexities is log(before / after).
    """
    if "weights" in before:
        low, high = paired_bootstrap(after["values"], before["values"], before["weights"])
        return {"value": mean_nats(before) - mean_nats(after), "low": low, "high": high}
    if not before["values"]:
        return {"value": 0.0, "low": 0.0, "high": 0.0}
    low, high = paired_bootstrap(before["values"], after["values"])
    return {"value": after["value"] - before["value"], "low": low, "high": high}


def asked(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """Return what was asked of the model and what was expected, as people read it; `media` are numbers."""
    return [_asked(sample) for sample in samples]


def _asked(sample: Sample) -> dict[str, Any]:
    if "text" in sample:
        return {"prompt": sample["text"][:2000], "expected": ""}
    if "speaker" in sample:
        return {
            "prompt": f"user: {sample['messages'][0]['content']}",
            "expected": "",
            "level": sample["speaker"],
        }
    told: dict[str, Any] = {
        "prompt": "\n\n".join(f"{m['role']}: {m['content']}" for m in sample["messages"][:-1]),
        "expected": sample["messages"][-1]["content"],
    }
    media = [medium["number"] for medium in sample.get("media", []) if "number" in medium]
    return {**told, "media": media, "level": sample.get("level", "")} if media else told
