#include "mc_codec.h"

#include <strings.h>

#include "mc_g711.h"
#include "mc_g722.h"
#include "mc_l16.h"
#include "mc_opus.h"

static const struct mc_codec *const FIXED[] = {&mc_g711_pcmu, &mc_g711_pcma, &mc_g722};

enum {
	FIXED_COUNT = sizeof(FIXED) / sizeof(FIXED[0]),
};

const struct mc_codec *mc_codec_find(const char *name, uint32_t srate)
{
	for (size_t i = 0; i < FIXED_COUNT; i++)
		if (!strcasecmp(name, FIXED[i]->name))
			return FIXED[i]->srate == srate ? FIXED[i] : NULL;
	if (!strcasecmp(name, "L16"))
		return mc_l16(srate);
	if (!strcasecmp(name, "L16LE"))
		return mc_l16le(srate);
	if (!strcasecmp(name, "opus"))
		return mc_opus(srate);
	return NULL;
}

const struct mc_codec *mc_codec_find_pt(uint8_t payload_type)
{
	for (size_t i = 0; i < FIXED_COUNT; i++)
		if (FIXED[i]->static_pt == payload_type)
			return FIXED[i];
	return NULL;
}
