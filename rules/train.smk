# Each stage's training.


rule train:
    input:
        needs("train"),
    output:
        f"{BUILT}/train/{{name}}@{{token}}",
    threads: cores("train")
    resources:
        gpu=gpus("train"),
    params:
        why=why("train"),
    message:
        "train {wildcards.name}: {params.why}"
    shell:
        command("train")
