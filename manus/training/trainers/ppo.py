"""Trains one stage by proximal policy optimisation: rounds of answers, each learned from in a few passes.

The equations are in `policy_gradient`. Policy and value share one model: the value of a state is a linear
function of the hidden state from which the next token is foretold. Knows nothing of how answers are scored.
"""

from __future__ import annotations

import copy
import inspect
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from datasets import Dataset
from peft import PeftModel
from torch import nn
from torch.utils.data import SequentialSampler
from transformers import set_seed

from manus.data.prepared.samples import PROMPTS, read_arrow
from manus.data.sample import Sample, prompt_of
from manus.data.tokens.chat_templates import opened_thought
from manus.data.tokens.rendering import render_prompt
from manus.errors import DataError, InputError
from manus.guards import ranks
from manus.models.generation.inputs import left_padded
from manus.models.loading.precision import precision_of
from manus.rewards.judge import Judge
from manus.training.job import arguments, conduct
from manus.training.loop import Measured
from manus.training.rollouts.rollouts import Ledger, Transcript
from manus.training.rollouts.sampling import Sampler
from manus.training.stage_job import StageJob
from manus.training.trainers.policy_gradient import (
    adapted_coefficient,
    advantages,
    explained_variance,
    losses,
    masked_mean,
    token_rewards,
    whitened,
)
from manus.training.weights import frozen, trainable

# Shapes: B answers of a minibatch, P tokens of the longest prompt, T tokens of the longest answer, D hidden
# size.

Round = dict[str, torch.Tensor]


