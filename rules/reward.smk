# What the methods that learn from comparisons need first: reward models, and pairs of the model's own answers.


rule reward:
    input:
        needs("reward"),
    output:
        f"{BUILT}/reward/{{name}}@{{token}}",
    threads: cores("reward")
    resources:
        gpu=gpus("reward"),
    params:
        why=why("reward"),
    message:
        "reward {wildcards.name}: {params.why}"
    shell:
        command("reward")


rule pairs:
    input:
        needs("pairs"),
    output:
        f"{BUILT}/pairs/{{name}}@{{token}}",
    threads: cores("pairs")
    resources:
        gpu=gpus("pairs"),
    params:
        why=why("pairs"),
    message:
        "pairs {wildcards.name}: {params.why}"
    shell:
        command("pairs")
