/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_JINJA_H
#define PEFT_TEXT_JINJA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"
#include "text/template.h"

/*
 * The template interpreter's inside: memory, values, what a rendering knows.
 *
 * Nothing is freed singly: a template's tree and a rendering's values each
 * live in a pool of their own, whose limit bounds what a template can take.
 * Time is bounded by steps: nodes visited, and for work on long values one
 * more for every 16 bytes or items (peft_jj_spend).
 */
struct jj_pool {
	struct jj_block	*blocks;
	size_t		 used, limit;	/* bytes */
	bool		 failed;
};

void	*peft_jj_alloc(struct jj_pool *, size_t);	/* zeroed, or NULL */
char	*peft_jj_copy(struct jj_pool *, const char *, size_t);
void	 peft_jj_pool_free(struct jj_pool *);

enum jj_kind {
	JJ_UNDEFINED, JJ_NONE, JJ_BOOL, JJ_INT, JJ_FLOAT, JJ_STR, JJ_LIST,
	JJ_DICT, JJ_NAMESPACE, JJ_LOOP, JJ_MACRO, JJ_METHOD, JJ_GLOBAL,
	JJ_CYCLER,
	JJ_NKIND
};

/* What filters and methods give instead of lists: it can be walked over, and
 * is no list otherwise; a generator only once (and items[n], an int, is 1 when
 * it was). */
enum { JJ_OWN, JJ_GENERATOR, JJ_KEYS, JJ_VALUES, JJ_ITEMS, JJ_RANGE };

/* Where a byte of a string comes from. */
enum { JJ_USER = 1,		/* the caller's data */
    JJ_GENERATED = 2 };		/* written inside {% generation %} */

struct jj_value {
	enum jj_kind	kind;
	bool		tuple;			/* of a list: its repr */
	bool		safe;			/* of a str: Markup, what is
						 * added to it is escaped */
	unsigned char	form;			/* of a list: what it is not */
	bool		watched;		/* jinja-watch.h */
	size_t		n;			/* str: bytes; list: items */
	union {
		bool		  b;
		int64_t		  i;
		double		  f;
		struct {
			const char		*s;	/* UTF-8 */
			const unsigned char	*mark;	/* [n], or NULL: 0 */
		};
		struct jj_value	 *items;	/* list: [n] */
		struct jj_dict	 *dict;		/* namespace, cycler: too */
		struct jj_loop	 *loop;
		struct {
			const struct jj_node	*macro;
			struct jj_scope		*scope;	/* it was made in */
		};
		struct {
			struct jj_value		*self;	/* of a method */
			const struct jj_builtin	*fn;	/* or a global */
		};
	};
};

struct jj_dict {
	struct jj_value	*keys, *values;
	size_t		 n, cap;
};

struct jj_loop {
	struct jj_value	seq;		/* the list that is walked */
	struct jj_value	seen;		/* what loop.changed() saw last */
	size_t		i;
	const struct jj_node *node;	/* NULL: it is not recursive */
	struct jj_scope	*scope;		/* around it */
	int		depth;		/* of recursion */
};

struct jj_scope {
	struct jj_dict	 vars;
	struct jj_scope	*up;
};

/* What is put together piece by piece: bytes, and their marks. */
struct jj_text {
	struct peft_buf	text, mark;
};

enum jj_flow { JF_NEXT, JF_BREAK, JF_CONTINUE };

struct jj_render {
	struct jj_pool		 pool;
	struct jj_scope		*scope;
	struct jj_text		*out;
	struct peft_err		*err;
	const double		*now;		/* of strftime_now, or NULL */
	size_t			 steps;
	bool			 escape;	/* autoescape */
	int			 depth, line;
	enum jj_flow		 flow;
	struct jj_watch		*watch;		/* or NULL */
};

enum { JJ_MAXOUT = 64 << 20, JJ_MAXARGS = 16 };

/* Record an error with the template's line; returns -1. */
int	peft_jj_fail(struct jj_render *, const char *, ...) PEFT_PRINTF(2, 3);
int	peft_jj_nomem(struct jj_render *);
/* Account for work on n bytes or items: 0, or -1 when it is too much. */
int	peft_jj_spend(struct jj_render *, size_t n);

/* template-value.c */
extern const struct jj_value peft_jj_undefined, peft_jj_none;
struct jj_value	peft_jj_str(const char *, size_t, const unsigned char *mark);
struct jj_value	peft_jj_cstr(const char *);
struct jj_value	peft_jj_bool(bool);
struct jj_value	peft_jj_int(int64_t);
struct jj_value	peft_jj_real(double);
/* A list of n undefined items (none without memory), a dict or namespace
 * (None without memory). */
