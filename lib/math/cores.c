/* SPDX-License-Identifier: Apache-2.0 */
/* The cores that threads run on. */

#include <sched.h>

#include "math/cores.h"

int
peft_cores(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set) == -1)
		return 1;
	return CPU_COUNT(&set) > 0 ? CPU_COUNT(&set) : 1;
}

void
peft_core_settle(int with, int number, int threads)
{
	cpu_set_t all, one;
	int core = with;

	if (number == 0 || core < 0 || sched_getcpu() != core ||
	    sched_getaffinity(0, sizeof(all), &all) == -1 ||
	    CPU_COUNT(&all) < threads)
		return;
	while (number > 0) {
		core = (core + 1) % CPU_SETSIZE;
		number -= CPU_ISSET(core, &all) != 0;
	}
	CPU_ZERO(&one);
	CPU_SET(core, &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
	(void)sched_setaffinity(0, sizeof(all), &all);
}
