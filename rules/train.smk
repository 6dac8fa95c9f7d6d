# Each stage's training.


rule train:
    input:
        needs("train"),
    output:
        f"{BUILT}/train/{{name}}@{{token}}",
    threads: ALL_CORES
    resources:
        gpu=1,
    params:
        why=why("train"),
    message:
        "train {wildcards.name}: {params.why}"
    shell:
        command("train")
