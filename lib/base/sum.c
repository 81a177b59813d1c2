/* SPDX-License-Identifier: Apache-2.0 */
/* A fast checksum: four lanes of products with an odd number, so that no bit
 * is lost on the way, and rotations. */

#include <string.h>

#include "base/sum.h"

static uint64_t
mix(uint64_t lane, uint64_t word)
{
	lane = (lane ^ word) * 0x9e3779b97f4a7c15u;
	return lane << 29 | lane >> 35;
}

static void
add_block(struct peft_sum *s, const uint8_t *p)
{
	uint64_t w[4];
	int i;

	memcpy(w, p, sizeof(w));
	for (i = 0; i < 4; i++)
		s->lane[i] = mix(s->lane[i], w[i]);
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
		add_block(s, s->rest);
	}
	for (; n >= sizeof(s->rest); n -= sizeof(s->rest)) {
		add_block(s, p);
		p += sizeof(s->rest);
	}
	memcpy(s->rest, p, n);
}

uint64_t
peft_sum_end(const struct peft_sum *s)
{
	struct peft_sum t = *s;
	size_t have = t.n % sizeof(t.rest);
	uint64_t sum = t.n;
	int i;

	memset(t.rest + have, 0, sizeof(t.rest) - have);
	add_block(&t, t.rest);
	for (i = 0; i < 4; i++)
		sum = mix(sum, t.lane[i]);
	return sum ^ sum >> 32;
}
