/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MATH_PROFILE_H
#define PEFT_MATH_PROFILE_H

#include <stddef.h>
#include <stdint.h>

#include "math/cpu.h"

/*
 * Where the time goes.  Work on a cpu's threads is started, and waited for,
 * by the thread that owns the cpu, one piece after the other: its clock at
 * the ends of a piece (a lap) is what the piece took.  Laps may lie in each
 * other; the time and the operations of an inner one are not those of the
 * outer.  Without a profile a lap is one test of a pointer.
 */
enum peft_work {
	PEFT_WORK_EMBED,
	PEFT_WORK_FORWARD, PEFT_WORK_BACKWARD,	/* products, by type */
	PEFT_WORK_PACK,		/* expansion and packing of their operands */
	PEFT_WORK_ADAPTER, PEFT_WORK_ADAPTER_BACK,
	PEFT_WORK_ATTENTION, PEFT_WORK_ATTENTION_BACK,
	PEFT_WORK_NORM,		/* and residuals, biases */
	PEFT_WORK_ACT, PEFT_WORK_ROPE,
	PEFT_WORK_STASH,	/* rounding of what waits for backward */
	PEFT_WORK_HEAD, PEFT_WORK_HEAD_BACK,	/* its product, by type */
	PEFT_WORK_LOSS,
	PEFT_WORK_OPTIMISER,
	PEFT_NWORK
};

struct peft_work_info {
	const char	*name;		/* "attention, backward" */
	int		 bytes;		/* its amount is memory that is passed
					 * over, not operations */
};

extern const struct peft_work_info peft_works[PEFT_NWORK];

enum { PEFT_WORK_TYPES = 64 };	/* of weights, by the caller's numbers */

struct peft_worked {
	double		seconds, amount;	/* operations, or bytes */
	uint64_t	calls;
};

struct peft_profile {
	struct peft_worked at[PEFT_NWORK][PEFT_WORK_TYPES];
	double	since;		/* when it began */
	double	idle;		/* seconds of all threads without a task,
				 * filled in by peft_profile_stop() */
	double	inner, inner_work;	/* of the laps within the one that is
					 * open */
};

struct peft_lap {
	double	t, work, inner, inner_work;
};

/* From now on laps of this cpu count; the profile is borrowed, and zeroed. */
void	peft_profile_start(struct peft_cpu *, struct peft_profile *);
void	peft_profile_stop(struct peft_cpu *);

/* Is there one?  (For amounts that take time to count.) */
int	peft_profile_on(const struct peft_cpu *);

struct peft_lap peft_lap_begin(const struct peft_cpu *);
/* bytes: of a kind that counts those; operations are counted by the cpu
 * (peft_cpu_count), these are added. */
void	peft_lap_end(const struct peft_cpu *, const struct peft_lap *,
	    enum peft_work, int type, double amount);

#endif
