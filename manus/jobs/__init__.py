"""What each kind of artifact is made by: one file a kind, from what its parents left in the store.

Knows the flow of a plan; knows nothing of when a job runs. Everything heavy is imported by the job that needs
it.
"""
