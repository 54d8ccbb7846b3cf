"""Binding of the audio core: convert, check, call, map errors. No policy, no sample arithmetic.

Threads: one control thread per engine calls everything here. The media thread is either the pacer
(`Engine.start`) or whoever calls `Engine.tick`. No function may be called on one engine by two
threads at the same time.
"""

import warnings

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.errno cimport errno
from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset, strerror

cimport cython

from mediacore._core._c cimport *

from mediacore.errors import MediaError, MissingDependencyError, QueueFullError, StaleError
from mediacore.events import (
    CloseReason,
    CutCause,
    DigitReceived,
    DigitSource,
    EventsLost,
    LegClosed,
    LegOpened,
    MarkReached,
    MediaLoss,
    MediaLost,
    MediaResumed,
    PlayoutCut,
    PlayoutDucked,
    PlayoutLow,
    PlayoutPaused,
    PlayoutResumed,
    PlayoutStarted,
    PlayoutUnderrun,
    SpeechEnded,
    SpeechStarted,
    TapReady,
    ToneDetected,
    UtteranceFinished,
    UtteranceRefused,
)
from mediacore.media import (
    NOTE_BYTES,
    EngineStats,
    LegStats,
    MediaOut,
    MediaSocketStats,
    PacerStats,
    SocketIn,
    VadEdge,
)

cdef enum:
    POLL_EVENTS = 64
    POLL_MAX = 8192  # events taken in one poll; the rest keep the descriptor readable
    RELEASE_GIL_LEGS = 16  # below it a tick is shorter than a change of threads
    RESAMPLE_CHUNK = 1 << 16
    TAP_MAX = 1 << 20  # samples or notes in one read

if sizeof(mc_note) != NOTE_BYTES:
    raise ImportError("struct mc_note and mediacore.media.Note disagree")

VERSION = (<bytes>MC_VERSION).decode()


# -------------------------------------------------------------------- errors

cdef str reason(int rc):
    if rc == MC_EINVAL:
        return "a value is out of range"
    if rc == MC_ENOMEM:
        return "no memory"
    if rc == MC_EBADMSG:
        return "data does not parse"
    if rc == MC_ELATE:
        return "too late"
    if rc == MC_EDUP:
        return "already here"
    if rc == MC_EFULL:
        return "the queue is full"
    if rc == MC_ESTALE or rc == MC_ENOENT:
        return "the handle or generation is no longer current"
    if rc == MC_ENOTSUP:
        return "not available in this build or on this machine"
    if rc == MC_EAGAIN:
        return "nothing there now"
    if rc == MC_EIO:
        return strerror(errno).decode("utf-8", "replace")
    if rc == MC_ESTATE:
        return "not legal in the present state"
    return f"error {rc}"


cdef int check(int rc, str what) except -1:
    """The one error map: negative results become exceptions, others pass."""
    if rc >= 0:
        return rc
    cdef str text = f"{what}: {reason(rc)}"
    if rc == MC_ESTALE or rc == MC_ENOENT:
        raise StaleError(text, rc)
    if rc == MC_EFULL:
        raise QueueFullError(text, rc)
    raise MediaError(text, rc)


cdef int refuse_closed(str what) except -1:
    raise StaleError(f"{what} is closed", MC_ESTALE)


cdef int get_pcm(object pcm, Py_buffer *view) except -1:
    """View whole, aligned int16 samples; release with PyBuffer_Release."""
    PyObject_GetBuffer(pcm, view, PyBUF_SIMPLE)
    if view.len & 1:
        PyBuffer_Release(view)
        raise ValueError("PCM must be whole int16 samples")
    if <size_t>view.buf & 1:
        PyBuffer_Release(view)
        PyObject_GetBuffer(bytes(pcm), view, PyBUF_SIMPLE)
    return 0


# -------------------------------------------------------------------- events

cdef object to_event(const mc_event *ev):
    """The one place where struct mc_event becomes a dataclass of mediacore.events."""
    cdef uint32_t kind = ev.kind
    leg, tick, at = ev.leg, ev.tick, ev.at
    if kind == MC_EV_LEG_OPENED:
        return LegOpened(leg, tick, at)
    if kind == MC_EV_LEG_CLOSED:
        return LegClosed(leg, tick, at, CloseReason(ev.a))
    if kind == MC_EV_SPEECH_STARTED:
        return SpeechStarted(leg, tick, at)
    if kind == MC_EV_SPEECH_ENDED:
        return SpeechEnded(leg, tick, at)
    if kind == MC_EV_DIGIT:
        return DigitReceived(leg, tick, at, chr(ev.a), ev.b, DigitSource(ev.position))
    if kind == MC_EV_TONE:
        return ToneDetected(leg, tick, at, ev.a, ev.b)
    if kind == MC_EV_MEDIA_LOST:
        return MediaLost(leg, tick, at, ev.a, MediaLoss(ev.b))
    if kind == MC_EV_MEDIA_RESUMED:
        return MediaResumed(leg, tick, at)
    if kind == MC_EV_TAP_READY:
        return TapReady(leg, tick, at, ev.a)
    if kind == MC_EV_OVERRUN:
        return EventsLost(leg, tick, at, ev.a)

    utterance, generation, position = ev.utterance, ev.generation, ev.position
    if kind == MC_EV_PLAYOUT_STARTED:
        return PlayoutStarted(leg, tick, at, utterance, generation, position)
    if kind == MC_EV_PLAYOUT_DUCKED:
        return PlayoutDucked(leg, tick, at, utterance, generation, position, ev.a != 0)
    if kind == MC_EV_PLAYOUT_PAUSED:
        return PlayoutPaused(leg, tick, at, utterance, generation, position)
    if kind == MC_EV_PLAYOUT_RESUMED:
        return PlayoutResumed(leg, tick, at, utterance, generation, position)
    if kind == MC_EV_PLAYOUT_CUT:
        return PlayoutCut(leg, tick, at, utterance, generation, position, ev.next_generation,
                          ev.b, CutCause(ev.a), ev.wire)
    if kind == MC_EV_PLAYOUT_LOW:
        return PlayoutLow(leg, tick, at, utterance, generation, position)
    if kind == MC_EV_PLAYOUT_UNDERRUN:
        return PlayoutUnderrun(leg, tick, at, utterance, generation, position)
    if kind == MC_EV_MARK:
        return MarkReached(leg, tick, at, utterance, generation, position, ev.a)
    if kind == MC_EV_UTTERANCE_FINISHED:
        return UtteranceFinished(leg, tick, at, utterance, generation, position, ev.wire)
    if kind == MC_EV_UTTERANCE_REFUSED:
        return UtteranceRefused(leg, tick, at, utterance, generation, position)
    raise MediaError(f"event of unknown kind {kind}", MC_EINVAL)


