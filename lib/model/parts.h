/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_PARTS_H
#define PEFT_MODEL_PARTS_H

#include <stddef.h>

/*
 * What backward needs of a layer, in the parts that forward makes one after
 * the other.  A part may be made again, from those before it, when backward
 * comes to its layer, instead of being kept since forward (Chen et al. 2016):
 * the same values, to the bit.  What goes into the layer is always kept.
 */
enum peft_layerpart {
	PEFT_PART_QUERIES,	/* queries, keys and values */
	PEFT_PART_TURNED,	/* the same as attention sees them, where that
				 * is not made in place */
	PEFT_PART_ATTENTION,	/* what attention makes of them */
	PEFT_PART_STREAM,	/* the stream behind attention */
	PEFT_PART_INNER,	/* what goes into the MLP's activation; the
				 * experts' visits */
	PEFT_PART_DOWN,		/* what the MLP gives, where that is needed;
				 * what adapters keep at its last product */
	PEFT_NPART
};
extern const char *const peft_part_names[PEFT_NPART];

#endif