class Places(torch.utils.data.Dataset[dict[str, int]]):
    """The order of work: place 0 is the first minibatch of the first pass over the first round, and so on."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, place: int) -> dict[str, int]:
        return {"place": place}


class StagePPOTrainer(Measured):
    """Trainer whose minibatches come from rounds of answers that the model has just given."""

    def __init__(
        self,
        *args: Any,
        settings: Any,
        prompts: Dataset,
        tokenizer: Any,
        reference: Any,
        ledger: Ledger,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.loss_is_scaled_for_ga = self.model_accepts_loss_kwargs = False
        self.settings, self.prompts, self.tokenizer, self.ledger = settings, prompts, tokenizer, ledger
        self.reference = None
        if reference is not None:  # prepared as the model is, so that both compute in one precision
            self.reference = self.accelerator.prepare_model(reference, evaluation_mode=True)
            self.companions = [reference]
        self.kl_coefficient = settings.kl_coefficient
        self.round_number, self.round = -1, Round()
        inner = self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model
        self.can_skip_logits = "logits_to_keep" in inspect.signature(inner.forward).parameters
        head = inner.get_output_embeddings()
        self.value_head = nn.Linear(head.weight.shape[1], 1).to(self.model.device)
        nn.init.zeros_(self.value_head.weight)
        nn.init.zeros_(self.value_head.bias)
        self._hidden: torch.Tensor | None = None
        head.register_forward_pre_hook(self._keep_hidden)
        self.sampler = Sampler(self.model, tokenizer, settings, self.accelerator, settings.rollout_size)

    def _keep_hidden(self, module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        self._hidden = inputs[0]

    def create_optimizer(self, *args: Any, **kwargs: Any) -> Any:
        """Let the value head learn too, at a rate of its own."""
        super().create_optimizer(*args, **kwargs)
        rate = self.settings.value_learning_rate or self.args.learning_rate
        self.optimizer.add_param_group(
            {"params": list(self.value_head.parameters()), "lr": rate, "weight_decay": 0.0}
        )
        # Trainer clears the gradients of its model only.
        self.optimizer.register_step_post_hook(lambda *_: self.value_head.zero_grad())
        return self.optimizer

    def _get_train_sampler(self, *args: Any) -> SequentialSampler:
        return SequentialSampler(self.train_dataset)

    def method_state(self) -> dict[str, Any]:
        """Return the round that is being learned from, the value head, the penalty, and what was measured."""
        return {
            **super().method_state(),
            "round_number": self.round_number,
            "round": self.round,
            "kl_coefficient": self.kl_coefficient,
            "value_head": self.value_head.state_dict(),
            **self.ledger.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on in the round that an earlier process made."""
        super().restore(state)
        self.round_number, self.kl_coefficient = state["round_number"], state["kl_coefficient"]
        self.round = {name: value.to(self.model.device) for name, value in state["round"].items()}
        self.value_head.load_state_dict(state["value_head"])
        self.ledger.restore(state)

    def _prepare_inputs(self, inputs: dict[str, Any]) -> Round:
        """Return the minibatch at a place in the order of work, after making the round that it is from."""
        place = int(inputs["place"])
        per_round = self.settings.passes * self.settings.minibatches
        number, within = divmod(place, per_round)
        if number != self.round_number:
            self.round_number, self.round = number, self._new_round(number)
        one_pass, minibatch = divmod(within, self.settings.minibatches)
        order = np.random.default_rng([self.args.seed, number, one_pass]).permutation(
            self.settings.rollout_size
        )
        rows = order[minibatch * self.settings.batch_size : (minibatch + 1) * self.settings.batch_size]
        return {name: value[torch.from_numpy(rows)] for name, value in self.round.items()}

    def _samples(self, number: int) -> list[Sample]:
        """Return what is asked in a round: all prompts, in an order of its own, before any comes again."""
        size, count = self.settings.rollout_size, len(self.prompts)
        places = [divmod(place, count) for place in range(number * size, (number + 1) * size)]
        orders = {
            epoch: np.random.default_rng([self.args.seed, epoch]).permutation(count) for epoch, _ in places
        }
        return [json.loads(self.prompts[int(orders[epoch][place])]["sample"]) for epoch, place in places]

    @torch.no_grad()
    def _new_round(self, number: int) -> Round:
        """Let the model answer, score the answers, and work out what can be learned from them."""
        settings, samples = self.settings, self._samples(number)
        texts = [render_prompt(self.tokenizer, prompt_of(sample)) for sample in samples]
        prompts = [self.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
        answers = self.sampler.draw(prompts)
        decoded = self.tokenizer.batch_decode(answers, skip_special_tokens=True)
        said = [opened_thought(text) + words.strip() for text, words in zip(texts, decoded, strict=True)]
        scores = self.ledger.scores(self.state.global_step, samples, said)
        made = self._round_of(prompts, answers)
        parts = [self._foreseen(part) for part in _parts(made, settings.batch_size)]
        logp_BT, values_BT = (torch.cat([part[index] for part in parts]) for index in (0, 1))
        with self._as_reference():
            reference = [
                self._foreseen(part, self.reference)[0] for part in _parts(made, settings.batch_size)
            ]
        mask_BT, log_ratio_BT = made["mask"], (logp_BT - torch.cat(reference)) * made["mask"]
        total_B = torch.tensor(scores.total, device=logp_BT.device)
        if settings.unfinished_reward is not None:
            is_cut_B = torch.tensor([not self.sampler.is_finished(a) for a in answers], device=total_B.device)
            total_B = torch.where(is_cut_B, settings.unfinished_reward, total_B)
        rewards_BT = token_rewards(total_B, log_ratio_BT, mask_BT, self.kl_coefficient)
        advantages_BT, returns_BT = advantages(
            rewards_BT, values_BT, mask_BT, settings.gamma, settings.gae_lambda
        )
        kl = log_ratio_BT.sum(1).mean().item()  # nats per answer
        lengths = [len(answer) for answer in answers]
        self.measure("reward", total_B.mean().item())
        self.measure("reward_std", total_B.std(correction=0).item())
        for name, values in scores.components.items():
            self.measure(f"rewards/{name}/mean", float(np.mean(values)))
        self.measure("kl", masked_mean(log_ratio_BT, mask_BT).item())
        self.measure("kl_per_answer", kl)
        self.measure("kl_coefficient", self.kl_coefficient)
        self.measure("explained_variance", explained_variance(values_BT, returns_BT, mask_BT).item())
        self.measure("completions/mean_length", float(np.mean(lengths)))
        self.measure("completions/min_length", min(lengths))
        self.measure("completions/max_length", max(lengths))
        self.measure(
            "completions/clipped_ratio", float(np.mean([not self.sampler.is_finished(a) for a in answers]))
        )
        if settings.kl_target is not None:
            size = len(answers)
            self.kl_coefficient = adapted_coefficient(
                self.kl_coefficient, kl, settings.kl_target, size, settings.kl_horizon
            )
        learned_BT = whitened(advantages_BT, mask_BT) if settings.whiten_advantages else advantages_BT
        return {**made, "logp": logp_BT, "values": values_BT, "advantages": learned_BT, "returns": returns_BT}

    def _round_of(self, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]) -> Round:
        """Return token ids and masks: prompts padded on the left, answers on the right."""
        pad, device = self.tokenizer.pad_token_id, self.model.device
        asked = left_padded(prompts, pad, device)
        shape = (len(answers), max(map(len, answers)))
        ids_BT, mask_BT = torch.full(shape, pad, device=device), torch.zeros(shape, device=device)
        for index, answer in enumerate(answers):
            ids_BT[index, : len(answer)], mask_BT[index, : len(answer)] = (
                torch.tensor(answer, device=device),
                1,
            )
        ids = torch.cat([asked["input_ids"], ids_BT], 1)
        attention = torch.cat([asked["attention_mask"], mask_BT.long()], 1)
        return {"input_ids": ids, "attention_mask": attention, "mask": mask_BT}

    def _foreseen(self, part: Round, model: Any = None) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return log-probabilities of the answers' tokens, values before each, and entropies, all [B, T]."""
        length = part["mask"].shape[1]
        keep = {"logits_to_keep": length + 1} if self.can_skip_logits else {}
        outputs = (model or self.model)(
            input_ids=part["input_ids"],
            attention_mask=part["attention_mask"],
            position_ids=(part["attention_mask"].cumsum(1) - 1).clamp(min=0),
            use_cache=False,
            **keep,
        )
        logits = outputs.logits[:, -length - 1 : -1].float() / self.settings.temperature
        logp_BTV = F.log_softmax(logits, -1)
        logp_BT = logp_BTV.gather(2, part["input_ids"][:, -length:, None]).squeeze(2)
        entropy_BT = -(logp_BTV.exp() * logp_BTV).sum(2)
        if model is not None:  # the reference has no values of ours
            return logp_BT, torch.zeros_like(logp_BT), entropy_BT
        assert self._hidden is not None, "the output layer has just run"
        hidden_BTD, self._hidden = self._hidden[:, -length - 1 : -1], None
        return logp_BT, self.value_head(hidden_BTD.float()).squeeze(2), entropy_BT

    def _as_reference(self) -> AbstractContextManager[Any]:
        """While it lasts, the model is the one the stage started from, if an adapter can be switched off."""
        if self.reference is not None:
            return nullcontext()
        return self.accelerator.unwrap_model(self.model).disable_adapter()  # type: ignore[no-any-return]

    def compute_loss(
        self, model: Any, inputs: Round, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return the clipped policy loss, with those of value head and entropy, times their coefficients."""
        settings, mask_BT = self.settings, inputs["mask"]
        self.tokens_seen += int(inputs["attention_mask"].sum())
        logp_BT, values_BT, entropy_BT = self._foreseen(inputs)
        found = losses(
            logp_BT,
            inputs["logp"],
            inputs["advantages"],
            values_BT,
            inputs["values"],
            inputs["returns"],
            mask_BT,
            settings.clip,
            settings.clip_value,
        )
        entropy = masked_mean(entropy_BT, mask_BT)
        self.measure("policy_loss", found.policy.item())
        self.measure("value_loss", found.value.item())
        self.measure("clip_ratio/policy", found.policy_clipped.item())
        self.measure("clip_ratio/value", found.value_clipped.item())
        self.measure("entropy", entropy.item())
        return (
            found.policy + settings.value_coefficient * found.value - settings.entropy_coefficient * entropy
        )


def _parts(made: Round, rows: int) -> Iterator[Round]:
    for start in range(0, len(made["mask"]), rows):
        yield {name: value[start : start + rows] for name, value in made.items()}


def train_ppo(job: StageJob, judge: Judge) -> dict[str, Any]:
    """Train by PPO on the stage's prompts; leave `completions.jsonl` beside the weights.

    The reference is the start model: the adapter switched off, or, where all weights train, a frozen copy.

    Raises:
        InputError: there are several ranks.
    """
    settings = job.settings
    if ranks.world_size() > 1:
        raise InputError(f"{job.name}: ppo trains on one rank; leave --ranks out")
    prompts = read_arrow(job.data, PROMPTS)
    if not len(prompts):
        raise DataError(f"{job.name}: there are no training prompts")
    rounds = max(1, math.ceil(settings.epochs * len(prompts) / settings.rollout_size))
    places = rounds * settings.passes * settings.minibatches
    total = -(-places // settings.gradient_accumulation)
    set_seed(job.seed)
    precision = precision_of(settings.precision)
    model = trainable(job.base, job.start, settings.adapter, settings, precision)
    reference = frozen(copy.deepcopy(model)) if settings.adapter == "none" else None
    ledger = Ledger(judge, Transcript(total))

    def build(callbacks: list[Any]) -> StagePPOTrainer:
        return StagePPOTrainer(
            model=model,
            settings=settings,
            prompts=prompts,
            tokenizer=job.tokenizer,
            reference=reference,
            ledger=ledger,
            args=arguments(job, precision, total, per_device_train_batch_size=1, num_train_epochs=1),
            train_dataset=Places(places),
            data_collator=lambda places: places[0],
            callbacks=callbacks,
            title=job.name,
        )

    metrics = conduct(job, total, build)
    ledger.write(job.staging)
    return metrics