# ------------------------------------------------------------- configuration

cdef uint32_t fill_address(sockaddr_storage *out, object address) except 0:
    """Numeric (host, port) to a socket address. Returns its length."""
    host, port = address
    cdef bytes text = host.encode("ascii")
    cdef uint16_t port_n = htons(<uint16_t>port)
    memset(out, 0, sizeof(out[0]))
    cdef sockaddr_in *v4 = <sockaddr_in *>out
    cdef sockaddr_in6 *v6 = <sockaddr_in6 *>out
    if inet_pton(AF_INET, text, &v4.sin_addr) == 1:
        v4.sin_family = AF_INET
        v4.sin_port = port_n
        return sizeof(v4[0])
    if inet_pton(AF_INET6, text, &v6.sin6_addr) == 1:
        v6.sin6_family = AF_INET6
        v6.sin6_port = port_n
        return sizeof(v6[0])
    raise MediaError(f"not a numeric address: {host!r}", MC_EINVAL)


cdef int fill_keys(mc_srtp_keys *c, object srtp, list kept) except -1:
    """Copy a media.Srtp; `kept` holds its bytes and must outlive the use of *c."""
    cdef bytes suite = srtp.suite.encode("ascii", "replace")
    cdef bytes tx_key = bytes(srtp.tx_key)
    cdef bytes rx_key = bytes(srtp.rx_key)
    kept.extend((suite, tx_key, rx_key))
    if len(tx_key) != len(rx_key):
        raise MediaError("SRTP: the keys of the two directions differ in length", MC_EINVAL)
    c.suite = suite
    c.tx_key = <const uint8_t *><const char *>tx_key
    c.rx_key = <const uint8_t *><const char *>rx_key
    c.key_len = <size_t>len(tx_key)
    return 0


cdef int check_srtp(int rc, object srtp, str what) except -1:
    """Map what opening keys returned. The message never holds a key."""
    if rc == MC_ENOTSUP and mc_srtp_version() is NULL:
        raise MissingDependencyError(
            "libsrtp2", "apt-get install libsrtp2-1; then call mediacore._core.srtp_load() "
            "before opening legs")
    if rc == MC_ENOTSUP:
        check(rc, f"{what}: this libsrtp2 has no {srtp.suite}")
    if rc == MC_EINVAL:
        check(rc, f"{what}: unknown SRTP suite {srtp.suite!r}, or keys of a wrong length")
    return check(rc, what)


cdef int fill_leg_cfg(mc_leg_cfg *c, sockaddr_storage *remote, mc_srtp_keys *keys, list kept,
                      bytes codec, list others, object config) except -1:
    """Copy a LegConfig. Whatever else is given must outlive the use of *c."""
    cdef bytes other
    cdef Py_ssize_t i
    memset(c, 0, sizeof(c[0]))
    c.codec = codec
    c.fd = config.fd
    c.rtcp_fd = config.rtcp_fd
    c.srate = config.srate_hz
    c.payload_type = 255 if config.payload_type is None else config.payload_type
    c.event_payload_type = config.event_payload_type
    c.cn_payload_type = config.cn_payload_type
    c.asymmetric = config.tx_payload_type is not None
    if c.asymmetric:
        c.tx_payload_type = config.tx_payload_type
    if len(others) > MC_LEG_CODECS:
        raise MediaError(f"a leg has at most {MC_LEG_CODECS} codecs to change to", MC_EINVAL)
    for i in range(len(others)):
        other = others[i]
        c.codecs[i] = other
    c.ptime_ms = config.ptime_ms
    c.seed = config.seed
    if config.remote is not None:
        c.remote_len = fill_address(remote, config.remote)
        c.remote = <const sockaddr *>remote
    c.latch = config.latch
    c.relatch_ms = config.relatch_ms
    c.keepalive_ms = config.keepalive_ms
    c.rtcp = config.rtcp
    if config.srtp is not None:
        fill_keys(keys, config.srtp, kept)
        c.srtp = keys
    c.jitter_min_ms = config.jitter_min_ms
    c.jitter_max_ms = config.jitter_max_ms
    c.payload_max = config.payload_max
    c.jitter_slots = config.jitter_slots
    c.speech_ms = config.speech_ms
    c.tap_ms = config.tap_ms
    c.taps = config.taps
    c.tap_block_ms = config.tap_block_ms
    c.media_lost_ms = config.media_lost_ms
    c.media_first_ms = \
        config.media_lost_ms if config.media_first_ms is None else config.media_first_ms
    c.media_hold_ms = config.media_hold_ms
    c.budget_ticks = config.budget_ticks
    c.vad_threshold_q15 = -1 if config.vad_threshold_q15 is None else config.vad_threshold_q15
    c.vad_onset_ms = config.vad_onset_ms
    c.vad_hangover_ms = config.vad_hangover_ms
    c.bed = config.bed
    c.detect_dtmf = config.detect_dtmf
    c.detect_tones = config.detect_tones
    c.stream = config.stream
    c.stream_always = config.stream_always
    c.ahead_ms = config.ahead_ms
    c.stream_queue_ms = config.stream_queue_ms
    return 0


cdef object OUT_AUDIO = MediaOut.AUDIO
cdef object OUT_MARK = MediaOut.MARK
cdef tuple OUT_FLUSH = (MediaOut.FLUSH,)
cdef tuple OUT_IDLE = (MediaOut.IDLE,)


cdef tuple to_media_item(const mc_media_item *item):
    """Everything but audio."""
    if item.kind == MC_MEDIA_MARK:
        return OUT_MARK, item.utterance, item.mark
    return OUT_FLUSH if item.kind == MC_MEDIA_FLUSH else OUT_IDLE


cdef int fill_stamp(mc_media_stamp *stamp, object seq, object ts) except -1:
    stamp.has_seq = seq is not None
    stamp.has_ts = ts is not None
    stamp.seq = <uint32_t>(seq & 0xFFFFFFFF) if stamp.has_seq else 0
    stamp.ts_ms = <uint64_t>(ts & 0xFFFFFFFFFFFFFFFF) if stamp.has_ts else 0
    stamp.arrival_us = mc_now_us()
    return 0


