/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_EVAL_SESSION_H
#define PEFT_EVAL_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/err.h"
#include "base/hash.h"
#include "data/encode.h"
#include "model/net.h"
#include "peft/adapter.h"
#include "peft/head.h"

/*
 * A model with any number of named adapters over it, ready to answer: what
 * peft-eval and peft-generate work with.  The base is loaded once and never
 * changed; a sequence chooses its adapter by number (-1: the base alone).
 *
 * What has a name may be several adapters together: hooks act one after the
 * other, each times its weight.  The parts of a combination are copies of its
 * own (of the adapters, never of the base).
 */
struct peft_part {
	char			*path;
	float			 weight;
	struct peft_source	*source;
	struct peft_adapter	*adapter;
	struct peft_labels	 labels;	/* of its head's classes */
	struct timespec		 changed;	/* the path's newest file */
};

struct peft_named {
	char			*name;		/* NULL: this number is free */
	struct peft_part	*parts;
	size_t			 nparts;
	char			*spec;		/* of a combination: its names
						 * and weights; else NULL */
	bool			 watched;	/* lies in the folder */
};

struct peft_session {
	struct peft_cpu		*cpu;
	struct peft_source	*source;
	struct peft_net		*net;
	struct peft_codec	 codec;	/* tok NULL: the model has none */
	struct peft_named	*adapters;
	size_t			 nadapters, cap;
	struct peft_labels	 labels;	/* of the model's own head */
	const char		*folder;	/* of adapters, or NULL */
	int			 threads;
	bool			 any_base, classes;	/* as asked for */
	char			 base[7 + PEFT_SHA256_HEX];	/* its hash,
							 * once asked for */
	bool			 apart;	/* what records begin with alike is
					 * computed for each of them */
};

struct peft_sessionopt {
	const char	*model;
	const char *const *adapters;	/* "[NAME=]PATH"; the name defaults to
					 * the path's last part */
	size_t		 nadapters;
	const char *const *combined;	/* "NAME=A[:WEIGHT],B[:WEIGHT]..." */
	size_t		 ncombined;
	const char	*folder;	/* each thing in it is an adapter */
	int		 threads;
	enum peft_compute compute;
	bool		 any_base;	/* take adapters of another base */
	bool		 classes;	/* heads for classes are welcome */
};

/* Two adapters of one name, an adapter whose peft.base is another base's
 * hash (PEFT_CHECK), one that does not fit, heads for classes that are not
 * welcome or not alike: errors that name it. */
int	peft_session_open(struct peft_session *,
	    const struct peft_sessionopt *, struct peft_err *) PEFT_MUSTCHECK;
void	peft_session_close(struct peft_session *);
/* Say on standard error which adapters are in another tool's layout. */
void	peft_session_tell(const struct peft_session *);
/* The classes of its head (those of the model's own: -1); task CAUSAL_LM: it
 * has none. */
const struct peft_labels *peft_session_labels(const struct peft_session *,
	    int adapter);
/* The number of the adapter of that name; -1 and *err if there is none. */
int	peft_session_find(const struct peft_session *, const char *name,
	    struct peft_err *) PEFT_MUSTCHECK;

/* The number of the combination of that spec ("A:0.5,B"); -1: there is none
 * yet.  Made under a name (NULL: the spec): -1 and *err.  The caller makes
 * sure that nothing is in work: hooks come and go. */
int	peft_session_combination(const struct peft_session *,
	    const char *spec);
int	peft_session_combine(struct peft_session *, const char *name,
	    const char *spec, struct peft_err *) PEFT_MUSTCHECK;

/* Look at the folder again: what is new or changed is loaded, what is gone
 * goes; of what does not load, `tell' hears, and the one before stays.
 * Likewise for combinations of what changed.  Returns how many changed. */
size_t	peft_session_reload(struct peft_session *,
	    void (*tell)(void *ctx, const char *name, const char *what),
	    void *ctx);

/* What the files of this have in common: folder.c loads from the folder
 * under number i (SIZE_MAX: a free one); parts.c makes and drops. */
int	peft_session_add(struct peft_session *, const char *name,
	    const struct peft_part *parts, size_t nparts, const char *spec,
	    struct peft_err *) PEFT_MUSTCHECK;
void	peft_session_drop(struct peft_session *, size_t i);
int	peft_session_welcomes(const struct peft_session *, enum peft_task,
	    const char *adapter, struct peft_err *) PEFT_MUSTCHECK;

#endif