struct jj_value	peft_jj_list(struct jj_pool *, size_t n);
struct jj_value	peft_jj_dict(struct jj_pool *, enum jj_kind);
/* A list becomes a generator of its items. */
int		peft_jj_generate(struct jj_render *, struct jj_value *);
int		peft_jj_of_json(struct jj_render *, const cJSON *,
		    struct jj_value *);
bool		peft_jj_truth(const struct jj_value *);
bool		peft_jj_is_number(const struct jj_value *, double *);
bool		peft_jj_is_whole(const struct jj_value *, int64_t *);
const char	*peft_jj_kind_name(const struct jj_value *);
const struct jj_value *peft_jj_dict_find(const struct jj_dict *,
		    const char *key, size_t len);
/* Keys of any kind. */
int		peft_jj_dict_get(struct jj_render *, const struct jj_dict *,
		    const struct jj_value *key, const struct jj_value **out);
int		peft_jj_dict_set(struct jj_render *, struct jj_dict *,
		    const struct jj_value *key, const struct jj_value *);

/* template-string.c: strings with the marks of their bytes */
struct jj_value	peft_jj_concat(struct jj_pool *, const struct jj_value *,
		    const struct jj_value *);
struct jj_value	peft_jj_sub(const struct jj_value *, size_t from, size_t to);
struct jj_value	peft_jj_repeat(struct jj_pool *, const struct jj_value *,
		    size_t times);
size_t		peft_jj_chars(const struct jj_value *);
/* The byte at which the k-th character begins. */
size_t		peft_jj_char_at(const struct jj_value *, size_t k);
/* The length of the white space that s begins with, as Python's str sees
 * it, or ends with. */
size_t		peft_jj_space(const char *s, size_t n);
size_t		peft_jj_space_end(const char *s, size_t n);
struct jj_value	peft_jj_strip(const struct jj_value *,
		    const struct jj_value *chars, bool left, bool right);
void		peft_jj_put(struct jj_text *, const char *, size_t, int mark);
void		peft_jj_put_str(struct jj_text *, const struct jj_value *);
/* As a value; frees the text. */
int		peft_jj_take(struct jj_render *, struct jj_text *,
		    struct jj_value *out);
void		peft_jj_text_free(struct jj_text *);

/* template-ops.c */
int	peft_jj_equal(struct jj_render *, const struct jj_value *,
	    const struct jj_value *, bool *);
/* *c <0, 0, >0; an error if they cannot be ordered. */
int	peft_jj_compare(struct jj_render *, const struct jj_value *,
	    const struct jj_value *, int *c);
int	peft_jj_contains(struct jj_render *, const struct jj_value *x,
	    const struct jj_value *in, bool *);
int	peft_jj_binary(struct jj_render *, int op, const struct jj_value *,
	    const struct jj_value *, struct jj_value *out);

/* template-markup.c: & < > " ' as HTML has them, unless it is Markup; the
 * sum of two strings. */
int	peft_jj_escape(struct jj_render *, const struct jj_value *,
	    struct jj_value *out);
int	peft_jj_add(struct jj_render *, const struct jj_value *,
	    const struct jj_value *, struct jj_value *out);

/* template-print.c: Python's str(), repr() and json.dumps() */
int	peft_jj_repr(struct jj_render *, const struct jj_value *,
	    struct jj_value *out);
int	peft_jj_tostr(struct jj_render *, const struct jj_value *,
	    struct jj_value *out);
struct jj_dumps {
	bool		 ascii, sort;
	const char	*indent;	/* NULL: all on one line */
	const char	*comma, *colon;
};
int	peft_jj_tojson(struct jj_render *, const struct jj_value *,
	    const struct jj_dumps *, struct jj_value *out);

/* template-access.c */
int	peft_jj_item(struct jj_render *, const struct jj_value *,
	    const struct jj_value *key, struct jj_value *out);
int	peft_jj_attr(struct jj_render *, const struct jj_value *,
	    const char *name, size_t len, struct jj_value *out);
int	peft_jj_slice(struct jj_render *, const struct jj_value *,
	    const struct jj_value bounds[3], struct jj_value *out);
/* What for walks over, as a list. */
int	peft_jj_items(struct jj_render *, const struct jj_value *,
	    struct jj_value *out);

/* template-call.c: arguments as they were written, and by parameter */
struct jj_args {
	struct jj_value		v[JJ_MAXARGS];
	const char		*name[JJ_MAXARGS];	/* or NULL */
	size_t			len[JJ_MAXARGS];	/* of the name */
	size_t			n;
	const struct jj_value	*at[JJ_MAXARGS];	/* or NULL */
};

typedef int jj_function(struct jj_render *, const struct jj_value *self,
    const struct jj_args *, struct jj_value *out);

