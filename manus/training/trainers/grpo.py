"""Trains a stage by GRPO, TRL's trainer on our loop (Shao et al. 2024, DeepSeekMath, arXiv:2402.03300)."""

from __future__ import annotations

import copy
import json
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from datasets import Dataset
from transformers import PreTrainedTokenizerBase, set_seed
from trl import GRPOConfig, GRPOTrainer
from trl.models import unwrap_model_for_generation
from trl.trainer.utils import add_fused_lm_head

from manus.data.prepared.samples import PROMPTS, read_arrow
from manus.data.tokens.chat_templates import opened_thought, placed, takes_system
from manus.data.tokens.rendering import render_prompt
from manus.errors import DataError
from manus.guards import ranks
from manus.models.generation.engine import Engine
from manus.models.generation.questions import Question
from manus.models.generation.settings import drawn, ends_of_turn
from manus.models.loading.precision import precision_of
from manus.rewards.judge import Judge
from manus.settings.sampling import SamplingSettings
from manus.training.job import arguments, conduct
from manus.training.kernels.fused_head import TOKENS_IN_PROOF, answer_by, own_heads
from manus.training.loop import Guarded
from manus.training.rollouts.rollouts import Ledger, Transcript
from manus.training.rollouts.sampling import is_vllm_used
from manus.training.stage_job import StageJob
from manus.training.weights import frozen, keep_in_32_bits, of_trl, start_model

WORDS = "Which of these numbers is the largest: 3, 14 or 15?"  # on which a model shows what its head computes


