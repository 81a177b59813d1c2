/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_BASE_ERR_H
#define PEFT_BASE_ERR_H

/*
 * Errors, in two layers that never mix.
 *
 * Library code fills in a struct peft_err that its caller owns and returns
 * -1 (or NULL); it neither prints nor exits.  A command turns that into one
 * line on standard error and an exit status, with the functions below.
 *
 * Results mean the same everywhere: 1 a record, 0 done or a clean end, -1
 * with *err filled in.
 */

#define PEFT_PRINTF(f, a)	__attribute__((format(printf, f, a)))
#define PEFT_NORETURN		__attribute__((noreturn))
#define PEFT_MUSTCHECK		__attribute__((warn_unused_result))

enum peft_exit {
	PEFT_OK = 0,		/* all that was asked for was done */
	PEFT_USAGE = 1,		/* the command line was wrong */
	PEFT_INPUT = 2,		/* bad input, or the system said no */
	PEFT_CHECK = 3,		/* a check failed: mismatch, over a limit */
	PEFT_NUMERIC = 4	/* NaN or Inf where numbers were expected */
};

struct peft_err {
	enum peft_exit	status;		/* what the command exits with */
	char		msg[512];	/* no program name, no newline or
					 * other control characters */
};

/* Record a message.  All return -1, so that `return peft_seterr(...)' reads
 * as it acts.  seterr: status PEFT_INPUT.  seterrno: likewise, and appends
 * strerror(errno).  setfail: with a status of one's own. */
int	peft_seterr(struct peft_err *, const char *, ...) PEFT_PRINTF(2, 3);
int	peft_seterrno(struct peft_err *, const char *, ...) PEFT_PRINTF(2, 3);
int	peft_setfail(struct peft_err *, enum peft_exit, const char *, ...)
	    PEFT_PRINTF(3, 4);

/* Put "WHERE: " before the message that is there; returns -1.  Callers add
 * what they know (file, record, tensor) as the error travels up; what two of
 * them know is said once. */
int	peft_errprefix(struct peft_err *, const char *, ...) PEFT_PRINTF(2, 3);

/* For commands only.  peft_setname() is called first in every main(); from
 * then on a mapped file that is cut short ends the program with PEFT_INPUT,
 * and a write beyond the limit on the size of files fails as any other. */
void	peft_setname(const char *argv0);
const char *peft_getname(void);
/* --log-json: messages become {"program":"...","message":"..."}. */
void	peft_setjson(void);
void	peft_warn(const char *, ...) PEFT_PRINTF(1, 2);
void	peft_die(enum peft_exit, const char *, ...) PEFT_PRINTF(2, 3)
	    PEFT_NORETURN;

/* Close standard output and return the status to exit with: `status', or
 * PEFT_INPUT if anything written to standard output did not get there.  The
 * last statement of every main() is `return peft_finish(status);'. */
int	peft_finish(int status) PEFT_MUSTCHECK;

#endif
