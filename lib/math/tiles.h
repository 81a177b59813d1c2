/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MATH_TILES_H
#define PEFT_MATH_TILES_H

/* AMX's tile registers, for functions that are built for it. */

#include <immintrin.h>
#include <stdint.h>

/* What ldtilecfg reads (Intel SDM, volume 1, 18.3). */
struct peft_tiles {
	uint8_t		palette, start, reserved[14];
	uint16_t	width[16];
	uint8_t		height[16];
};

/* All eight are 16 rows of 64 bytes. */
__attribute__((target("amx-tile")))
static inline void
peft_tiles_configure(void)
{
	struct peft_tiles c = { .palette = 1 };
	int i;

	for (i = 0; i < 8; i++) {
		c.width[i] = 64;
		c.height[i] = 16;
	}
	/* gcc 12's intrinsic says that 8 bytes are read: all are to be there */
	__asm__ volatile("" : : "r"(&c) : "memory");
	_tile_loadconfig(&c);
}

#endif
