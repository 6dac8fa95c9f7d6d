# Each stage's training.


rule train:
    input:
        needs("train"),
    output:
        f"{BUILT}/train/{{name}}@{{token}}",
    params:
        why=why("train"),
    threads: ALL_CORES
    resources:
        gpu=1,
    message:
        "train {wildcards.name}: {params.why}"
    shell:
        command("train")
