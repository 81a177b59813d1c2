/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MATH_CORES_H
#define PEFT_MATH_CORES_H

/* The cores that threads run on. */

/* How many this process may run on. */
int	peft_cores(void);
/*
 * The calling thread, which just awoke and is `number' of `threads' (0: who
 * woke it, on core `from' or -1), goes to the core that is its own, counted
 * from there, if each can have one; from then on the system may move it.
 *
 * Left to the system it may begin on the core of who woke it, and share that
 * for a tenth of a second while others have nothing to do, or little.
 */
void	peft_core_settle(int from, int number, int threads);

#endif