cdef const mc_codec *find_codec(const char *name, uint32_t srate) noexcept:
    """Row of a codec; srate 0: the codec's own, in the order in which a leg looks."""
    cdef const mc_codec *row = mc_codec_find(name, srate if srate else 48000)
    if row is NULL and srate == 0:
        row = mc_codec_find(name, 16000)
    if row is NULL and srate == 0:
        row = mc_codec_find(name, 8000)
    return row


# -------------------------------------------------------------------- engine

@cython.final
cdef class Engine:
    """The media plane of many calls: legs and bridges, 20 ms at a time.

    max_legs [1024], max_bridges [256], event_slots [8192], command_slots [4096]: 0 means the
    default in brackets. Close it explicitly, or use it as a context manager.
    """

    cdef mc_engine *c
    cdef mc_pacer *pacer
    cdef bint ticking  # a thread without the GIL is inside the engine, or joins the pacer
    cdef list dropped  # handles of closed legs that no Leg stands for any more
    cdef list unclosed  # the same, but nobody closed them
    cdef object __weakref__

    def __cinit__(self, *, uint32_t max_legs=0, uint32_t max_bridges=0, uint32_t event_slots=0,
                  uint32_t command_slots=0):
        cdef mc_engine_cfg cfg
        cfg.max_legs = max_legs
        cfg.max_bridges = max_bridges
        cfg.event_slots = event_slots
        cfg.command_slots = command_slots
        self.dropped = []
        self.unclosed = []
        check(mc_engine_create(&self.c, &cfg), "engine")
        mc_live_add(1)

    def __dealloc__(self):
        self.shut()

    def __del__(self):
        if self.c is not NULL:
            warnings.warn("unclosed mediacore Engine", ResourceWarning, source=self, stacklevel=2)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    cdef void shut(self) noexcept:
        cdef mc_engine *engine = self.c
        cdef mc_pacer *pacer = self.pacer
        self.c = NULL
        self.pacer = NULL
        if engine is NULL:
            return
        with nogil:
            if pacer is not NULL:
                mc_pacer_stop(pacer)
            mc_engine_destroy(engine)
        mc_live_add(-1)

    cdef mc_engine *ptr(self) except NULL:
        if self.c is NULL:
            refuse_closed("engine")
        return self.c

    cdef int reap(self) except -1:
        """Give back the memory of dropped legs that have left the tick. Here and not where they
        are dropped: a collector's run may be on any thread."""
        while self.unclosed and mc_leg_close(self.c, self.unclosed[-1]) != MC_EFULL:
            self.dropped.append(self.unclosed.pop())
        if self.dropped:
            self.dropped = [h for h in self.dropped if mc_leg_free(self.c, h) == MC_ESTATE]
        return 0

    cdef mc_engine *ptr_by_hand(self) except NULL:
        """The engine, when this thread may be its media thread."""
        if self.c is NULL:
            refuse_closed("engine")
        if self.pacer is not NULL or self.ticking:
            raise MediaError("another thread ticks the engine", MC_ESTATE)
        return self.c

    def close(self):
        """Stop the pacer, close every leg and bridge, free everything. Idempotent."""
        if self.ticking:
            raise MediaError("another thread is inside the engine", MC_ESTATE)
        self.shut()

    @property
    def closed(self):
        """Whether close() was called."""
        return self.c is NULL

    @property
    def event_fd(self):
        """Descriptor that is readable while events wait. Owned by the engine."""
        return mc_engine_event_fd(self.ptr())

    def fileno(self):
        """The same descriptor, so that selectors take the engine itself."""
        return mc_engine_event_fd(self.ptr())

    @property
    def stream_fd(self):
        """Descriptor that is readable after a tick in which a stream link put something out.
        Owned by the engine."""
        return mc_engine_stream_fd(self.ptr())

    def stream_clear(self):
        """Make stream_fd unreadable again; pull from the legs after it."""
        mc_engine_stream_clear(self.ptr())

    def tick(self, uint64_t now_us):
        """Run one tick of 20 ms. now_us: monotonic microseconds, must not go back.

        The GIL is released only when enough legs are open for the tick to outweigh that.
        Raises MediaError while the pacer runs.
        """
        cdef mc_engine *engine = self.ptr_by_hand()
        cdef engine_stats s
        mc_engine_stats(engine, &s)
        if s.legs_open < RELEASE_GIL_LEGS:
            mc_engine_tick(engine, now_us)
            return
        self.ticking = True
        with nogil:
            mc_engine_tick(engine, now_us)
        self.ticking = False

    def tick_many(self, uint64_t start_us, uint32_t n):
        """Run n ticks without the GIL, the first at start_us. Returns the time of the next one.

        For offline runs: size event_slots for what n ticks can emit.
        """
        cdef mc_engine *engine = self.ptr_by_hand()
        cdef uint32_t i
        self.ticking = True
        with nogil:
            for i in range(n):
                mc_engine_tick(engine, start_us + <uint64_t>i * MC_TICK_US)
        self.ticking = False
        return start_us + <uint64_t>n * MC_TICK_US

    def poll(self):
        """Take the waiting events, oldest first. Call once per wake-up of event_fd."""
        cdef mc_engine *engine = self.ptr()
        cdef mc_event[POLL_EVENTS] batch
        cdef size_t i, got
        cdef list out = []
        while len(out) < POLL_MAX:
            got = mc_engine_poll(engine, batch, POLL_EVENTS)
            if got == 0:
                break
            for i in range(got):
                out.append(to_event(&batch[i]))
        self.reap()
        return out

    def stats(self):
        """Snapshot of the counters: EngineStats."""
        cdef engine_stats s
        mc_engine_stats(self.ptr(), &s)
        return EngineStats(**s)

    def start(self, bint realtime=False):
        """Start the media thread: one tick each 20 ms of the monotonic clock.

        realtime: ask for real-time scheduling; a refusal shows in pacer_stats().realtime.
        """
        check(mc_pacer_start(&self.pacer, self.ptr_by_hand(), realtime), "pacer")

    def stop(self):
        """Stop and join the media thread. No-op when it does not run."""
        self.ptr()
        if self.ticking:
            raise MediaError("another thread is inside the engine", MC_ESTATE)
        cdef mc_pacer *pacer = self.pacer
        if pacer is NULL:
            return
        self.pacer = NULL
        self.ticking = True
        with nogil:
            mc_pacer_stop(pacer)
        self.ticking = False

    @property
    def running(self):
        """Whether the media thread runs."""
        return self.pacer is not NULL

    def pacer_stats(self):
        """Snapshot of the media thread's punctuality: PacerStats. Raises when it does not run."""
        self.ptr()
        if self.pacer is NULL:
            raise MediaError("the pacer does not run", MC_ESTATE)
        cdef pacer_stats s
        mc_pacer_stats(self.pacer, &s)
        return PacerStats(realtime=mc_pacer_is_realtime(self.pacer), **s)

    def open_leg(self, config):
        """Open a leg from a LegConfig; it joins the next tick. The sockets are the leg's from now
        on, and are closed when opening fails.

        Raises MediaError, QueueFullError (max_legs), MissingDependencyError (opus without
        libopus, SRTP without libsrtp2).
        """
        cdef mc_srtp_keys keys
        cdef mc_leg_cfg cfg
        cdef sockaddr_storage remote
        cdef mc_handle handle = 0
        cdef const mc_codec *row
        cdef int rc
        cdef mc_engine *engine
        cdef bytes codec
        cdef list others
        cdef list kept = []
        try:
            engine = self.ptr()
            self.reap()
            codec = config.codec.encode("ascii", "replace")
            others = [name.encode("ascii", "replace") for name in config.codecs]
            fill_leg_cfg(&cfg, &remote, &keys, kept, codec, others, config)
        except BaseException as error:
            for fd in (config.fd, config.rtcp_fd):
                if fd >= 0:
                    close_fd(fd)
            if isinstance(error, OverflowError):
                raise MediaError(f"leg configuration: {error}", MC_EINVAL) from None
            raise
        rc = mc_leg_open(engine, &cfg, &handle)
        row = find_codec(cfg.codec, cfg.srate)
        if row is NULL:
            if codec.lower() == b"opus" and mc_opus_version() is NULL:
                raise MissingDependencyError(
                    "libopus", "apt-get install libopus0, or pip install 'mediacore[av]'; then "
                    "call mediacore._core.opus_load() before opening legs")
            check(MC_ENOTSUP, f"codec {config.codec!r} at {config.srate_hz} Hz")
        if config.srtp is not None:
            check_srtp(rc, config.srtp, "leg")
        check(rc, "leg")
        cdef Leg leg = Leg.__new__(Leg)
        leg.engine = self
        leg.h = handle
        leg.srate = row.srate
        leg.codec_name = row.name
        leg.live = True
        mc_live_add(1)
        return leg

    def open_bridge(self, uint32_t srate_hz=8000):
        """Open a bridge: up to 8 legs that hear each other. srate_hz: rate of the mix; legs at
        other rates are resampled."""
        cdef mc_handle handle = 0
        check(mc_bridge_open(self.ptr(), srate_hz, &handle), "bridge")
        cdef Bridge bridge = Bridge.__new__(Bridge)
        bridge.engine = self
        bridge.h = handle
        bridge.live = True
        mc_live_add(1)
        return bridge


