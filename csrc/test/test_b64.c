/* mc_b64: vectors of RFC 4648 §10, every length both ways, what is refused. */
#include "mc_b64.h"

#include <stdbool.h>

#include "mc_test.h"

static int64_t decode(uint8_t *out, const char *text)
{
	return mc_b64_decode(out, text, strlen(text));
}

static void test_vectors(void)
{
	static const char *const rows[][2] = {
		{"", ""},
		{"f", "Zg=="},
		{"fo", "Zm8="},
		{"foo", "Zm9v"},
		{"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[16];
		uint8_t back[16];
		size_t n = strlen(rows[i][0]), want = strlen(rows[i][1]);
		CHECK_EQ(mc_b64_encode(text, (const uint8_t *)rows[i][0], n), want);
		CHECK_EQ(mc_b64_encoded(n), want);
		CHECK(!memcmp(text, rows[i][1], want));
		CHECK_EQ(decode(back, rows[i][1]), n);
		CHECK(!memcmp(back, rows[i][0], n));
	}
}

static void test_every_length_in_place(void)
{
	uint32_t rng = 7;
	for (size_t n = 0; n < 700; n++) {
		uint8_t in[700];
		char text[940];
		for (size_t i = 0; i < n; i++)
			in[i] = (uint8_t)test_rand(&rng);
		size_t len = mc_b64_encode(text, in, n);
		while (len && text[len - 1] == '=' && n % 2)
			len--; /* padding may be missing */
		CHECK_EQ(mc_b64_decode((uint8_t *)text, text, len), n);
		CHECK(!memcmp(text, in, n));
	}
}

static void test_the_slash_may_be_escaped(void)
{
	uint8_t out[16];
	CHECK_EQ(decode(out, "\\/\\/8="), 2);
	CHECK_EQ(out[0], 0xFF);
	CHECK_EQ(out[1], 0xFF);
	CHECK_EQ(decode(out, "AAAA\\/w=="), 4);
	CHECK_EQ(out[3], 0xFF);
}

static void test_what_is_refused(void)
{
	static const char *const wrong[] = {
		"Z",     "Zm9vY",  "Zg=",    "Zg===",  "=",           "====",        "Zm=v",
		"Zm9v=", "Zm9v==", "Zg==Zg", "Zm9 v",  "Zm9v\n",      "Zm-v",        "Zm_v",
		"Zm\\v", "Zm9\\",  "\\",     "Zm9v\\", "Zm9\xc3\xa4", "AAAA\x80ZZZ",
	};
	uint8_t out[32];
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		CHECK_EQ(decode(out, wrong[i]), MC_EBADMSG);
	for (int c = 1; c < 256; c++) {
		char text[5] = {'A', 'A', 'A', (char)c, 0};
		bool ok =
			strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=",
			       c) != NULL;
		CHECK_EQ(decode(out, text) >= 0, ok);
	}
}

int main(void)
{
	RUN(test_vectors);
	RUN(test_every_length_in_place);
	RUN(test_the_slash_may_be_escaped);
	RUN(test_what_is_refused);
	return 0;
}
