"""Asterisk: AudioSocket, and RTP of external media channels."""