# ----------------------------------------------------------------------- leg

@cython.final
cdef class Leg:
    """One media path to one party. Made by Engine.open_leg().

    After close() commands raise StaleError; stats and taps can still be read until free(). A leg
    that closed itself (budget) behaves the same. The memory is given back by free(), or by a poll
    after the last reference is gone.
    """

    cdef Engine engine
    cdef mc_handle h
    cdef bytes codec_name
    cdef uint32_t srate
    cdef bint closed_
    cdef bint freed
    cdef bint live
    cdef object __weakref__

    def __init__(self):
        raise TypeError("Leg is made by Engine.open_leg()")

    def __dealloc__(self):
        if self.live:
            mc_live_add(-1)

    def __del__(self):
        if self.engine is None or self.freed or self.engine.c is NULL:
            return
        if self.closed_:
            self.engine.dropped.append(self.h)
        else:
            self.engine.unclosed.append(self.h)
            warnings.warn("unclosed mediacore Leg", ResourceWarning, source=self, stacklevel=2)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    cdef mc_engine *ptr(self) except NULL:
        """The engine, for commands."""
        if self.closed_:
            refuse_closed("leg")
        return self.reader()

    cdef mc_engine *reader(self) except NULL:
        """The engine, for what may still be read after close()."""
        if self.engine is None or self.freed:
            refuse_closed("leg")
        return self.engine.ptr()

    def close(self):
        """Stop the leg in the next tick; LegClosed is its last event. Idempotent.

        Raises QueueFullError when the command queue is full: the leg is still open then.
        """
        cdef int rc
        if self.engine is None or self.closed_:
            return
        if self.engine.c is not NULL:
            rc = mc_leg_close(self.engine.c, self.h)
            if rc != MC_ENOENT and rc != MC_ESTALE:
                check(rc, "close leg")
        self.closed_ = True
        self.live = False
        mc_live_add(-1)

    def free(self):
        """Give back the memory of a leg whose LegClosed was polled; nothing can be read any more.

        Idempotent. Raises MediaError while the leg is in the tick.
        """
        cdef int rc
        if self.engine is None or self.freed:
            return
        if self.engine.c is not NULL:
            rc = mc_leg_free(self.engine.c, self.h)
            if rc != MC_ENOENT and rc != MC_ESTALE:
                check(rc, "free leg")
        self.freed = True
        if not self.closed_:
            self.closed_ = True
            self.live = False
            mc_live_add(-1)

    @property
    def closed(self):
        """Whether close() was called."""
        return self.closed_

    @property
    def handle(self):
        """The number by which events name this leg."""
        return self.h

    @property
    def srate_hz(self):
        """Rate of the leg's audio, positions and clocks, in Hz."""
        return self.srate

    @property
    def codec(self):
        """Name of the codec on the wire."""
        return None if self.codec_name is None else self.codec_name.decode()

    def stats(self):
        """Snapshot of the counters as of the leg's last tick: LegStats."""
        cdef leg_stats s
        check(mc_leg_stats(self.reader(), self.h, &s), "leg stats")
        return LegStats(**s)

    # the agent's speech

    def begin(self, uint64_t utterance, uint64_t generation):
        """Announce an utterance; audio given from now on belongs to it. Ids grow.

        A stale generation is refused by the tick: UtteranceRefused. Raises QueueFullError;
        MediaError when the one before is not ended.
        """
        check(mc_leg_say_begin(self.ptr(), self.h, utterance, generation), "begin")

    def say(self, pcm, Py_ssize_t offset=0):
        """Queue audio. pcm: int16 mono at srate_hz; offset: samples of it to skip.

        Returns the samples taken, counted from the offset; the rest waits for PlayoutLow.
        """
        cdef mc_engine *engine = self.ptr()
        cdef Py_buffer view
        cdef Py_ssize_t n
        cdef int rc
        get_pcm(pcm, &view)
        try:
            n = view.len // 2
            if offset < 0 or offset > n:
                raise ValueError("offset is outside of the audio")
            rc = mc_leg_say(engine, self.h, <const int16_t *>view.buf + offset, n - offset)
        finally:
            PyBuffer_Release(&view)
        return check(rc, "say")

    def mark(self, uint32_t mark, uint64_t position):
        """Tie a mark (> 0) to a position of the utterance, in samples. Ascending."""
        check(mc_leg_mark(self.ptr(), self.h, mark, position), "mark")

    def end(self):
        """No more audio for the utterance."""
        check(mc_leg_say_end(self.ptr(), self.h), "end")

    def room(self):
        """Samples that say() would take now."""
        return mc_leg_say_room(self.ptr(), self.h)

    def pause(self):
        """Stop with a 5 ms fade; the position is kept. No-op when nothing plays."""
        check(mc_leg_pause(self.ptr(), self.h), "pause")

    def resume(self, bint from_mark=False):
        """Go on from the pause, exactly there or at the last mark still held."""
        check(mc_leg_resume(self.ptr(), self.h, from_mark), "resume")

    def cut(self, uint64_t generation):
        """Stop and flush all speech of generations <= generation; moves the generation on."""
        check(mc_leg_cut(self.ptr(), self.h, generation), "cut")

    def duck(self, uint8_t db):
        """Lower the agent's level by db; 0 = back to full."""
        check(mc_leg_duck(self.ptr(), self.h, db), "duck")

    def arm(self, policy):
        """Arm a BargeIn; it acts inside the tick until replaced."""
        cdef mc_engine *engine = self.ptr()
        cdef mc_barge_in b
        try:
            b.action = policy.action
            b.duck_db = policy.duck_db
            b.resume_from_mark = policy.resume_from_mark
            b.onset_ms = policy.onset_ms
            b.commit_ms = policy.commit_ms
            b.resume_ms = policy.resume_ms
            b.protect_ms = policy.protect_ms
            b.protect_mark = policy.protect_mark
        except OverflowError as error:
            raise MediaError(f"barge-in policy: {error}", MC_EINVAL) from None
        check(mc_leg_arm(engine, self.h, &b), "arm")

    def send_digits(self, str digits, uint16_t tone_ms=100, uint16_t gap_ms=100):
        """Send digits "0-9*#A-D" as RFC 4733 events, or in-band without an event payload type.

        At most 32 at once.
        """
        cdef bytes text = digits.encode("ascii", "replace")
        check(mc_leg_send_digits(self.ptr(), self.h, text, tone_ms, gap_ms), "digits")

    def limit(self, uint64_t ticks):
        """The leg closes itself after so many more ticks, whatever was set before; 0 = no limit."""
        check(mc_leg_limit(self.ptr(), self.h, ticks), "limit")

    def hold(self, bint on):
        """Hold the leg or let it go: silent and deaf in its bridge, its voice paused, its speech
        without effect and untold. Bed, digits, taps and forks go on."""
        check(mc_leg_hold(self.ptr(), self.h, on), "hold")

    # signalling

    def push_digit(self, str digit, uint32_t duration_ms=100):
        """A digit "0-9*#A-D" that came by signalling; comes out as DigitReceived with
        DigitSource.SIGNALLED."""
        cdef bytes text = digit.encode("ascii", "replace")
        if len(text) != 1:
            raise MediaError("push digit: one digit at a time", MC_EINVAL)
        check(mc_leg_push_digit(self.ptr(), self.h, text[0], duration_ms), "push digit")

    def direction(self, bint send, bint receive):
        """Directions of the media as agreed by signalling (RFC 3264 section 6.1).

        send=False: only keep-alive and RTCP go out and the leg is as held, apart from what hold()
        said. receive=False: what comes is dropped.
        """
        check(mc_leg_direction(self.ptr(), self.h, send, receive), "direction")

    def retarget(self, remote, *, payload_type=None, tx_payload_type=None,
                 event_payload_type=None, cn_payload_type=None, codec=None, ptime_ms=None,
                 srtp=None):
        """A new answer or offer, from the next tick on. None leaves a value as it is.

        remote: numeric (host, port), None = not known: the leg learns it. A locked source stays
        only when the address is the announced one as before, or its own; otherwise latching
        starts anew. codec: the leg's own or one of LegConfig.codecs. payload_type also sets
        tx_payload_type unless that is given. event_payload_type, cn_payload_type: 0 = none.
        srtp: as rekey(), which can also end SRTP.

        Raises MediaError (the codec is not reserved or needs another leg rate, a value is out of
        range), QueueFullError.
        """
        cdef mc_engine *engine = self.ptr()
        cdef mc_leg_target target
        cdef sockaddr_storage address
        cdef bytes name
        memset(&target, 0, sizeof(target))
        try:
            if remote is not None:
                target.remote_len = fill_address(&address, remote)
                target.remote = <const sockaddr *>&address
            target.payload_type = -1 if payload_type is None else payload_type
            target.tx_payload_type = -1 if tx_payload_type is None else tx_payload_type
            target.event_payload_type = -1 if event_payload_type is None else event_payload_type
            target.cn_payload_type = -1 if cn_payload_type is None else cn_payload_type
            target.ptime_ms = 0 if ptime_ms is None else ptime_ms
        except OverflowError as error:
            raise MediaError(f"retarget: {error}", MC_EINVAL) from None
        if codec is not None:
            name = codec.encode("ascii", "replace")
            target.codec = name
        check(mc_leg_retarget(engine, self.h, &target), "retarget")
        if srtp is not None:
            self.rekey(srtp)

    def rekey(self, srtp):
        """Other SRTP keys from the next tick on; None = plain RTP. A direction whose key is the
        same goes on as it is, so that giving the same keys again changes nothing.

        Raises MediaError (suite, length of a key), MissingDependencyError, QueueFullError.
        """
        cdef mc_engine *engine = self.ptr()
        cdef mc_srtp_keys keys
        cdef list kept = []
        if srtp is None:
            check(mc_leg_rekey(engine, self.h, NULL), "rekey")
            return
        fill_keys(&keys, srtp, kept)
        check_srtp(mc_leg_rekey(engine, self.h, &keys), srtp, "rekey")

    # the bed

    def bed(self, pcm, Py_ssize_t offset=0):
        """Queue audio to be sent under the voice. pcm: int16 mono at srate_hz; offset: samples of
        it to skip. Returns the samples taken. Raises MediaError on a leg opened without `bed`."""
        cdef mc_engine *engine = self.ptr()
        cdef Py_buffer view
        cdef Py_ssize_t n
        cdef int rc
        get_pcm(pcm, &view)
        try:
            n = view.len // 2
            if offset < 0 or offset > n:
                raise ValueError("offset is outside of the audio")
            rc = mc_leg_bed(engine, self.h, <const int16_t *>view.buf + offset, n - offset)
        finally:
            PyBuffer_Release(&view)
        return check(rc, "bed")

    def bed_room(self):
        """Samples that bed() would take now."""
        return mc_leg_bed_room(self.ptr(), self.h)

    def bed_gain(self, float db):
        """Level of the bed from now on; below -96 silence, at most 20."""
        check(mc_leg_bed_gain(self.ptr(), self.h, db), "bed gain")

    def bed_stop(self):
        """Fade the bed out and forget what was queued; what is queued after it plays."""
        check(mc_leg_bed_stop(self.ptr(), self.h), "bed stop")

    # forks

    def fork(self, Leg source not None, *, bint rx=True, bint tx=True):
        """Send a copy of what `source` receives and sends, mixed, until unfork() or the end of
        either leg. Both belong to one engine.

        Raises MediaError: it sends a copy already, or one of the two is part of another fork.
        """
        cdef mc_engine *engine = self.ptr()
        cdef uint32_t directions = (MC_FORK_RX if rx else 0) | (MC_FORK_TX if tx else 0)
        if source.engine is not self.engine:
            raise MediaError("fork: the legs belong to two engines", MC_EINVAL)
        source.ptr()
        check(mc_leg_fork(engine, self.h, source.h, directions), "fork")

    def unfork(self):
        """Send no copy any more. No-op when it sends none."""
        check(mc_leg_unfork(self.ptr(), self.h), "unfork")

    # taps

    cdef tuple read(self, mc_tap tap, Py_ssize_t n, int channels):
        cdef mc_engine *engine = self.reader()
        cdef uint64_t at = 0
        cdef size_t got
        if n < 0 or n > TAP_MAX:
            raise ValueError(f"a read takes 0 to {TAP_MAX} samples")
        cdef bytes out = PyBytes_FromStringAndSize(NULL, n * channels * 2)
        got = mc_leg_read_tap(engine, self.h, tap, <int16_t *>PyBytes_AS_STRING(out), n, &at)
        return at, (out if <Py_ssize_t>got == n else out[:got * channels * 2])

    def read_tap(self, Py_ssize_t max_samples):
        """Take caller audio: (at, int16 mono). at: position of the first sample.

        A late reader loses the oldest audio; that shows as a jump of `at`.
        """
        return self.read(MC_TAP_RX, max_samples, 1)

    def read_record(self, Py_ssize_t max_pairs):
        """Take the record: (at, int16 stereo, left the caller, right what was sent)."""
        return self.read(MC_TAP_RECORD, max_pairs, 2)

    def read_notes(self, Py_ssize_t max_notes=1024):
        """Take packed notes, one per tick; mediacore.media.unpack_notes() decodes them."""
        cdef mc_engine *engine = self.reader()
        cdef Py_ssize_t size = sizeof(mc_note)
        cdef size_t got
        if max_notes < 0 or max_notes > TAP_MAX:
            raise ValueError(f"a read takes 0 to {TAP_MAX} notes")
        cdef bytes out = PyBytes_FromStringAndSize(NULL, max_notes * size)
        got = mc_leg_read_notes(engine, self.h, <mc_note *>PyBytes_AS_STRING(out), max_notes)
        return out if <Py_ssize_t>got == max_notes else out[:got * size]

    # memory link

    def push_packet(self, packet):
        """Give one received datagram to a leg without socket. Raises QueueFullError: dropped."""
        cdef mc_engine *engine = self.ptr()
        cdef Py_buffer view
        cdef int rc
        PyObject_GetBuffer(packet, &view, PyBUF_SIMPLE)
        try:
            rc = mc_leg_push_packet(engine, self.h, <const uint8_t *>view.buf, view.len)
        finally:
            PyBuffer_Release(&view)
        check(rc, "push packet")

    def pull_packet(self):
        """Take one sent datagram of a leg without socket, or None."""
        cdef uint8_t[MC_PACKET_MAX] packet
        cdef int rc = mc_leg_pull_packet(self.ptr(), self.h, packet, MC_PACKET_MAX)
        if rc == MC_EAGAIN:
            return None
        check(rc, "pull packet")
        return packet[:rc]

    # stream link

    def push_media(self, payload, seq=None, ts=None):
        """Give a received message to a leg with LegConfig.stream: audio of any length at the leg's
        codec (Opus: one packet).

        seq: number of the message, +1 each, from anywhere, modulo 2**32; None = it follows the
        last one. ts: its time on the sender's clock in ms, or None. Returns the bytes dropped
        because the queue is full; LegStats.stream_dropped_samples counts them.
        """
        cdef mc_engine *engine = self.reader()
        cdef mc_media_stamp stamp
        cdef Py_buffer view
        cdef int rc
        fill_stamp(&stamp, seq, ts)
        PyObject_GetBuffer(payload, &view, PyBUF_SIMPLE)
        try:
            rc = mc_leg_push_media(engine, self.h, <const uint8_t *>view.buf, view.len, &stamp)
        finally:
            PyBuffer_Release(&view)
        return check(rc, "push media")

    def pull_media(self):
        """Take what a leg with LegConfig.stream put out, in order: (MediaOut.AUDIO, 20 ms of the
        codec), (MediaOut.MARK, utterance, mark; 0 = its end), (MediaOut.FLUSH,),
        (MediaOut.IDLE,)."""
        cdef mc_engine *engine = self.reader()
        cdef uint8_t[MC_MEDIA_MAX] payload
        cdef mc_media_item item
        cdef int rc
        cdef list out = []
        while True:
            rc = mc_leg_pull_media(engine, self.h, &item, payload)
            if rc == MC_EAGAIN:
                return out
            check(rc, "pull media")
            if item.kind == MC_MEDIA_AUDIO:
                out.append((OUT_AUDIO, PyBytes_FromStringAndSize(<char *>payload, item.n)))
            else:
                out.append(to_media_item(&item))


