"""The process-side runtime of a call: one owner, one stream of events, actions carried out."""
