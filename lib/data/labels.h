/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_LABELS_H
#define PEFT_DATA_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/map.h"

/*
 * Classes: what records are sorted into, instead of being continued.
 *
 * A record, or each of its words, may have a class: a name, or a number,
 * which is a name too unless it is a value that is to be met.
 */
enum peft_task {		/* PEFT's task types */
	PEFT_TASK_AUTO,		/* as the records have it */
	PEFT_TASK_CAUSAL_LM, PEFT_TASK_SEQ_CLS, PEFT_TASK_TOKEN_CLS,
	PEFT_NTASK
};
/* "auto", "causal-lm", ...: options' words, NULL ends; "SEQ_CLS", ... */
extern const char *const peft_task_words[], *const peft_task_types[];
static inline bool
peft_task_classes(enum peft_task t)
{
	return t >= PEFT_TASK_SEQ_CLS;
}

/* transformers' problem types. */
enum peft_problem {
	PEFT_PROBLEM_AUTO,	/* as the records have it */
	PEFT_PROBLEM_SINGLE,	/* one class holds: cross entropy */
	PEFT_PROBLEM_MULTI,	/* any number may: sigmoids */
	PEFT_PROBLEM_VALUE	/* regression: squared differences */
};
/* "auto", "single", ...; "single_label_classification", ... */
extern const char *const peft_problem_words[], *const peft_problem_types[];

enum peft_class_kind {
	PEFT_CLASS_NONE,
	PEFT_CLASS_ONE,		/* one name or number */
	PEFT_CLASS_MANY,	/* a list of names, which may be empty */
	PEFT_CLASS_EACH		/* one for each token, or NULL */
};

/* What a record says of its classes: strings, and how they were meant. */
struct peft_class {
	enum peft_class_kind kind;
	char	**name;		/* [n] */
	size_t	 n;
	bool	 number;	/* ONE: it is a number, */
	bool	 fraction;	/* .. and not a whole one */
};
void	peft_class_free(struct peft_class *);
/* "label" of what people write, or "class" of a token record: a string, a
 * number, true or false, or a list of strings and whole numbers. */
int	peft_class_read(const cJSON *, const char *key, struct peft_class *,
	    struct peft_err *) PEFT_MUSTCHECK;
/* "classes" of a token record of n tokens: strings, numbers and nulls. */
int	peft_class_read_each(const cJSON *, size_t n, struct peft_class *,
	    struct peft_err *) PEFT_MUSTCHECK;
/* The same as JSON, with its key. */
void	peft_class_put(struct peft_buf *, const struct peft_class *);
/* Of a record cut behind n tokens. */
void	peft_class_cut(struct peft_class *, size_t n);
/* How many tokens its loss looks at. */
size_t	peft_class_count(const struct peft_class *);
/* A label's name, of a string, a bool or a number; malloc'd. */
char	*peft_class_name(const cJSON *, struct peft_err *);

/*
 * The names of all classes, in the order of a head's outputs: numbers by
 * their value, then others by their bytes, so that the order does not depend
 * on that of the records.
 */
struct peft_labels {
	enum peft_task	 task;
	enum peft_problem problem;
	char		**name;		/* [n] */
	size_t		 n, cap;
	struct peft_map	 index;
};
void	peft_labels_free(struct peft_labels *);
/* The number of a name, or -1. */
int32_t	peft_labels_find(const struct peft_labels *, const char *name);
/* A list of names, as our adapters hold them; "id2label" of a config.json:
 * {"0": name, ...}.  n: how many there must be; 0: any number. */
int	peft_labels_read(struct peft_labels *, const cJSON *, size_t n,
	    struct peft_err *) PEFT_MUSTCHECK;
/* n names that nobody gave: LABEL_0, ..., as transformers has them. */
int	peft_labels_number(struct peft_labels *, size_t n, struct peft_err *)
	    PEFT_MUSTCHECK;
void	peft_labels_put(struct peft_buf *, const struct peft_labels *);
/* id2label, label2id and problem_type into a config. */
void	peft_labels_config(const struct peft_labels *, cJSON *config);

struct peft_record;

/* The task and problem of records: AUTO becomes what they are, CAUSAL_LM if
 * they have no classes.  An error names the first record that is of another
 * kind than the first, or than what is asked for. */
int	peft_labels_task(struct peft_labels *, const struct peft_record *,
	    size_t n, struct peft_err *) PEFT_MUSTCHECK;
/* Add the names that the records have. */
int	peft_labels_collect(struct peft_labels *, const struct peft_record *,
	    size_t n, struct peft_err *) PEFT_MUSTCHECK;
/*
 * From names to numbers.  Of each record labels[] become the numbers of the
 * classes at the tokens where the head is looked at (for a sequence the last
 * one that is not `pad', -1: none), PEFT_IGNORE elsewhere; where a class is
 * not the number of one output, values[] [labels->n] is what they should
 * be.  A name that is not among the labels is an error.
 */
int	peft_labels_apply(const struct peft_labels *, struct peft_record *,
	    size_t n, int32_t pad, struct peft_err *) PEFT_MUSTCHECK;
/* Where a sequence is looked at. */
size_t	peft_labels_place(const int32_t *ids, size_t n, int32_t pad);

#endif
