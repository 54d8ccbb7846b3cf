/* Bytes as a script for one stream link: messages with any number and time in, frames, marks and
 * cuts out, pulls in between. Checked: what goes in comes out or is counted, pieces are never
 * longer than one, the queues stay bounded, items come in a legal order.
 * Input: [set-up] then records of [what] [argument]. */
#include <stdlib.h>
#include <string.h>

#include "mc_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int ok)
{
	if (!ok)
		abort();
}

struct run {
	struct mc_stream *s;
	uint64_t now_us, given, taken;
	size_t piece;
	int playing; /* by the items pulled */
};

static void next_all(struct run *run)
{
	struct mc_stream_packet p;
	while (mc_stream_next(run->s, &p, run->now_us)) {
		check(p.n > 0 && p.n <= run->piece && p.at_us <= run->now_us);
		run->taken += p.n;
	}
}

static void pull_all(struct run *run)
{
	struct mc_media_item item;
	uint8_t buf[MC_MEDIA_MAX];
	int n = 0;
	while (mc_stream_pull(run->s, &item, buf)) {
		check(++n < 400);
		check(item.kind == MC_MEDIA_AUDIO || !item.n);
		check(item.n <= MC_MEDIA_MAX);
		if (item.kind == MC_MEDIA_AUDIO)
			run->playing = 1;
		else if (item.kind != MC_MEDIA_MARK)
			run->playing = 0;
	}
}

static void push(struct run *run, uint8_t what, uint8_t arg)
{
	static uint8_t payload[70000];
	size_t n = what & 64 ? (size_t)arg * 257 : (size_t)arg * 2 + (what & 1);
	struct mc_media_stamp stamp = {
		.has_seq = what & 2,
		.has_ts = what & 4,
		.seq = arg * (what & 8 ? 1u : 0x01010101u),
		.ts_ms = run->now_us / 1000 + (what & 16 ? arg * 977u : 0),
		.arrival_us = what & 32 ? 0 : run->now_us - arg * 500u,
	};
	size_t dropped = mc_stream_push(run->s, payload, n, &stamp);
	check(dropped <= n + run->piece);
	run->given += n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t mem[1 << 20];
	static const struct {
		const char *name;
		uint32_t srate;
	} codecs[] = {{"PCMU", 8000}, {"G722", 16000}, {"L16LE", 8000}, {"L16", 48000}};
	static int16_t pcm[MC_FRAME_MAX];
	static long long enc[1024];
	struct run run = {.now_us = 1000000};

	if (size < 2)
		return 0;
	const struct mc_codec *codec =
		mc_codec_find(codecs[data[0] % 4].name, codecs[data[0] % 4].srate);
	struct mc_stream_cfg cfg = {
		.codec = codec,
		.srate = codec->srate,
		.queue_ms = data[0] & 4 ? 200 : 1000,
		.ahead_ms = data[0] & 8 ? 60 : 0,
		.behind = 10,
		.always = data[0] & 16,
	};
	size_t need = mc_stream_size(&cfg);
	check(need > 0 && need <= sizeof(mem));
	check(mc_stream_init(&run.s, mem, need, &cfg) == MC_OK);
	if (codec->enc_size)
		check(codec->enc_size(codec->srate) <= sizeof(enc));
	if (codec->enc_init)
		check(codec->enc_init(enc, codec->srate) >= 0);
	run.piece = mc_stream_piece_bytes(codec);
	for (data++, size--; size >= 2; data += 2, size -= 2) {
		switch (data[0] >> 7 | (data[0] >> 6 & 1 & data[0] >> 7) << 1) {
		case 0:
			push(&run, data[0], data[1]);
			break;
		case 1: {
			if (data[0] & 1)
				mc_stream_mark(run.s, data[1], data[1]);
			if (data[0] & 2)
				mc_stream_cut(run.s);
			struct mc_stream_sent sent = mc_stream_put(run.s, enc, pcm, data[0] & 4);
			check(sent.frames <= 1 + cfg.ahead_ms / MC_TICK_MS);
			check(sent.bytes <= sent.frames * MC_MEDIA_MAX);
			run.now_us += MC_TICK_US;
			next_all(&run);
			break;
		}
		default:
			if (data[0] & 1)
				pull_all(&run);
			run.now_us += (uint64_t)data[1] * 10000;
			break;
		}
	}
	next_all(&run);
	pull_all(&run);
	check(run.taken <= run.given);
	return 0;
}
