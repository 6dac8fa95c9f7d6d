"""How models answer: one engine for probes, for what is said while learning, for chat and for the server."""
