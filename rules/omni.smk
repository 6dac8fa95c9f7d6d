# Senses: encoders that must be made first, and the base with encoders and untrained projectors around it.


rule encoder:
    input:
        needs("encoder"),
    output:
        f"{BUILT}/encoder/{{name}}@{{token}}",
    threads: cores("encoder")
    resources:
        gpu=gpus("encoder"),
    params:
        why=why("encoder"),
    message:
        "encoder {wildcards.name}: {params.why}"
    shell:
        command("encoder")


rule assemble:
    input:
        needs("assemble"),
    output:
        f"{BUILT}/assemble/{{name}}@{{token}}",
    threads: cores("assemble")
    resources:
        gpu=gpus("assemble"),
    params:
        why=why("assemble"),
    message:
        "assemble {wildcards.name}: {params.why}"
    shell:
        command("assemble")
