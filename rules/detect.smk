# What the base model can take in and give out; and the base as safetensors, where it is not.


rule detect:
    input:
        needs("detect"),
    output:
        f"{BUILT}/detect/{{name}}@{{token}}",
    params:
        why=why("detect"),
    threads: 1
    message:
        "detect {wildcards.name}: {params.why}"
    shell:
        command("detect")


rule base:
    input:
        needs("base"),
    output:
        f"{BUILT}/base/{{name}}@{{token}}",
    params:
        why=why("base"),
    threads: ALL_CORES
    message:
        "base {wildcards.name}: {params.why}"
    shell:
        command("base")
