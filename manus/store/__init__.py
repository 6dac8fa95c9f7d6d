"""Results by key: manifests, digests, publishing, garbage."""