class StageGRPOTrainer(Guarded, GRPOTrainer):
    """GRPOTrainer that refers to the start model and continues exactly, between two generations too."""

    def __init__(self, *args: Any, reference: Any, ledger: Ledger, **kwargs: Any) -> None:
        beta, kwargs["args"].beta = kwargs["args"].beta, 0.0
        # Told of a beta, GRPOTrainer would load the reference from where the base lies, without the earlier
        # stages.
        super().__init__(*args, **kwargs)
        self.ledger = ledger
        self.beta = self.args.beta = beta
        if beta and reference is not None:
            add_fused_lm_head(reference, temperature=self.temperature)
            self.ref_model = self.accelerator.prepare_model(reference, evaluation_mode=True)
            self.companions = [reference]

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Any:
        self.tokens_seen += int(inputs["prompt_mask"].sum() + inputs["completion_mask"].sum())
        return super()._compute_loss(model, inputs)

    def method_state(self) -> dict[str, Any]:
        """Return answers not used up yet, where in them the training is, and metrics since the last log."""
        return {
            "micro_step": self._step,
            "answers": self._buffered_inputs,
            "metrics": dict(self._metrics["train"]),
            **self.ledger.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on with the answers that an earlier process made."""
        self._step = state["micro_step"]
        device = self.accelerator.device
        self._buffered_inputs = state["answers"] and [
            {name: value.to(device) if hasattr(value, "to") else value for name, value in part.items()}
            for part in state["answers"]
        ]
        self._metrics["train"] = defaultdict(list, state["metrics"])
        self.ledger.restore(state)


def train_grpo(job: StageJob, judge: Judge) -> dict[str, Any]:
    """Train by GRPO on the stage's prompts; leave `completions.jsonl` beside the weights.

    The reference is the start model: the adapter switched off, or, where all weights train, a frozen copy.
    """
    settings = job.settings
    tokenizer = job.tokenizer
    prompts = as_shown(read_arrow(job.data, PROMPTS), tokenizer)
    rounds = settings.rounds(len(prompts), ranks.world_size())
    if not rounds:
        raise DataError(
            f"{job.name}: {len(prompts)} prompts are fewer than one round of answers needs "
            f"(batch_size x gradient_accumulation / group_size); give more data or smaller batches"
        )
    total = max(1, math.ceil(rounds * settings.updates_per_round * settings.epochs))
    set_seed(job.seed)
    precision = precision_of(settings.precision)
    model = start_model(job.base, job.start, settings.adapter, precision)
    needs_copy = settings.adapter == "none" and settings.kl_coefficient > 0
    reference = frozen(copy.deepcopy(model)) if needs_copy else None
    model.generation_config.eos_token_id = ends_of_turn(
        model, tokenizer
    )  # from which TRL takes where answers end
    uses_vllm = is_vllm_used(settings.generation)
    stops = {"stop_token_ids": model.generation_config.eos_token_id} if uses_vllm else None
    ledger = Ledger(judge, Transcript(total))
    heads = own_heads(job.tokenizer(WORDS)["input_ids"][:TOKENS_IN_PROOF], model, reference)

    def build(callbacks: list[Any]) -> Guarded:
        trainer = StageGRPOTrainer(
            model=model,
            reference=reference,
            ledger=ledger,
            reward_funcs=[
                component(name, lambda: trainer.state.global_step, ledger, tokenizer) for name in judge.names
            ],
            rollout_func=None if uses_vllm else rollouts(tokenizer, settings),
            args=arguments(
                job, precision, total, GRPOConfig,
                beta=settings.kl_coefficient, num_generations=settings.group_size,
                num_iterations=settings.iterations, epsilon=settings.clip, epsilon_high=settings.clip_high,
                loss_type=settings.loss, scale_rewards=settings.scale_rewards,
                reward_weights=list(judge.weights), max_completion_length=settings.max_new_tokens,
                temperature=settings.temperature, top_p=settings.top_p,
                top_k=0, mask_truncated_completions=settings.ignore_unfinished,
                steps_per_generation=settings.gradient_accumulation * settings.updates_per_generation,
                disable_dropout=settings.dropout == 0, use_vllm=uses_vllm,
                generation_kwargs=stops,
            ),
            train_dataset=prompts,
            **of_trl(job, model, callbacks),
        )  # fmt: skip
        answer_by(heads, settings.temperature)
        keep_in_32_bits(trainer.model)
        return trainer

    metrics = conduct(job, total, build)
    if ranks.is_first():
        ledger.write(job.staging)
    return metrics


def as_shown(prompts: Dataset, tokenizer: PreTrainedTokenizerBase) -> Dataset:
    """Return prompts whose turns stand where the chat template shows them, as TRL hands them to it."""
    if takes_system(tokenizer):
        return prompts
    return prompts.map(lambda row: {"prompt": placed(tokenizer, row["prompt"])}, keep_in_memory=True)


def rollouts(tokenizer: PreTrainedTokenizerBase, settings: SamplingSettings) -> Callable[..., dict[str, Any]]:
    """Return what GRPOTrainer asks for answers: the engine, which reads the prompt of a group once."""

    def answers(prompts: list[Any], trainer: GRPOTrainer) -> dict[str, Any]:
        ids = tokenizer.apply_chat_template(
            prompts,
            chat_template=trainer.chat_template,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            **trainer.chat_template_kwargs,
        )["input_ids"]
        checkpointing = trainer.args.gradient_checkpointing_kwargs
        with unwrap_model_for_generation(
            trainer.model_wrapped, trainer.accelerator, gradient_checkpointing_kwargs=checkpointing
        ) as model:
            drawing = drawn(model, tokenizer, settings.max_new_tokens, settings.temperature, settings.top_p)
            engine = Engine(model, places=len(ids), pad_token_id=tokenizer.pad_token_id)
            said = engine.answers([Question(prompt, drawing) for prompt in ids])
        return {"prompt_ids": ids, "completion_ids": said, "logprobs": None}

    return answers


def component(
    name: str, step: Callable[[], int], ledger: Ledger, tokenizer: PreTrainedTokenizerBase
) -> Callable[..., list[float]]:
    """Return one component of the reward as a function that GRPOTrainer calls by that name."""

    def reward(
        prompts: Sequence[Any], completions: Sequence[Any], sample: Sequence[str], **others: Any
    ) -> list[float]:
        asked = [opened_thought(render_prompt(tokenizer, turns)) for turns in prompts]
        answers = [thought + turns[-1]["content"] for thought, turns in zip(asked, completions, strict=True)]
        scores = ledger.scores(step(), [json.loads(text) for text in sample], answers, batch=completions)
        return scores.components[name]

    reward.__name__ = name
    return reward
