"""Lets a model answer prompts, and measures how well it foresees texts. Knows nothing of verifiers."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from manus.data.sample import RowError, Sample, Tokens
from manus.data.tokens.chat_templates import opened_thought
from manus.data.tokens.rendering import render, render_pair, render_prompt
from manus.guards.memory import Parked
from manus.guards.progress import progress
from manus.guards.run import RUN, Work
from manus.models.generation.inputs import on_device, tokenised
from manus.models.generation.questions import Drawing, Question
from manus.models.generation.settings import greedy

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from manus.models.senses.inputs import Media


def answer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    samples: Sequence[Sample],
    max_new_tokens: int,
    title: str,
    media: Media | None = None,
) -> list[str]:
    """Return what the model answers to each sample's conversation without its last turn, decoded greedily.

    A thought that the prompt opens is the answer's, which says how it ends.

    Args:
        model: a causal language model, an omni one where samples hold media.
        tokenizer: its tokenizer.
        samples: what is asked.
        max_new_tokens: of an answer.
        title: what is done, for people.
        media: the images, videos and sounds that samples refer to.

    Raises:
        Interrupted: a signal came.
    """
    from manus.models.generation.engine import (
        PLACES,
        Engine,
    )  # here: preparing data needs only what is learned

    prompts = [prompt_of(tokenizer, sample, media) for sample in samples]
    order = deque(sorted(range(len(prompts)), key=lambda index: len(prompts[index]), reverse=True))
    places = PLACES if media is None else media.rows_at_once
    known = len(prompts) if media is None else places  # media are decoded when their turn comes
    engine = Engine(model, places=places, pad_token_id=tokenizer.pad_token_id)
    drawing, parked = greedy(model, tokenizer, max_new_tokens), Parked(model, others=[engine])
    asked: dict[int, int] = {}
    said: dict[int, list[int]] = {index: [] for index in range(len(prompts))}
    done = 0
    with progress(title, len(prompts), "answers") as advance:
        while order or engine.running or engine.waiting:
            RUN.cross(title, work=Work(None, parked.park, parked.unpark))
            while order and engine.running + engine.waiting < known:
                index = order.popleft()
                asked[engine.add(_question(tokenizer, prompts[index], samples[index], media, drawing))] = (
                    index
                )
            for step in engine.step():
                said[asked[step.ticket]].append(step.token)
                done += step.finish is not None
            advance(done)
    texts = tokenizer.batch_decode([said[index] for index in range(len(prompts))], skip_special_tokens=True)
    return [(opened_thought(prompt) + text).strip() for prompt, text in zip(prompts, texts, strict=True)]


def _question(
    tokenizer: PreTrainedTokenizerBase, prompt: str, sample: Sample, media: Media | None, drawing: Drawing
) -> Question:
    if media is None:
        return Question(tokenizer(prompt, add_special_tokens=False)["input_ids"], drawing)
    inputs = media.batch(tokenizer, [prompt], [sample.get("media", [])])
    ids = inputs["input_ids"][0].tolist()
    return Question(
        ids, drawing, {name: inputs[name] for name in inputs if name not in ("input_ids", "attention_mask")}
    )


def prompt_of(tokenizer: PreTrainedTokenizerBase, sample: Sample, media: Media | None) -> str:
    """Return the text that stands before a sample's last turn."""
    asked = sample["messages"][:-1]
    return (
        render_prompt(tokenizer, asked)
        if media is None
        else media.prompt(tokenizer, asked, sample.get("media", []))
    )


def inputs_of(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    samples: Sequence[Sample],
    media: Media | None,
) -> dict[str, torch.Tensor]:
    """Return what the model takes in for a batch of prompts and the media of their samples, on its device."""
    if media is None:
        found = tokenised(tokenizer, prompts)
    else:
        found = media.batch(tokenizer, prompts, [sample.get("media", []) for sample in samples])
    return on_device(found, model)


