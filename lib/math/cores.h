/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MATH_CORES_H
#define PEFT_MATH_CORES_H

/* The cores that threads run on. */

/* How many this process may run on. */
int	peft_cores(void);
/*
 * A thread, `number' of `threads' (0: who gives them work, and runs on core
 * `with', or -1), goes to a core of its own if it is on that one and each can
 * have one: the number-th behind it.  From then on the system may move it.
 *
 * Threads that awake often begin beside who woke them, and the system may leave
 * both there for a tenth of a second while others have nothing to do, or
 * little.
 */
void	peft_core_settle(int with, int number, int threads);

#endif