/* A filter, a method, a global function: its parameters' names, the first
 * `need' of which must be given; "*": any, unnamed. */
struct jj_builtin {
	const char	*name;
	jj_function	*f;
	const char	*params;
	size_t		 need;
	enum jj_kind	 of;		/* methods: of what */
};
const struct jj_builtin *peft_jj_find(const struct jj_builtin *, size_t n,
		    const char *name, size_t len, enum jj_kind of);
int	peft_jj_call(struct jj_render *, const struct jj_builtin *,
	    const struct jj_value *self, struct jj_args *,
	    struct jj_value *out);
int	peft_jj_call_value(struct jj_render *, const struct jj_value *f,
	    struct jj_args *, struct jj_value *out);

/* template-filters.c (which asks -lists.c and -select.c), -tests.c,
 * -methods.c, -globals.c */
const struct jj_builtin *peft_jj_filter(const char *name, size_t len);
const struct jj_builtin *peft_jj_list_filter(const char *name, size_t len);
const struct jj_builtin *peft_jj_select_filter(const char *name, size_t len);
/* "a.b.0" of a value */
int	peft_jj_path(struct jj_render *, const struct jj_value *,
	    const struct jj_value *path, struct jj_value *out);
const struct jj_builtin *peft_jj_method(enum jj_kind, const char *name,
		    size_t len);
const struct jj_builtin *peft_jj_string_method(const char *name, size_t len);
/* template-numbers.c, template-shape.c, template-urls.c */
const struct jj_builtin *peft_jj_number_filter(const char *name, size_t len);
const struct jj_builtin *peft_jj_number_method(enum jj_kind, const char *name,
		    size_t len);
const struct jj_builtin *peft_jj_shape_filter(const char *name, size_t len);
jj_function	peft_jj_urlencode;
/* template-kinds.c, template-search.c; of words, as \w; letters of them */
bool	peft_jj_is_word(unsigned cp, bool letter);
const struct jj_builtin *peft_jj_kind_method(const char *name, size_t len);
const struct jj_builtin *peft_jj_search_method(const char *name, size_t len);
/* template-turns.c: cycler, joiner */
const struct jj_builtin *peft_jj_turns_global(const char *name, size_t len);
const struct jj_builtin *peft_jj_cycler_method(const char *name, size_t len);
int	peft_jj_cycler_get(struct jj_render *, const struct jj_value *,
	    const char *name, size_t len, struct jj_value *out);
/* template-words.c, template-groups.c */
const struct jj_builtin *peft_jj_word_method(const char *name, size_t len);
const struct jj_builtin *peft_jj_group_filter(const char *name, size_t len);
jj_function	peft_jj_center, peft_jj_loop_cycle, peft_jj_loop_changed;
const struct jj_builtin *peft_jj_global(const char *name, size_t len);
int	peft_jj_test(struct jj_render *, const char *name, size_t len,
	    const struct jj_value *, const struct jj_args *, bool *out);
/* loop.index and its like; undefined: there is no such name */
void	peft_jj_loop_get(struct jj_render *, const struct jj_loop *,
	    const char *name, size_t len, struct jj_value *out);
/* The first, or last, byte at which x begins in another string, or -1; how
 * often it is there (not empty). */
int64_t	peft_jj_search(const struct jj_value *in, const struct jj_value *x,
	    bool last);
size_t	peft_jj_count(const struct jj_value *in, const struct jj_value *x);
jj_function	peft_jj_split, peft_jj_rsplit, peft_jj_splitlines;
jj_function	peft_jj_replace, peft_jj_items_of, peft_jj_upper,
		peft_jj_lower, peft_jj_capitalize, peft_jj_title,
		peft_jj_headline, peft_jj_swapcase, peft_jj_casefold;

/* template-eval.c, template-exec.c, -loop.c, -macro.c */
struct jj_node;
int	peft_jj_eval(struct jj_render *, const struct jj_node *,
	    struct jj_value *out);
/* What was written into a text (s: 0, or -1 if that went wrong). */
int	peft_jj_taken(struct jj_render *, int s, struct jj_text *,
	    struct jj_value *out);
int	peft_jj_loop_call(struct jj_render *, const struct jj_value *loop,
	    const struct jj_args *, struct jj_value *out);
int	peft_jj_macro_get(struct jj_render *, const struct jj_node *,
	    const char *name, size_t len, struct jj_value *out);
int	peft_jj_exec(struct jj_render *, const struct jj_node *);
int	peft_jj_push(struct jj_render *);
int	peft_jj_set(struct jj_render *, const char *name, size_t len,
	    const struct jj_value *);
int	peft_jj_macro(struct jj_render *, const struct jj_value *macro,
	    const struct jj_args *, struct jj_value *out);

#endif
