"""Embedded models: each runs in a worker process of its own, one thread, never on the event loop.

    adapter (event loop)                      child process, one per model
    Worker.call ──► stdin: head + body ──►  reader thread ─► jobs ─► model (main thread)
                ◄── stdout: head + body ◄──────────────────────────────┘

`worker` is the parent's half, `serve` the child's. numpy and the model libraries are imported by
the child only.
"""
