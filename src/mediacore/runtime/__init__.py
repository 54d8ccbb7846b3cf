"""The call as runtime: one pure reducer owns its lines, operations, documents and conversation.

`step(state, event, now)` gives the new state and all actions; the session executes them before
the next event. Nothing here does I/O, reads a clock or keeps state of its own.
"""
