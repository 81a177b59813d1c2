/* SPDX-License-Identifier: Apache-2.0 */
/* A fast checksum: eight lanes of products with an odd number, so that no bit
 * is lost on the way, and rotations.  A product takes some cycles, and one can
 * begin in each: a lane that waits for its own leaves time for the others. */

#include <string.h>

#include "base/sum.h"

enum { LANES = 8 };

static uint64_t
mix(uint64_t lane, uint64_t word)
{
	lane = (lane ^ word) * 0x9e3779b97f4a7c15u;
	return lane << 29 | lane >> 35;
}

/* Lanes are registers for as long as there are blocks: no loop over them. */
static void
add_blocks(struct peft_sum *s, const uint8_t *p, size_t n)
{
	uint64_t lane[LANES], w[LANES];

	memcpy(lane, s->lane, sizeof(lane));
	for (; n > 0; n--, p += sizeof(w)) {
		memcpy(w, p, sizeof(w));
		lane[0] = mix(lane[0], w[0]);
		lane[1] = mix(lane[1], w[1]);
		lane[2] = mix(lane[2], w[2]);
		lane[3] = mix(lane[3], w[3]);
		lane[4] = mix(lane[4], w[4]);
		lane[5] = mix(lane[5], w[5]);
		lane[6] = mix(lane[6], w[6]);
		lane[7] = mix(lane[7], w[7]);
	}
	memcpy(s->lane, lane, sizeof(lane));
}

void
peft_sum_add(struct peft_sum *s, const void *data, size_t n)
{
	size_t have = s->n % sizeof(s->rest), m;
	const uint8_t *p = data;

	if (n == 0)
		return;
	s->n += n;
	if (have > 0) {
		m = sizeof(s->rest) - have;
		m = m < n ? m : n;
		memcpy(s->rest + have, p, m);
		p += m;
		n -= m;
		if (have + m < sizeof(s->rest))
			return;
		add_blocks(s, s->rest, 1);
	}
	m = n % sizeof(s->rest);
	add_blocks(s, p, n / sizeof(s->rest));
	memcpy(s->rest, p + n - m, m);
}

uint64_t
peft_sum_end(const struct peft_sum *s)
{
	struct peft_sum t = *s;
	size_t have = t.n % sizeof(t.rest);
	uint64_t sum = t.n;
	int i;

	memset(t.rest + have, 0, sizeof(t.rest) - have);
	add_blocks(&t, t.rest, 1);
	for (i = 0; i < LANES; i++)
		sum = mix(sum, t.lane[i]);
	return sum ^ sum >> 32;
}
