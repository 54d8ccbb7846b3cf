"""Media streams over WebSocket: one dialect of a provider per file, without I/O.

text message ─► dialect.receive() ─► Opened, MarkPlayed, DigitPressed, Ended, Reply …
dialect.clear(), .mark(), .bye() ─► text messages to send

Audio itself does not pass here: `Traits.media_in` and `MediaOut` tell the core how it is wrapped.
"""
