# The C API as Cython sees it: csrc/include/mediacore.h and the offline leaf modules.
from libc.stddef cimport size_t
from libc.stdint cimport int8_t, int16_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t


cdef extern from "mc_types.h" nogil:
    enum:
        MC_TICK_US
        MC_PACKET_MAX
        MC_EINVAL
        MC_ENOMEM
        MC_EBADMSG
        MC_ELATE
        MC_EDUP
        MC_EFULL
        MC_ESTALE
        MC_ENOENT
        MC_ENOTSUP
        MC_EAGAIN
        MC_EIO
        MC_ESTATE


cdef extern from "mediacore.h" nogil:
    const char *MC_VERSION

    struct sockaddr:
        pass
    struct mc_engine:
        pass
    struct mc_pacer:
        pass
    ctypedef uint32_t mc_handle
    ctypedef uint64_t mc_generation

    enum:
        MC_EV_NONE
        MC_EV_LEG_OPENED
        MC_EV_LEG_CLOSED
        MC_EV_SPEECH_STARTED
        MC_EV_SPEECH_ENDED
        MC_EV_PLAYOUT_STARTED
        MC_EV_PLAYOUT_DUCKED
        MC_EV_PLAYOUT_PAUSED
        MC_EV_PLAYOUT_RESUMED
        MC_EV_PLAYOUT_CUT
        MC_EV_PLAYOUT_LOW
        MC_EV_PLAYOUT_UNDERRUN
        MC_EV_MARK
        MC_EV_UTTERANCE_FINISHED
        MC_EV_UTTERANCE_REFUSED
        MC_EV_DIGIT
        MC_EV_TONE
        MC_EV_MEDIA_LOST
        MC_EV_MEDIA_RESUMED
        MC_EV_TAP_READY
        MC_EV_OVERRUN

    enum:
        MC_LEG_CODECS

    enum mc_tap:
        MC_TAP_RX
        MC_TAP_RECORD
        MC_TAP_NOTES

    struct mc_event:
        uint32_t kind
        mc_handle leg
        uint64_t tick
        uint64_t at
        uint64_t utterance
        mc_generation generation
        mc_generation next_generation
        uint64_t position
        uint64_t wire
        uint32_t a
        uint32_t b

    struct mc_engine_cfg:
        uint32_t max_legs
        uint32_t max_bridges
        uint32_t event_slots
        uint32_t command_slots

    # A struct and a function share these names in C.
    ctypedef struct engine_stats "struct mc_engine_stats":
        uint64_t ticks
        uint64_t commands
        uint64_t commands_stale
        uint64_t events
        uint64_t events_dropped
        uint64_t legs_open
        uint64_t bridges_open

    int mc_engine_create(mc_engine **out, const mc_engine_cfg *cfg) noexcept
    void mc_engine_destroy(mc_engine *engine) noexcept
    void mc_engine_tick(mc_engine *engine, uint64_t now_us) noexcept
    size_t mc_engine_poll(mc_engine *engine, mc_event *out, size_t n) noexcept
    int mc_engine_event_fd(const mc_engine *engine) noexcept
    int mc_engine_stream_fd(const mc_engine *engine) noexcept
    void mc_engine_stream_clear(mc_engine *engine) noexcept
    void mc_engine_stats(const mc_engine *engine, engine_stats *out) noexcept

    struct mc_note:
        uint32_t tick

    struct mc_srtp_keys:
        const char *suite
        const uint8_t *tx_key
        const uint8_t *rx_key
        size_t key_len

    struct mc_leg_cfg:
        const char *codec
        uint32_t srate
        uint8_t payload_type
        uint8_t event_payload_type
        uint8_t cn_payload_type
        bint asymmetric
        uint8_t tx_payload_type
        const char *codecs[4]
        uint32_t ptime_ms
        uint64_t seed
        int fd
        int rtcp_fd
        const sockaddr *remote
        uint32_t remote_len
        uint8_t latch
        uint32_t relatch_ms
        uint32_t keepalive_ms
        uint8_t rtcp
        const mc_srtp_keys *srtp
        uint16_t jitter_min_ms
        uint16_t jitter_max_ms
        uint16_t payload_max
        uint16_t jitter_slots
        uint32_t speech_ms
        uint32_t tap_ms
        uint32_t taps
        uint32_t tap_block_ms
        uint32_t media_first_ms
        uint32_t media_lost_ms
        uint32_t media_hold_ms
        uint64_t budget_ticks
        int16_t vad_threshold_q15
        uint16_t vad_onset_ms
        uint16_t vad_hangover_ms
        bint bed
        bint detect_dtmf
        uint32_t detect_tones
        bint stream
        bint stream_always
        uint32_t ahead_ms
        uint32_t stream_queue_ms

    ctypedef struct leg_stats "struct mc_leg_stats":
        uint64_t ticks
        uint64_t rx_packets
        uint64_t rx_bytes
        uint64_t rx_malformed
        uint64_t rx_wrong_pt
        uint64_t rx_stranger
        uint64_t rx_restarts
        uint64_t rx_late
        uint64_t rx_duplicate
        uint64_t rx_overflow
        uint64_t rx_lost
        uint64_t rx_concealed_samples
        uint64_t rx_accelerated_samples
        uint64_t rx_expanded_samples
        uint64_t rx_comfort_samples
        uint64_t jitter_us
        uint64_t delay_ms
        uint64_t target_ms
        uint64_t tx_packets
        uint64_t tx_bytes
        uint64_t tx_errors
        uint64_t tx_link_dropped
        uint64_t queued_samples
        uint64_t played_samples
        uint64_t wire_samples
        uint64_t flushed_samples
        uint64_t stale_utterances
        uint64_t stale_samples
        uint64_t underruns
        uint64_t cuts
        uint64_t pauses
        uint64_t resumes
        mc_generation generation
        uint64_t speech_starts
        uint64_t digits
        uint64_t tap_dropped_samples
        uint64_t rtt_us
        uint64_t far_lost_permille
        uint64_t far_jitter_us
        uint64_t rtcp_packets
        uint64_t rtcp_malformed
        uint64_t mos_x100
        uint64_t latches
        uint64_t rx_unwanted
        uint64_t keepalives
        uint64_t stream_dropped_samples
        uint64_t rx_unauthentic

    int mc_leg_open(mc_engine *engine, const mc_leg_cfg *cfg, mc_handle *out) noexcept
    int mc_leg_close(mc_engine *engine, mc_handle leg) noexcept
    int mc_leg_free(mc_engine *engine, mc_handle leg) noexcept
    int mc_leg_stats(const mc_engine *engine, mc_handle leg, leg_stats *out) noexcept
    size_t mc_leg_memory(const mc_leg_cfg *cfg) noexcept
    int mc_leg_limit(mc_engine *engine, mc_handle leg, uint64_t ticks_from_now) noexcept
    int mc_leg_hold(mc_engine *engine, mc_handle leg, bint on) noexcept
    int mc_leg_push_digit(mc_engine *engine, mc_handle leg, char digit,
                          uint32_t duration_ms) noexcept
    int mc_leg_direction(mc_engine *engine, mc_handle leg, bint send, bint receive) noexcept

    struct mc_leg_target:
        const sockaddr *remote
        uint32_t remote_len
        const char *codec
        int16_t payload_type
        int16_t tx_payload_type
        int16_t event_payload_type
        int16_t cn_payload_type
        uint32_t ptime_ms

    int mc_leg_retarget(mc_engine *engine, mc_handle leg, const mc_leg_target *target) noexcept
    int mc_leg_rekey(mc_engine *engine, mc_handle leg, const mc_srtp_keys *keys) noexcept
    int mc_srtp_load(const char *path) noexcept
    const char *mc_srtp_version() noexcept
    int mc_leg_push_packet(mc_engine *engine, mc_handle leg, const uint8_t *data,
                           size_t n) noexcept
    int mc_leg_pull_packet(mc_engine *engine, mc_handle leg, uint8_t *out, size_t cap) noexcept

    enum:
        MC_MEDIA_MAX
        MC_MEDIA_AUDIO
        MC_MEDIA_MARK
        MC_MEDIA_FLUSH
        MC_MEDIA_IDLE

    struct mc_media_stamp:
        bint has_seq
        bint has_ts
        uint32_t seq
        uint64_t ts_ms
        uint64_t arrival_us
    struct mc_media_item:
        int kind
        uint64_t utterance
        uint32_t mark
        size_t n

    int mc_leg_push_media(mc_engine *engine, mc_handle leg, const uint8_t *payload, size_t n,
                          const mc_media_stamp *stamp) noexcept
    int mc_leg_pull_media(mc_engine *engine, mc_handle leg, mc_media_item *item,
                          uint8_t *buf) noexcept

    int mc_leg_say_begin(mc_engine *engine, mc_handle leg, uint64_t utterance,
                         mc_generation generation) noexcept
    int mc_leg_say(mc_engine *engine, mc_handle leg, const int16_t *pcm, size_t n) noexcept
    int mc_leg_mark(mc_engine *engine, mc_handle leg, uint32_t mark, uint64_t position) noexcept
    int mc_leg_say_end(mc_engine *engine, mc_handle leg) noexcept
    size_t mc_leg_say_room(const mc_engine *engine, mc_handle leg) noexcept
    int mc_leg_pause(mc_engine *engine, mc_handle leg) noexcept
    int mc_leg_resume(mc_engine *engine, mc_handle leg, bint from_mark) noexcept
    int mc_leg_cut(mc_engine *engine, mc_handle leg, mc_generation generation) noexcept
    int mc_leg_duck(mc_engine *engine, mc_handle leg, uint8_t db) noexcept

    struct mc_barge_in:
        uint8_t action
        uint8_t duck_db
        bint resume_from_mark
        uint16_t onset_ms
        uint16_t commit_ms
        uint16_t resume_ms
        uint16_t protect_ms
        uint32_t protect_mark

    int mc_leg_arm(mc_engine *engine, mc_handle leg, const mc_barge_in *policy) noexcept
    int mc_leg_bed(mc_engine *engine, mc_handle leg, const int16_t *pcm, size_t n) noexcept
    size_t mc_leg_bed_room(const mc_engine *engine, mc_handle leg) noexcept
    int mc_leg_bed_gain(mc_engine *engine, mc_handle leg, float db) noexcept
    int mc_leg_bed_stop(mc_engine *engine, mc_handle leg) noexcept

    enum:
        MC_FORK_RX
        MC_FORK_TX

    int mc_leg_fork(mc_engine *engine, mc_handle to, mc_handle from_,
                    uint32_t directions) noexcept
    int mc_leg_unfork(mc_engine *engine, mc_handle to) noexcept
    int mc_leg_send_digits(mc_engine *engine, mc_handle leg, const char *digits,
                           uint16_t tone_ms, uint16_t gap_ms) noexcept
    size_t mc_leg_read_tap(mc_engine *engine, mc_handle leg, mc_tap tap, int16_t *out, size_t n,
                           uint64_t *at) noexcept
    size_t mc_leg_read_notes(mc_engine *engine, mc_handle leg, mc_note *out, size_t n) noexcept

    int mc_bridge_open(mc_engine *engine, uint32_t srate, mc_handle *out) noexcept
    int mc_bridge_close(mc_engine *engine, mc_handle bridge) noexcept
    int mc_bridge_join(mc_engine *engine, mc_handle bridge, mc_handle leg) noexcept
    int mc_bridge_leave(mc_engine *engine, mc_handle bridge, mc_handle leg) noexcept
    int mc_bridge_gain(mc_engine *engine, mc_handle bridge, mc_handle from_, mc_handle to,
                       int16_t gain_q15) noexcept

    ctypedef struct pacer_stats "struct mc_pacer_stats":
        uint64_t ticks
        uint64_t skipped
        uint64_t late_1ms
        uint64_t late_5ms
        uint64_t late_20ms
        uint64_t late_max_us
        uint64_t busy_us
        uint64_t busy_max_us
        uint64_t cpu_us

    int mc_pacer_start(mc_pacer **out, mc_engine *engine, bint realtime) noexcept
    void mc_pacer_stop(mc_pacer *pacer) noexcept
    void mc_pacer_stats(const mc_pacer *pacer, pacer_stats *out) noexcept
    bint mc_pacer_is_realtime(const mc_pacer *pacer) noexcept
    uint64_t mc_now_us() noexcept
    int mc_udp_open(const char *host, uint16_t port, uint16_t *bound_port) noexcept


