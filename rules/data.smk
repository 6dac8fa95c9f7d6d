# Each stage's data: read, split, tokenised.


rule data:
    input:
        needs("data"),
    output:
        f"{BUILT}/data/{{name}}@{{token}}",
    params:
        why=why("data"),
    threads: 1
    message:
        "data {wildcards.name}: {params.why}"
    shell:
        command("data")
