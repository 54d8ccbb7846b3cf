# -------------------------------------------------------------- media sockets

cdef enum:
    MESSAGE_FRAMES = 50
    FIRST_OUT = 4096

cdef object IN_TEXT = SocketIn.TEXT
cdef object IN_BINARY = SocketIn.BINARY
cdef object IN_SEND = SocketIn.SEND
cdef object IN_PONG = SocketIn.PONG
cdef object IN_CLOSED = SocketIn.CLOSED
cdef object IN_FAILED = SocketIn.FAILED


cdef int fill_name(mc_mjson_name *name, str text) except -1:
    cdef bytes data = text.encode("ascii")
    if len(data) > MC_MJSON_KEY:
        raise ValueError(f"a key or value of a dialect has at most {MC_MJSON_KEY} characters")
    memcpy(name.text, PyBytes_AS_STRING(data), len(data))
    name.n = len(data)
    return 0


cdef int fill_path(mc_mjson_path *path, tuple keys) except -1:
    if len(keys) > 2:
        raise ValueError("a key of a dialect is a member, or a member of an object")
    if len(keys) == 2:
        fill_name(&path.object, keys[0])
    if keys:
        fill_name(&path.key, keys[len(keys) - 1])
    return 0


@cython.final
cdef class MediaSocket:
    """WebSocket of a media stream after the handshake, server side, sans I/O (RFC 6455 without
    extensions). Audio goes straight between the messages and the leg's stream link.

    dialect: MediaDialect. leg: opened with LegConfig.stream, or None until attach(). max_text,
    max_binary: bytes of a whole message; a longer one fails with 1009.
    """

    cdef mc_ws ws
    cdef mc_mjson_cfg json
    cdef Leg leg
    cdef bint text_in, binary_in, binary_out, close_sent
    cdef bytes prefix, suffix
    cdef uint32_t frames
    cdef int fill  # the codec's silence; -1: not known
    cdef uint8_t *part  # payload of the message being filled
    cdef size_t part_n
    cdef uint32_t part_frames
    cdef list held  # marks that lie in it
    cdef uint8_t *out  # wire bytes not given yet
    cdef size_t out_n, out_cap
    cdef uint64_t messages, texts, binaries, media_in, media_bytes, wrong_track, bad_base64
    cdef uint64_t unheard, dropped_bytes, pings, media_out

    def __cinit__(self, dialect, Leg leg=None, *, size_t max_text=65536,
                  size_t max_binary=1048576):
        if mc_ws_init(&self.ws, max_text, max_binary) < 0:
            raise ValueError("a limit of the message size is out of range")
        if not 1 <= dialect.frames <= MESSAGE_FRAMES:
            raise ValueError(f"a message has 1 to {MESSAGE_FRAMES} frames")
        if len(dialect.tracks) > MC_MJSON_TRACKS:
            raise ValueError(f"at most {MC_MJSON_TRACKS} tracks")
        memset(&self.json, 0, sizeof(self.json))
        fill_name(&self.json.event_key, dialect.event_key)
        fill_name(&self.json.event_value, dialect.event_value)
        fill_path(&self.json.payload, dialect.payload_key)
        fill_path(&self.json.seq, dialect.seq_key)
        fill_path(&self.json.ts, dialect.ts_key)
        fill_path(&self.json.track, dialect.track_key)
        for track in dialect.tracks:
            fill_name(&self.json.tracks[self.json.track_count], track)
            self.json.track_count += 1
        self.text_in = len(dialect.payload_key) > 0
        self.binary_in = dialect.binary_in
        self.binary_out = dialect.binary_out
        self.frames = dialect.frames
        self.held = []
        self.part = <uint8_t *>malloc((self.frames + 1) * MC_MEDIA_MAX)
        if self.part is NULL:
            raise MemoryError
        self.set_wrap(dialect.prefix, dialect.suffix)
        self.attach(leg)

    def __dealloc__(self):
        mc_ws_free(&self.ws)
        free(self.part)
        free(self.out)

    def attach(self, Leg leg):
        """Where audio goes from now on. leg: opened with LegConfig.stream, or None."""
        if leg is not None and self.frames > 1 and leg.codec_name.lower() == b"opus":
            raise ValueError("Opus packets cannot be put together")
        self.fill = -1
        if leg is not None:
            name = leg.codec_name.upper()
            self.fill = 0xFF if name == b"PCMU" else 0xD5 if name == b"PCMA" else \
                0 if name.startswith(b"L16") else -1
        self.leg = leg
        self.part_n = self.part_frames = 0
        self.held.clear()

    def set_wrap(self, str prefix, str suffix):
        """Text around the base64 of outgoing audio, once the stream's id is known."""
        self.prefix = prefix.encode()
        self.suffix = suffix.encode()

    # in

    cdef void push(self, const uint8_t *payload, size_t n, const mc_media_stamp *stamp):
        cdef Leg leg = self.leg
        cdef int rc = MC_ENOENT
        if leg is not None and not leg.freed and leg.engine.c is not NULL:
            rc = mc_leg_push_media(leg.engine.c, leg.h, payload, n, stamp)
        if rc < 0:
            self.unheard += 1
            return
        self.media_in += 1
        self.media_bytes += n
        self.dropped_bytes += rc

    cdef bint push_text(self, mc_ws_event *ev):
        """Whether the message was audio."""
        cdef mc_mjson found
        cdef mc_media_stamp stamp
        cdef int64_t n
        if not self.text_in or not mc_mjson_scan(&found, &self.json, ev.data, ev.n):
            return False
        if found.wrong_track:
            self.wrong_track += 1
            return True
        n = mc_b64_decode(ev.data, <char *>ev.data + found.payload_at, found.payload_n)
        if n < 0:
            self.bad_base64 += 1
            return True
        stamp.has_seq = found.has_seq
        stamp.has_ts = found.has_ts
        stamp.seq = <uint32_t>found.seq
        stamp.ts_ms = found.ts
        stamp.arrival_us = mc_now_us()
        self.push(ev.data, <size_t>n, &stamp)
        return True

    cdef int take(self, mc_ws_event *ev, list out) except -1:
        cdef mc_media_stamp stamp
        cdef str reason
        if ev.kind == MC_WS_TEXT:
            self.messages += 1
            if not self.push_text(ev):
                self.texts += 1
                out.append((IN_TEXT, ev.data[:ev.n].decode("utf-8") if ev.n else ""))
        elif ev.kind == MC_WS_BINARY:
            self.messages += 1
            if self.binary_in:
                fill_stamp(&stamp, None, None)
                self.push(ev.data, ev.n, &stamp)
            else:
                self.binaries += 1
                out.append((IN_BINARY, PyBytes_FromStringAndSize(<char *>ev.data, ev.n)))
        elif ev.kind == MC_WS_PING:
            self.pings += 1
            if not self.close_sent:
                out.append((IN_SEND, self.frame(MC_WS_OP_PONG, ev.data, ev.n)))
        elif ev.kind == MC_WS_PONG:
            out.append((IN_PONG, PyBytes_FromStringAndSize(<char *>ev.data, ev.n)))
        else:
            reason = ev.data[:ev.n].decode("utf-8") if ev.n else ""
            code = ev.code
            if not self.close_sent:
                out.append((IN_SEND, self.close_frame(
                    code, reason if ev.kind == MC_WS_BAD else "")))
            out.append((IN_CLOSED if ev.kind == MC_WS_CLOSE else IN_FAILED, code, reason))
        return 0

    def feed(self, data):
        """Take received bytes. Returns what is not audio, and what is to be sent now:
        (SocketIn.TEXT, str), (SocketIn.BINARY, bytes), (SocketIn.SEND, bytes),
        (SocketIn.PONG, bytes), (SocketIn.CLOSED, code, reason), (SocketIn.FAILED, code, reason).

        Wire data never raises. After CLOSED or FAILED everything is ignored.
        """
        cdef mc_ws_event ev
        cdef Py_buffer view
        cdef size_t at = 0, n
        cdef list out = []
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            n = view.len
            while at < n and not self.ws.ended:
                at += mc_ws_feed(&self.ws, <const uint8_t *>view.buf + at, n - at, &ev)
                if ev.kind != MC_WS_NONE:
                    self.take(&ev, out)
        finally:
            PyBuffer_Release(&view)
        return out

    # out

    cdef uint8_t *room(self, size_t n) except NULL:
        """Where the next n wire bytes go."""
        cdef size_t cap = self.out_cap if self.out_cap else FIRST_OUT
        cdef uint8_t *more
        while cap < self.out_n + n:
            cap *= 2
        if cap != self.out_cap:
            more = <uint8_t *>realloc(self.out, cap)
            if more is NULL:
                raise MemoryError
            self.out = more
            self.out_cap = cap
        return self.out + self.out_n

    cdef int put_media(self, const uint8_t *payload, size_t n) except -1:
        """One message of audio to the wire bytes."""
        cdef size_t before = len(self.prefix), after = len(self.suffix)
        cdef size_t size = n if self.binary_out else before + mc_b64_encoded(n) + after
        cdef uint8_t *to = self.room(MC_WS_HEADER_MAX + size)
        to += mc_ws_header(to, MC_WS_OP_BINARY if self.binary_out else MC_WS_OP_TEXT, size)
        if self.binary_out:
            memcpy(to, payload, n)
            to += n
        else:
            memcpy(to, PyBytes_AS_STRING(self.prefix), before)
            to += before
            to += mc_b64_encode(<char *>to, payload, n)
            memcpy(to, PyBytes_AS_STRING(self.suffix), after)
            to += after
        self.out_n = to - self.out
        self.media_out += 1
        return 0

    cdef bytes take_out(self):
        cdef bytes wire = PyBytes_FromStringAndSize(<char *>self.out, self.out_n)
        self.out_n = 0
        return wire

    cdef int put_part(self, list items) except -1:
        """The message being filled, and the marks that lie in it."""
        self.put_media(self.part, self.part_n)
        self.part_n = self.part_frames = 0
        if self.held:
            items.append(self.take_out())
            items.extend(self.held)
            self.held.clear()
        return 0

    cdef int put_rest(self, list items) except -1:
        """Nothing follows: fill the message up with silence."""
        cdef size_t rest = self.part_n // self.part_frames * self.frames - self.part_n
        if self.fill >= 0:
            memset(self.part + self.part_n, self.fill, rest)
            self.part_n += rest
        return self.put_part(items)

    def drain(self):
        """What the leg put out, in order: bytes (one or more whole WebSocket frames of audio) and
        (MediaOut.MARK, utterance, mark), (MediaOut.FLUSH,), (MediaOut.IDLE,).

        With several frames in a message a mark waits for the message that holds its audio; before
        IDLE the message is filled up with silence (PCMU, PCMA, L16, L16LE; others go short); a
        FLUSH forgets what was not sent. Raises StaleError after the leg was freed.
        """
        cdef mc_media_item item
        cdef mc_engine *engine
        cdef int rc
        cdef list items = []
        if self.leg is None:
            return items
        engine = self.leg.reader()
        while True:
            rc = mc_leg_pull_media(engine, self.leg.h, &item, self.part + self.part_n)
            if rc == MC_EAGAIN:
                break
            check(rc, "pull media")
            if item.kind == MC_MEDIA_AUDIO:
                if self.silent():
                    continue
                self.part_n += item.n
                self.part_frames += 1
                if self.part_frames == self.frames:
                    self.put_part(items)
                continue
            if item.kind == MC_MEDIA_MARK and self.part_frames:
                self.held.append(to_media_item(&item))
                continue
            if item.kind == MC_MEDIA_FLUSH:
                self.part_n = self.part_frames = 0
                self.held.clear()
            elif item.kind == MC_MEDIA_IDLE and self.part_frames:
                self.put_rest(items)
            if self.out_n:
                items.append(self.take_out())
            items.append(to_media_item(&item))
        if self.out_n:
            items.append(self.take_out())
        return items

    cdef bint silent(self) noexcept:
        """Nothing may be sent any more, RFC 6455 §5.5.1."""
        return self.close_sent or self.ws.ended

    cdef bytes frame(self, mc_ws_opcode opcode, const uint8_t *payload, size_t n):
        cdef uint8_t[MC_WS_HEADER_MAX] head
        cdef size_t head_n = mc_ws_header(head, opcode, n)
        cdef bytes wire = PyBytes_FromStringAndSize(NULL, head_n + n)
        memcpy(PyBytes_AS_STRING(wire), head, head_n)
        if n:
            memcpy(PyBytes_AS_STRING(wire) + head_n, payload, n)
        return wire

    cdef bytes close_frame(self, uint16_t code, str reason):
        cdef bytes payload = b""
        if code != MC_WS_CODE_NONE:
            text = reason.encode("utf-8", "replace")[:MC_WS_CONTROL_MAX - 2]
            payload = bytes((code >> 8, code & 0xFF)) + text.decode("utf-8", "ignore").encode()
        self.close_sent = True
        return self.frame(MC_WS_OP_CLOSE, <const uint8_t *>PyBytes_AS_STRING(payload),
                          len(payload))

    cdef bytes message(self, mc_ws_opcode opcode, object data):
        cdef Py_buffer view
        if self.silent():
            return b""
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            return self.frame(opcode, <const uint8_t *>view.buf, view.len)
        finally:
            PyBuffer_Release(&view)

    def media(self, payload):
        """One message of audio made by hand."""
        cdef Py_buffer view
        if self.silent():
            return b""
        PyObject_GetBuffer(payload, &view, PyBUF_SIMPLE)
        try:
            self.put_media(<const uint8_t *>view.buf, view.len)
        finally:
            PyBuffer_Release(&view)
        return self.take_out()

    def text(self, str message not None):
        """A text frame."""
        return self.message(MC_WS_OP_TEXT, message.encode())

    def binary(self, data):
        """A binary frame."""
        return self.message(MC_WS_OP_BINARY, data)

    def ping(self, data=b""):
        """A ping. Raises ValueError above 125 bytes."""
        if len(data) > MC_WS_CONTROL_MAX:
            raise ValueError(f"a ping has at most {MC_WS_CONTROL_MAX} bytes")
        return self.message(MC_WS_OP_PING, data)

    def close(self, uint16_t code=1000, str reason=""):
        """A close frame; a reason above 123 bytes is cut short. Everything to be sent after it is
        b"". Raises ValueError for a code that may not be sent (RFC 6455 §7.4)."""
        if not mc_ws_code_ok(code):
            raise ValueError(f"close code {code}")
        return b"" if self.silent() else self.close_frame(code, reason)

    @property
    def closed(self):
        """The peer closed, or sent bad data."""
        return self.ws.ended != 0

    def stats(self):
        """Snapshot of the counters: MediaSocketStats."""
        return MediaSocketStats(
            messages=self.messages, texts=self.texts, binaries=self.binaries,
            media=self.media_in, media_bytes=self.media_bytes, wrong_track=self.wrong_track,
            bad_base64=self.bad_base64, unheard=self.unheard, dropped_bytes=self.dropped_bytes,
            pings=self.pings, media_out=self.media_out)