cdef extern from "mc_codec.h" nogil:
    enum:
        MC_CODEC_MAX_PCM

    struct mc_codec:
        const char *name
        uint8_t static_pt
        uint32_t clock_rate
        uint32_t srate
        size_t (*dec_size)(uint32_t srate) noexcept
        size_t (*enc_size)(uint32_t srate) noexcept
        int (*dec_init)(void *dec, uint32_t srate) noexcept
        int (*enc_init)(void *enc, uint32_t srate) noexcept
        int (*decode)(void *dec, int16_t *pcm, size_t cap, const uint8_t *payload,
                      size_t n) noexcept
        int (*encode)(void *enc, uint8_t *payload, size_t cap, const int16_t *pcm,
                      size_t n) noexcept

    const mc_codec *mc_codec_find(const char *name, uint32_t srate) noexcept
    int mc_opus_load(const char *path) noexcept
    const char *mc_opus_version() noexcept


cdef extern from "mc_b64.h" nogil:
    size_t mc_b64_encoded(size_t n) noexcept
    size_t mc_b64_encode(char *out, const uint8_t *in_, size_t n) noexcept
    int64_t mc_b64_decode(uint8_t *out, const char *in_, size_t n) noexcept


cdef extern from "mc_ws.h" nogil:
    enum:
        MC_WS_HEADER_MAX
        MC_WS_CONTROL_MAX
        MC_WS_CODE_NONE
        MC_WS_NONE
        MC_WS_TEXT
        MC_WS_BINARY
        MC_WS_PING
        MC_WS_PONG
        MC_WS_CLOSE
        MC_WS_BAD

    enum mc_ws_opcode:
        MC_WS_OP_TEXT
        MC_WS_OP_BINARY
        MC_WS_OP_CLOSE
        MC_WS_OP_PING
        MC_WS_OP_PONG

    struct mc_ws_event:
        int kind
        uint16_t code
        uint8_t *data
        size_t n
    struct mc_ws:
        bint ended
    int mc_ws_init(mc_ws *ws, size_t max_text, size_t max_binary) noexcept
    void mc_ws_free(mc_ws *ws) noexcept
    size_t mc_ws_feed(mc_ws *ws, const uint8_t *data, size_t n, mc_ws_event *ev) noexcept
    size_t mc_ws_header(uint8_t *out, mc_ws_opcode opcode, size_t n) noexcept
    bint mc_ws_code_ok(uint16_t code) noexcept


