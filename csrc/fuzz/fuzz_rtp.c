/* Datagrams into the RTP parser, the reception state and the telephone-event receiver.
 * Input: records of [length] [time step, ms] [bytes]. */
#include <stdlib.h>
#include <string.h>

#include "mc_rtp.h"
#include "mc_telev.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int ok)
{
	if (!ok)
		abort();
}

/* What was parsed must come out of the builder and parse to the same. */
static void rebuild(const struct mc_rtp *rtp)
{
	uint8_t out[MC_RTP_HEADER + 256];
	struct mc_rtp again;
	int n = mc_rtp_build(out, sizeof(out), rtp);
	check(n == (int)(MC_RTP_HEADER + rtp->payload_len));
	check(mc_rtp_parse(&again, out, (size_t)n) == MC_OK);
	check(again.pt == rtp->pt && again.seq == rtp->seq && again.ts == rtp->ts);
	check(again.ssrc == rtp->ssrc && again.marker == rtp->marker);
	check(!rtp->payload_len || !memcmp(again.payload, rtp->payload, rtp->payload_len));
}

struct ears {
	struct mc_telev_rx rx;
	unsigned open;
};

static void hear(struct ears *ears, const struct mc_telev_event *v, int n)
{
	check(n == MC_EBADMSG || (n >= 0 && n <= MC_TELEV_OUT_MAX));
	for (int i = 0; i < n; i++) {
		check(v[i].kind == MC_TELEV_STARTED ? ears->open == 0 : ears->open == 1);
		check(mc_telev_code(v[i].digit) >= 0);
		ears->open = v[i].kind == MC_TELEV_STARTED;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mc_rtp_source src = {0};
	struct ears ears = {0};
	struct mc_telev_event v[MC_TELEV_OUT_MAX];
	uint64_t now_us = 0;
	check(mc_telev_rx_init(&ears.rx, 8000) == MC_OK);
	while (size > 2) {
		size_t n = data[0] < size - 2 ? data[0] : size - 2;
		now_us += data[1] * 1000u;
		uint8_t *packet = malloc(n ? n : 1); /* exact, so that any overrun is seen */
		memcpy(packet, data + 2, n);
		data += 2 + n;
		size -= 2 + n;

		struct mc_rtp rtp;
		if (mc_rtp_parse(&rtp, packet, n) == MC_OK) {
			check(!mc_rtp_is_rtcp(packet, n));
			check(rtp.payload_len <= n - MC_RTP_HEADER);
			rebuild(&rtp);
			int rc =
				mc_rtp_source_update(&src, &rtp, now_us, rtp.pt & 1 ? 48000 : 8000);
			if (rc == MC_RTP_RESTART) {
				mc_telev_rx_reset(&ears.rx);
				ears.open = 0;
			}
			if (rc >= 0)
				hear(&ears, v,
				     mc_telev_rx_feed(&ears.rx, v, rtp.payload, rtp.payload_len,
						      rtp.ts, rtp.marker, now_us));
			(void)mc_rtp_source_fraction_lost(&src);
			int32_t lost = mc_rtp_source_lost(&src);
			check(lost >= -0x800000 && lost <= 0x7FFFFF);
		}
		hear(&ears, v, mc_telev_rx_poll(&ears.rx, v, now_us));
		free(packet);
	}
	return 0;
}
