# From a recipe to a merged model and its report:
#
#   snakemake --config recipe=recipes/quickstart.yaml [epochs=1 sample_size=100 ...]
#
# Keys decide what is built, not times: every output below .built/ carries the key of the artifact it stands
# for, so what is missing is exactly what the recipe needs and the store lacks (docs/decisions/).


include: "rules/common.smk"
include: "rules/detect.smk"
include: "rules/omni.smk"
include: "rules/data.smk"
include: "rules/speech.smk"
include: "rules/reward.smk"
include: "rules/train.smk"
include: "rules/evaluate.smk"
include: "rules/merge.smk"
include: "rules/feature.smk"
include: "rules/report.smk"


rule all:
    default_target: True
    input:
        [stamp(artifact.id) for artifact in PLAN.artifacts.values()],


lacking = [kind for kind in KINDS if not hasattr(rules, kind)]
assert not lacking, f"no rule builds {', '.join(lacking)}; add one in rules/"
