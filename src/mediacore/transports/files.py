"""Audio files as the far end of a call: the names of `mediacore.audiofile`."""

from mediacore.audiofile import (
    AudioFile,
    WavStats,
    WavWriter,
    read_audio,
    resample,
    write_wav,
)

__all__ = ["AudioFile", "WavStats", "WavWriter", "read_audio", "resample", "write_wav"]