include "media_socket.pxi"


# -------------------------------------------------------------------- bridge

@cython.final
cdef class Bridge:
    """Legs that hear each other, N-1. Made by Engine.open_bridge()."""

    cdef Engine engine
    cdef mc_handle h
    cdef bint closed_
    cdef bint live
    cdef object __weakref__

    def __init__(self):
        raise TypeError("Bridge is made by Engine.open_bridge()")

    def __dealloc__(self):
        if self.live:
            mc_live_add(-1)

    def __del__(self):
        if self.engine is not None and not self.closed_ and self.engine.c is not NULL:
            warnings.warn("unclosed mediacore Bridge; it lives on until its engine is closed",
                          ResourceWarning, source=self, stacklevel=2)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    cdef mc_engine *ptr(self) except NULL:
        if self.engine is None or self.closed_:
            refuse_closed("bridge")
        return self.engine.ptr()

    def close(self):
        """Take the bridge away in the next tick; its legs go on. Idempotent."""
        cdef int rc
        if self.engine is None or self.closed_:
            return
        if self.engine.c is not NULL:
            rc = mc_bridge_close(self.engine.c, self.h)
            if rc != MC_ENOENT and rc != MC_ESTALE:
                check(rc, "close bridge")
        self.closed_ = True
        self.live = False
        mc_live_add(-1)

    @property
    def closed(self):
        """Whether close() was called."""
        return self.closed_

    @property
    def handle(self):
        """The bridge's number."""
        return self.h

    def join(self, Leg leg not None):
        """Let a leg hear and be heard at full gain. A leg is in one bridge at most."""
        check(mc_bridge_join(self.ptr(), self.h, leg.h), "join")

    def leave(self, Leg leg not None):
        """Take a leg out."""
        check(mc_bridge_leave(self.ptr(), self.h, leg.h), "leave")

    def gain(self, Leg from_leg not None, Leg to_leg not None, int16_t gain_q15):
        """Gain of one leg in what another hears: 32767 = full, 0 = not at all."""
        check(mc_bridge_gain(self.ptr(), self.h, from_leg.h, to_leg.h, gain_q15), "gain")


