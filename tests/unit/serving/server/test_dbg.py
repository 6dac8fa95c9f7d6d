import sys
def test_x():
    import tests.unit.serving.server.serving
    from manus.models.omni import registration as r
    print(sorted(r.DONE), sorted(r.REGISTERED), [k for k in sys.modules if k.startswith("manus.models.omni")])
    print([f for f in sys.meta_path])
    from transformers.models.auto.modeling_auto import AutoModelForCausalLM as A
    print([k.__name__ for k in A._model_mapping._extra_content])
    assert 0
