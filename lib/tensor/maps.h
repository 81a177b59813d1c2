/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_MAPS_H
#define PEFT_TENSOR_MAPS_H

/* bitsandbytes' code tables: what a 4-bit code stands for (Dettmers et al.
 * 2023), and the 8-bit dynamic map that its scales are quantised with. */
extern const float	peft_nf4_map[16], peft_fp4_map[16];
const float		*peft_dynamic_map(void);	/* [256], ascending */

#endif
