# The merged model, shown only if the recipe's gates let it pass.


rule merge:
    input:
        needs("merge"),
    output:
        f"{BUILT}/merge/{{name}}@{{token}}",
    threads: cores("merge")
    resources:
        gpu=gpus("merge"),
    params:
        why=why("merge"),
    message:
        "merge {wildcards.name}: {params.why}"
    shell:
        command("merge")