# ------------------------------------------------------------------- offline

@cython.final
cdef class Resampler:
    """Streaming conversion of int16 mono between two rates. One thread at a time."""

    cdef void *mem
    cdef mc_resample *c
    cdef uint32_t in_hz
    cdef uint32_t out_hz
    cdef bint busy

    def __cinit__(self, uint32_t in_hz, uint32_t out_hz):
        cdef size_t size = mc_resample_size(in_hz, out_hz)
        if size == 0:
            raise MediaError(f"no resampler from {in_hz} to {out_hz} Hz", MC_ENOTSUP)
        self.in_hz = in_hz
        self.out_hz = out_hz
        self.mem = malloc(size)
        if self.mem is NULL:
            raise MemoryError
        check(mc_resample_init(&self.c, self.mem, size, in_hz, out_hz), "resampler")

    def __dealloc__(self):
        free(self.mem)

    @property
    def delay_samples(self):
        """Delay of the output, in output samples."""
        return mc_resample_delay(self.c)

    cdef bytes convert(self, const int16_t *pcm, size_t n):
        cdef size_t cap = mc_resample_out_max(self.c, n) + n // RESAMPLE_CHUNK + 2
        cdef size_t done = 0, written = 0, take
        cdef int rc = 0
        if self.busy:
            raise MediaError("another thread uses the resampler", MC_ESTATE)
        cdef bytes out = PyBytes_FromStringAndSize(NULL, cap * 2)
        cdef int16_t *dst = <int16_t *>PyBytes_AS_STRING(out)
        self.busy = True
        with nogil:
            while done < n and rc >= 0:
                take = min(n - done, <size_t>RESAMPLE_CHUNK)
                rc = mc_resample_run(self.c, dst + written, cap - written, pcm + done, take)
                if rc > 0:
                    written += rc
                done += take
        self.busy = False
        check(rc, "resample")
        return out[:written * 2]

    def run(self, pcm):
        """Convert a chunk; chunks of any size give the same stream."""
        cdef Py_buffer view
        get_pcm(pcm, &view)
        try:
            return self.convert(<const int16_t *>view.buf, view.len // 2)
        finally:
            PyBuffer_Release(&view)

    def flush(self):
        """Give what the filter still holds, about delay_samples, and begin a new stream."""
        cdef size_t n = (<uint64_t>mc_resample_delay(self.c) * self.in_hz + self.out_hz - 1) \
            // self.out_hz
        cdef bytes silence = bytes(n * 2)
        out = self.convert(<const int16_t *>PyBytes_AS_STRING(silence), n)
        mc_resample_reset(self.c)
        return out


@cython.final
cdef class Codec:
    """A codec outside of a leg: one payload to PCM and back. name as in SDP; srate_hz of the PCM,
    0 = the codec's own."""

    cdef const mc_codec *row
    cdef void *dec
    cdef void *enc
    cdef uint32_t srate

    def __cinit__(self, str name, uint32_t srate_hz=0):
        cdef bytes text = name.encode("ascii", "replace")
        self.row = find_codec(text, srate_hz)
        if self.row is NULL:
            raise MediaError(f"no codec {name!r} at {srate_hz} Hz", MC_ENOTSUP)
        self.srate = self.row.srate
        if self.row.dec_size is not NULL:
            self.dec = malloc(max(self.row.dec_size(self.srate), <size_t>1))
            if self.dec is NULL:
                raise MemoryError
        if self.row.enc_size is not NULL:
            self.enc = malloc(max(self.row.enc_size(self.srate), <size_t>1))
            if self.enc is NULL:
                raise MemoryError
        if self.row.dec_init is not NULL:
            check(self.row.dec_init(self.dec, self.srate), "decoder")
        if self.row.enc_init is not NULL:
            check(self.row.enc_init(self.enc, self.srate), "encoder")

    def __dealloc__(self):
        free(self.dec)
        free(self.enc)

    @property
    def srate_hz(self):
        """Rate of the PCM in Hz."""
        return self.srate

    @property
    def clock_rate_hz(self):
        """Rate of RTP timestamps in Hz."""
        return self.row.clock_rate

    @property
    def static_payload_type(self):
        """Payload type of RFC 3551, or None."""
        return None if self.row.static_pt == 255 else self.row.static_pt

    def decode(self, payload):
        """One payload, at most 5760 samples, to int16 mono. Raises MediaError when malformed."""
        cdef int16_t[MC_CODEC_MAX_PCM] pcm
        cdef Py_buffer view
        cdef int rc
        PyObject_GetBuffer(payload, &view, PyBUF_SIMPLE)
        try:
            rc = self.row.decode(self.dec, pcm, MC_CODEC_MAX_PCM, <const uint8_t *>view.buf,
                                 view.len)
        finally:
            PyBuffer_Release(&view)
        check(rc, "decode")
        return PyBytes_FromStringAndSize(<char *>pcm, rc * 2)

    def encode(self, pcm):
        """Int16 mono, at most 5760 samples, to one payload. Opus takes whole frames only."""
        cdef uint8_t[MC_CODEC_MAX_PCM * 2] payload
        cdef Py_buffer view
        cdef int rc = MC_EINVAL
        get_pcm(pcm, &view)
        try:
            if view.len // 2 <= MC_CODEC_MAX_PCM:
                rc = self.row.encode(self.enc, payload, sizeof(payload),
                                     <const int16_t *>view.buf, view.len // 2)
        finally:
            PyBuffer_Release(&view)
        check(rc, "encode")
        return PyBytes_FromStringAndSize(<char *>payload, rc)


@cython.final
cdef class Vad:
    """Speech detection outside of a leg, 20 ms frame by frame.

    srate_hz: 8000, 16000, 24000 or 48000. threshold_q15: probability that counts as speech
    [16384]. onset_frames: speech frames that make a start [2]. hangover_ms: silence that makes an
    end [300]. 0 means the default in brackets.
    """

    cdef void *mem
    cdef mc_vad *c
    cdef size_t frame_samples
    cdef uint64_t seen

    def __cinit__(self, uint32_t srate_hz, *, int16_t threshold_q15=0, uint16_t onset_frames=0,
                  uint16_t hangover_ms=0):
        cdef mc_vad_cfg cfg
        cfg.srate = srate_hz
        cfg.threshold_q15 = threshold_q15
        cfg.onset_frames = onset_frames
        cfg.hangover_ms = hangover_ms
        cdef size_t size = mc_vad_size(&cfg)
        self.mem = malloc(max(size, <size_t>1))
        if self.mem is NULL:
            raise MemoryError
        check(mc_vad_init(&self.c, self.mem, size, &cfg), "speech detector")
        self.frame_samples = srate_hz // 50

    def __dealloc__(self):
        free(self.mem)

    @property
    def active(self):
        """Whether a start was seen and its end not yet."""
        return mc_vad_active(self.c) != 0

    @property
    def noise_dbov(self):
        """Noise floor in dBov."""
        return mc_vad_noise_dbov(self.c)

    def reset(self):
        """Forget everything heard; positions begin at 0 again."""
        mc_vad_reset(self.c)
        self.seen = 0

    def run(self, pcm):
        """Whole 20 ms frames of int16 mono. Returns (probabilities, edges): one q15 probability
        of speech per frame, and the VadEdges found, with positions since the first frame."""
        cdef Py_buffer view
        cdef mc_vad_edge edge
        cdef const int16_t *frame
        cdef Py_ssize_t _, frames
        cdef int prob, kind
        cdef list probs = [], edges = []
        get_pcm(pcm, &view)
        try:
            if (view.len // 2) % self.frame_samples:
                raise ValueError("PCM must be whole 20 ms frames")
            frames = (view.len // 2) // self.frame_samples
            frame = <const int16_t *>view.buf
            for _ in range(frames):
                prob = mc_vad_frame(self.c, frame)
                kind = mc_vad_speech(self.c, prob, &edge)
                frame += self.frame_samples
                self.seen += self.frame_samples
                probs.append(prob)
                if kind != MC_VAD_NONE:
                    edges.append(VadEdge(kind == MC_VAD_START, self.seen - edge.back_samples,
                                         edge.peak_q15))
        finally:
            PyBuffer_Release(&view)
        return probs, edges


def load_libopus(path):
    """Load libopus from a file, or by the loader's search (None). Before any leg is opened.

    Returns its version string, or None when it was not found.
    """
    cdef bytes text
    if mc_opus_version() is NULL:
        if path is None:
            if mc_opus_load(NULL) != 0:
                return None
        else:
            text = path.encode()
            if mc_opus_load(text) != 0:
                return None
    return mc_opus_version().decode("utf-8", "replace")


def opus_version():
    """Version string of the loaded libopus, or None."""
    cdef const char *version = mc_opus_version()
    return None if version is NULL else version.decode("utf-8", "replace")


def load_libsrtp(path):
    """Load libsrtp2 from a file, or by the loader's search (None). Before any leg is opened.

    Returns its version string, or None when it was not found or is older than 2.1.
    """
    cdef bytes text
    if mc_srtp_version() is NULL:
        if path is None:
            if mc_srtp_load(NULL) != 0:
                return None
        else:
            text = path.encode()
            if mc_srtp_load(text) != 0:
                return None
    return mc_srtp_version().decode("utf-8", "replace")


def srtp_version():
    """Version string of the loaded libsrtp2, or None."""
    cdef const char *version = mc_srtp_version()
    return None if version is NULL else version.decode("utf-8", "replace")


# ------------------------------------------------------------ clock, sockets

def now_us():
    """The pacer's clock: monotonic microseconds."""
    return mc_now_us()


def udp_open(str host, uint16_t port=0):
    """Open a non-blocking UDP socket at a numeric host; port 0 = any. Returns (fd, port)."""
    cdef bytes text = host.encode("ascii", "replace")
    cdef uint16_t bound = 0
    cdef int fd = check(mc_udp_open(text, port, &bound), f"UDP {host}:{port}")
    return fd, bound


def live_objects():
    """Engines, legs and bridges that are not closed; counted with MC_DEBUG=1, otherwise 0."""
    return mc_live_count()
