"""Conversations without a model: a stage graph with phrase patterns and reply templates in YAML."""

from mediacore.dialogue.document import Dialogue, load_dialogue, parse_dialogue
from mediacore.dialogue.machine import Exchange, Reply, State, replay

__all__ = [
    "Dialogue",
    "Exchange",
    "Reply",
    "State",
    "load_dialogue",
    "parse_dialogue",
    "replay",
]
