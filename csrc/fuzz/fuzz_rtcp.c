/* A datagram into the RTCP parser; what parses is built again and must parse to the same. */
#include <stdlib.h>
#include <string.h>

#include "mc_rtcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[2048];
	static struct mc_rtcp msg, again;
	struct mc_rtcp_peer peer = {0};
	struct mc_rtp_source src = {0};
	if (mc_rtcp_parse(&msg, data, size) != MC_OK)
		return 0;
	check(msg.block_count <= MC_RTCP_BLOCKS_MAX && msg.cname[msg.cname_len] == 0);
	mc_rtcp_seen(&peer, &msg, 1000000);
	for (uint32_t i = 0; i < msg.block_count; i++) {
		struct mc_rtcp_block block;
		uint32_t rtt_us = 0;
		if (mc_rtcp_rtt(&rtt_us, &msg.blocks[i], msg.ntp) == MC_OK)
			check(rtt_us <= 60u * 1000000);
		mc_rtcp_block_fill(&block, &src, &peer, 1000000 + (uint64_t)msg.blocks[i].dlsr);
	}
	int n = mc_rtcp_build(out, sizeof(out), &msg);
	check(n > 0 && mc_rtcp_parse(&again, out, (size_t)n) == MC_OK);
	check(again.ssrc == msg.ssrc && again.has_sender == msg.has_sender);
	check(again.bye == msg.bye && again.block_count == msg.block_count);
	check(!memcmp(again.blocks, msg.blocks, msg.block_count * sizeof(msg.blocks[0])));
	check(again.cname_len == msg.cname_len);
	check(!memcmp(again.cname, msg.cname, msg.cname_len));
	float mos = mc_emodel_mos(
		mc_emodel_r((float)(size % 1000), data[0] / 2.55f, 1.0f, MC_EMODEL_G711_PLC));
	check(mos >= 1.0f && mos <= 4.5f);
	return 0;
}
