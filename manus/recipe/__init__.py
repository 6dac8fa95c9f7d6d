"""All of YAML to Recipe. `recipe.py` reads one; `known.py`: what capabilities and methods say of another."""
