# What the merged model does at run time, such as streaming: measured, not trained.


rule feature:
    input:
        needs("feature"),
    output:
        f"{BUILT}/feature/{{name}}@{{token}}",
    threads: cores("feature")
    resources:
        gpu=gpus("feature"),
    params:
        why=why("feature"),
    message:
        "feature {wildcards.name}: {params.why}"
    shell:
        command("feature")
