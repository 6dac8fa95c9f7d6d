"""Says what a model can do from transformers' source text and from headers of files. Loads no weights."""
