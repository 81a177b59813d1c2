/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_BASE_OPT_H
#define PEFT_BASE_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * One table a command is the only list of its options.  Parsing, --help and
 * the completions are made from it; tests/options.t holds the manual page
 * and completions/ to it.
 */
struct peft_opt {
	int		 ch;	/* letter, or a value above 255 if long only */
	const char	*name;	/* long name */
	const char	*arg;	/* name of the argument, NULL for a flag.
				 * FILE and DIR complete to paths, words
				 * separated by | to those words */
	const char	*help;	/* one line, no full stop */
};

struct peft_cli {
	const char		*synopsis;	/* after the program's name */
	const char		*about;		/* what .Nd says */
	const struct peft_opt	*opts;		/* ends with { 0 } */
	/* For -V -v: prints lines about what computes (CPU path, BLAS).
	 * NULL for commands that compute nothing. */
	void			(*versions)(void);
};

/* The options that mean the same in all programs.  A table takes those it
 * obeys as rows; peft_opt_common() stores what they say. */
#define PEFT_OPT_OUTPUT	 { 'o', "output", "FILE", "write to FILE instead of standard output" }
#define PEFT_OPT_FORCE	 { 'f', "force", NULL, "overwrite what exists" }
#define PEFT_OPT_DRY	 { 'n', "dry-run", NULL, "check and report, write nothing" }
#define PEFT_OPT_THREADS { 'j', "threads", "N", "use N threads (default: one a core)" }
#define PEFT_OPT_SEED	 { 's', "seed", "SEED", "seed of all random numbers (0)" }
#define PEFT_OPT_QUIET	 { 'q', "quiet", NULL, "say nothing but errors" }
#define PEFT_OPT_VERBOSE { 'v', "verbose", NULL, "say more, and what it took at the end" }
#define PEFT_OPT_LOGJSON { PEFT_O_LOGJSON, "log-json", NULL, "messages and progress as JSON lines" }

enum { PEFT_O_LOGJSON = 1000, PEFT_O_COMPLETION = 1001, PEFT_O_OWN = 2000 };

struct peft_common {
	const char	*output;	/* NULL: standard output */
	bool		 force, dry, quiet, logjson;
	int		 verbose;
	int		 threads;	/* 0: one a core */
	uint64_t	 seed;
	/* for peft_given(): the table, and a bit a row of it */
	const struct peft_opt *opts;
	uint64_t	 given[2];
};

/* The next option of the command's own (letter or value), or -1 when only
 * operands (argv[optind] on) remain.  Common options, -h, -V,
 * --completion and mistakes are dealt with here; the last four do not
 * return.  optarg is as in getopt(3). */
int	peft_getopt(int argc, char **argv, const struct peft_cli *,
	    struct peft_common *);

/* Was --NAME, a row of the table, given so far, be it with its default?  And
 * does -o name a file, not standard output? */
bool	 peft_given(const struct peft_common *, const char *name);
bool	 peft_has_file(const struct peft_common *);

/* Parse the whole of an option's argument, or die with PEFT_USAGE naming
 * the option.  Sizes take K, M, G, T (powers of 1024). */
double	 peft_optreal(const char *opt, const char *s, double min, double max);
int64_t	 peft_optint(const char *opt, const char *s, int64_t min, int64_t max);
uint64_t peft_optsize(const char *opt, const char *s);
/* MiB in tenths, rounded up: what is printed is given to --mem-limit. */
double	 peft_mib(size_t bytes);
/* "THING[=WEIGHT]": cuts the weight off and returns it, 1 if there is none;
 * the name of a thing may have a = of its own, if no number is behind it. */
double	 peft_optweight(const char *opt, char *s);
/* One more adapter of those that an option may name, `most' of them. */
void	 peft_optadd(const char *opt, const char **list, size_t *n,
	    size_t most, const char *s);
/* The index of s in words (which ends with NULL), or die listing them. */
int	 peft_optword(const char *opt, const char *s,
	    const char *const *words);
/* What options must not be together: that they contradict each other, or one
 * would do nothing; of the first of n rules that is broken the program dies. */
struct peft_optrule {
	bool		 wrong;
	const char	*why;
};
void	 peft_optcheck(const struct peft_optrule *, size_t n);
/* "[NAME=]PATH": the name ends at the first = that no slash precedes, and is
 * else the last part of the path; it is the caller's. */
int	 peft_split_name(const char *spec, char **name, const char **path,
	    struct peft_err *) PEFT_MUSTCHECK;

#endif
