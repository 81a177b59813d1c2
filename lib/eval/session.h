/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_EVAL_SESSION_H
#define PEFT_EVAL_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "data/encode.h"
#include "model/net.h"
#include "peft/adapter.h"
#include "peft/head.h"

/*
 * A model with any number of named adapters over it, ready to answer: what
 * peft-eval and peft-generate work with.  The base is loaded once and never
 * changed; a sequence chooses its adapter by number (-1: the base alone).
 */
struct peft_named {
	char			*name;
	struct peft_source	*source;
	struct peft_adapter	*adapter;
	struct peft_labels	 labels;	/* of its head's classes */
};

struct peft_session {
	struct peft_cpu		*cpu;
	struct peft_source	*source;
	struct peft_net		*net;
	struct peft_codec	 codec;	/* tok NULL: the model has none */
	struct peft_named	*adapters;
	size_t			 nadapters;
	struct peft_labels	 labels;	/* the model's own */
	bool			 apart;	/* what records begin with alike is
					 * computed for each of them */
};

struct peft_sessionopt {
	const char	*model;
	const char *const *adapters;	/* "[NAME=]PATH"; the name defaults to
					 * the path's last part */
	size_t		 nadapters;
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
/* The number of the adapter of that name; -1 and *err if there is none. */
/* The classes of its head (those of the model's own: -1); task CAUSAL_LM: it
 * has none. */
const struct peft_labels *peft_session_labels(const struct peft_session *,
	    int adapter);
int	peft_session_find(const struct peft_session *, const char *name,
	    struct peft_err *) PEFT_MUSTCHECK;

#endif