cdef extern from "mc_mjson.h" nogil:
    enum:
        MC_MJSON_KEY
        MC_MJSON_TRACKS

    struct mc_mjson_name:
        char *text
        size_t n
    struct mc_mjson_path:
        mc_mjson_name object
        mc_mjson_name key
    struct mc_mjson_cfg:
        mc_mjson_name event_key
        mc_mjson_name event_value
        mc_mjson_path payload
        mc_mjson_path seq
        mc_mjson_path ts
        mc_mjson_path track
        mc_mjson_name *tracks
        size_t track_count
    struct mc_mjson:
        size_t payload_at
        size_t payload_n
        bint has_seq
        bint has_ts
        bint wrong_track
        uint64_t seq
        uint64_t ts
    bint mc_mjson_scan(mc_mjson *out, const mc_mjson_cfg *cfg, const uint8_t *text,
                       size_t n) noexcept


cdef extern from "mc_resample.h" nogil:
    struct mc_resample:
        pass
    size_t mc_resample_size(uint32_t in_hz, uint32_t out_hz) noexcept
    int mc_resample_init(mc_resample **out, void *mem, size_t size, uint32_t in_hz,
                         uint32_t out_hz) noexcept
    void mc_resample_reset(mc_resample *rs) noexcept
    int mc_resample_run(mc_resample *rs, int16_t *out, size_t cap, const int16_t *in_,
                        size_t n) noexcept
    size_t mc_resample_out_max(const mc_resample *rs, size_t n) noexcept
    uint32_t mc_resample_delay(const mc_resample *rs) noexcept


