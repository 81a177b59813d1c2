/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_PARTS_IMPL_H
#define PEFT_MODEL_PARTS_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/parts.h"

struct peft_run;

/* The matrices of a layer that backward has use for, in the order in which
 * they are made: x to gu of struct peft_saved. */
enum {
	PEFT_SAVED_X, PEFT_SAVED_RAW, PEFT_SAVED_QKV, PEFT_SAVED_KVA,
	PEFT_SAVED_ATTN, PEFT_SAVED_O, PEFT_SAVED_MID, PEFT_SAVED_GU,
	PEFT_SAVED_DOWN, PEFT_NSAVED
};

/* What is what, and made of what. */
struct peft_parts {
	uint32_t	saved;		/* the matrices of it */
	uint32_t	from;		/* those that it is made of again, as
					 * they were before they are rounded */
	uint32_t	slots;		/* the modules that make it, whose
					 * hooks keep something with it */
};
extern const struct peft_parts peft_parts[PEFT_NPART];

/* Where a matrix is until backward comes to its layer. */
enum peft_wait {
	PEFT_WAIT_NOT,		/* nowhere: layers have one in common */
	PEFT_WAIT_WHOLE,	/* in f32, of its own */
	PEFT_WAIT_ROUNDED	/* the same in bf16 */
};
enum peft_wait peft_waits(const struct peft_run *, size_t layer, int saved);
/* Has what a layer keeps to wait?  Backward comes to the last one at once, and
 * to those below the lowest that has hooks never. */
bool	peft_is_between(const struct peft_run *, size_t layer);
/* Does this layer keep the rest of a part (what is no matrix), is it made
 * again?  (Neither: it is not between.) */
bool	peft_part_waits(const struct peft_run *, size_t layer,
	    enum peft_layerpart);
bool	peft_part_again(const struct peft_run *, size_t layer,
	    enum peft_layerpart);
/* Is there anything of it that it is made again for by itself? */
bool	peft_part_is_there(const struct peft_run *, size_t layer,
	    enum peft_layerpart);
enum peft_layerpart peft_part_of(int slot);
/* Floats a row of a matrix, 0: the layer has none.  (Experts keep what they
 * have in the middle of the MLP in matrices of their own.) */
size_t	peft_saved_width(const struct peft_run *, size_t layer, int saved);
/* Has one of layers l .. end an MLP of experts, or a plain one? */
bool	peft_have_mlp(const struct peft_run *, size_t l, size_t end,
	    bool experts);

#endif
