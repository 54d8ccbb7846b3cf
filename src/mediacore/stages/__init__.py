"""Dialogue without a language model: a stage graph with expected answers and reply templates."""

from mediacore.stages.run import Reply, reply_to
from mediacore.stages.script import Script, load_dialogue, parse_dialogue

__all__ = ["Reply", "Script", "load_dialogue", "parse_dialogue", "reply_to"]
