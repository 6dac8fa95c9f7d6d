# What the base model can take in and give out; and the base as safetensors, where it is not.


rule detect:
    input:
        needs("detect"),
    output:
        f"{BUILT}/detect/{{name}}@{{token}}",
    threads: cores("detect")
    resources:
        gpu=gpus("detect"),
    params:
        why=why("detect"),
    message:
        "detect {wildcards.name}: {params.why}"
    shell:
        command("detect")


rule base:
    input:
        needs("base"),
    output:
        f"{BUILT}/base/{{name}}@{{token}}",
    threads: cores("base")
    resources:
        gpu=gpus("base"),
    params:
        why=why("base"),
    message:
        "base {wildcards.name}: {params.why}"
    shell:
        command("base")
