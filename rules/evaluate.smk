# Held-out measurements: each stage before and after, and the merged model.


rule evaluate:
    input:
        needs("evaluate"),
    output:
        f"{BUILT}/evaluate/{{name}}@{{token}}",
    threads: cores("evaluate")
    resources:
        gpu=gpus("evaluate"),
    params:
        why=why("evaluate"),
    message:
        "evaluate {wildcards.name}: {params.why}"
    shell:
        command("evaluate")