cdef extern from "mc_vad.h" nogil:
    enum:
        MC_VAD_NONE
        MC_VAD_START

    struct mc_vad:
        pass
    struct mc_vad_cfg:
        uint32_t srate
        int16_t threshold_q15
        uint16_t onset_frames
        uint16_t hangover_ms
    struct mc_vad_edge:
        uint32_t back_samples
        int16_t peak_q15
    size_t mc_vad_size(const mc_vad_cfg *cfg) noexcept
    int mc_vad_init(mc_vad **out, void *mem, size_t size, const mc_vad_cfg *cfg) noexcept
    void mc_vad_reset(mc_vad *vad) noexcept
    int mc_vad_frame(mc_vad *vad, const int16_t *pcm) noexcept
    int mc_vad_speech(mc_vad *vad, int prob_q15, mc_vad_edge *edge) noexcept
    int mc_vad_active(const mc_vad *vad) noexcept
    float mc_vad_noise_dbov(const mc_vad *vad) noexcept


cdef extern from "netinet/in.h" nogil:
    int AF_INET
    int AF_INET6
    struct in_addr:
        uint32_t s_addr
    struct in6_addr:
        pass
    struct sockaddr_in:
        int sin_family
        uint16_t sin_port
        in_addr sin_addr
    struct sockaddr_in6:
        int sin6_family
        uint16_t sin6_port
        in6_addr sin6_addr
    struct sockaddr_storage:
        pass
    uint16_t htons(uint16_t port) noexcept


cdef extern from "arpa/inet.h" nogil:
    int inet_pton(int family, const char *text, void *out) noexcept


cdef extern from "unistd.h" nogil:
    int close_fd "close" (int fd) noexcept


# Objects that own C memory and are not closed yet; counted in debug builds only.
cdef extern from *:
    """
    #ifdef MC_DEBUG
    static long mc_live_objects_;
    #define mc_live_add(n) ((void)(mc_live_objects_ += (n)))
    #define mc_live_count() (mc_live_objects_)
    #else
    #define mc_live_add(n) ((void)0)
    #define mc_live_count() (0L)
    #endif
    """
    void mc_live_add(long n) noexcept nogil
    long mc_live_count() noexcept nogil
