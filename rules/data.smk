# Each stage's data: read, split, tokenised.


rule data:
    input:
        needs("data"),
    output:
        f"{BUILT}/data/{{name}}@{{token}}",
    threads: cores("data")
    resources:
        gpu=gpus("data"),
    params:
        why=why("data"),
    message:
        "data {wildcards.name}: {params.why}"
    shell:
        command("data")
