"""What is gained: one file a capability, found by its name. A new file here is a new entry for recipes.

A capability module has
    VERSION             raised when the same data give other samples or scores
    MODALITIES          what the base must be able to take in or give out
    SAMPLE_KINDS        the kinds of sample that its data can become
    DEFAULT_DATA        the source used when a recipe names none
    GENERATOR           the named generator of its offline data; None: the user's own rows
    METRIC              what its probe measures: a share between 0 and 1, or one of `manus.evaluation.metrics`
    Settings            what a recipe may set under `probe:`
    read(row)           a row of data as a sample, in the format that is taught
    can_score(sample)   whether its answer can be told right or wrong; where none can, its answers' nats are measured
    score(sample, text) the verifier; where it has a third parameter `settings`, the probe's Settings
A capability that is probed on media also has
    ABLATIONS           what cuts the sense off, by the name in reports: a kind of `manus.data.media.ablation`
and may have
    HURT_LEVELS         for an ablation that only some levels feel: how the names of those begin
    PROBE               "retrieval" where the probe is `manus.evaluation.retrieval` and not an answer
"""

REQUIRED = (
    "VERSION", "MODALITIES", "SAMPLE_KINDS", "DEFAULT_DATA", "GENERATOR", "METRIC",
    "Settings", "read", "can_score", "score",
)  # fmt: skip
PLANNED = (
    "streaming", "podcast", "tri-streaming", "image-generation", "video-generation",
)  # fmt: skip
GROUPS = {"all_text": ("cot", "reasoning", "thinking", "tools")}