def foresee(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    samples: Sequence[Sample],
    max_length: int,
    title: str,
) -> list[tuple[float, int]]:
    """Return for each text the mean negative log-likelihood per token, in nats, and the number of tokens.

    Raises:
        Interrupted: a signal came.
    """
    results, parked = [], Parked(model)
    with progress(title, len(samples), "texts") as advance:
        for done, sample in enumerate(samples, 1):
            RUN.cross(title, work=Work(None, parked.park, parked.unpark))
            ids = torch.tensor([render(tokenizer, sample).ids[:max_length]], device=model.device)
            with torch.inference_mode():
                logits = model(ids, use_cache=False).logits[0, :-1].float()
            results.append((F.cross_entropy(logits, ids[0, 1:]).item(), ids.shape[1] - 1))
            advance(done)
    return results


def foresee_answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    samples: Sequence[Sample],
    max_length: int,
    title: str,
    media: Media | None = None,
) -> list[tuple[float, int]]:
    """Return for each conversation the mean negative log-likelihood of what is learned, in nats per token.

    Beside it stands the number of those tokens; 0 of one that training would leave out, because the template
    refuses it or its answers begin beyond `max_length`.

    Raises:
        Interrupted: a signal came.
    """
    results, parked = [], Parked(model)
    with progress(title, len(samples), "answers") as advance:
        for done, sample in enumerate(samples, 1):
            RUN.cross(title, work=Work(None, parked.park, parked.unpark))
            tokens, given = learned_of(tokenizer, sample, max_length, media)
            ids = torch.tensor([tokens.ids], device=model.device)
            is_learned = torch.tensor(tokens.is_learned, dtype=torch.bool, device=model.device)[1:]
            count, nats = int(is_learned.sum()), 0.0
            if count:
                with torch.inference_mode():
                    whole = model(ids, use_cache=False, **on_device(given, model)).logits
                nats = F.cross_entropy(whole[0, :-1][is_learned].float(), ids[0, 1:][is_learned]).item()
            results.append((nats, count))
            advance(done)
    return results


def learned_of(
    tokenizer: PreTrainedTokenizerBase, sample: Sample, max_length: int, media: Media | None = None
) -> tuple[Tokens, dict[str, Any]]:
    """Return a conversation's tokens, of which some are learned, and the model's inputs for its media.

    None is learned of one that training would leave out.
    """
    try:
        tokens, given = (render(tokenizer, sample), {}) if media is None else media.whole(tokenizer, sample)
    except RowError:
        return Tokens([], []), {}
    if len(tokens.ids) <= max_length:
        return tokens, given
    return (
        (Tokens([], []), {})
        if given
        else (Tokens(tokens.ids[:max_length], tokens.is_learned[:max_length]), {})
    )


def prefer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    samples: Sequence[Sample],
    max_length: int,
    title: str,
) -> list[float]:
    """Return for each pair by how much likelier its better answer is, in nats per token.

    Raises:
        Interrupted: a signal came.
    """
    margins, parked = [], Parked(model)
    with progress(title, len(samples), "pairs") as advance:
        for done, sample in enumerate(samples, 1):
            RUN.cross(title, work=Work(None, parked.park, parked.unpark))
            pair = render_pair(tokenizer, sample)
            chosen, rejected = (
                _likelihood(model, (pair.prompt + answer)[:max_length], len(pair.prompt))
                for answer in (pair.chosen, pair.rejected)
            )
            margins.append(chosen - rejected)
            advance(done)
    return margins


def _likelihood(model: PreTrainedModel, ids: list[int], start: int) -> float:
    """Return the mean log-probability of the tokens from `start` on, 0 where none is left."""
    row = torch.tensor([ids], device=model.device)
    if len(ids) <= start:
        return 0.0
    with torch.inference_mode():
        logits = model(row, use_cache=False).logits[0, start - 1 : -1].float()
    return -F.cross_entropy(logits, row[0, start:]).item()
