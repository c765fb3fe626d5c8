"""What can be asked of the cluster: one function per request, `(core, names..., body) -> Answers`.

A use case checks everything it can before it changes anything, changes in one transaction, then waits for the
satellites without any lock. Refusals are raised as `orlop.errors.Refused`; the API turns them into an envelope.
"""
