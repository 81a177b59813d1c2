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
 * The template interpreter's inside: memory, values, syntax tree.
 *
 * Nothing is freed singly: a template's tree and a rendering's values each
 * live in a pool of their own.
 */
struct jj_pool {
	struct jj_block	*blocks;
	size_t		 used, limit;	/* bytes */
	bool		 failed;
};

void	*jj_alloc(struct jj_pool *, size_t);	/* zeroed; NULL: failed */
char	*jj_copy(struct jj_pool *, const char *, size_t);
void	 jj_pool_free(struct jj_pool *);

enum jj_kind {
	JJ_UNDEFINED, JJ_NONE, JJ_BOOL, JJ_INT, JJ_FLOAT, JJ_STR, JJ_LIST,
	JJ_DICT, JJ_MACRO, JJ_METHOD, JJ_GLOBAL
};

/* A string knows which of its bytes came from the caller's data: mark[i] is
 * 1 for those.  mark NULL: none did. */
struct jj_value {
	enum jj_kind	kind;
	bool		tuple;			/* of a list: repr */
	size_t		n;			/* str, list, dict */
	union {
		bool		  b;
		int64_t		  i;
		double		  f;
		struct {
			const char		*s;
			const unsigned char	*mark;
		};
		struct jj_value	 *items;	/* list: [n] */
		struct jj_dict	 *dict;		/* shared, may change */
		struct jj_node	 *macro;
		struct {
			struct jj_value	*self;
			int		 method;
		};
		int		  global;
	};
};

struct jj_dict {
	struct jj_value	*keys, *values;
	size_t		 n, cap;
};

/* The tree: one struct for all kinds of node; what a, b, c and list mean is
 * said where they are parsed. */
enum jj_op {
	/* expressions */
	JN_CONST, JN_NAME, JN_LIST, JN_TUPLE, JN_DICT, JN_ATTR, JN_INDEX,
	JN_SLICE, JN_CALL, JN_FILTER, JN_TEST, JN_NOT, JN_NEG, JN_POS, JN_AND,
	JN_OR, JN_IN, JN_NOTIN, JN_EQ, JN_NE, JN_LT, JN_LE, JN_GT, JN_GE,
	JN_ADD, JN_SUB, JN_MUL, JN_DIV, JN_FLOORDIV, JN_MOD, JN_POW, JN_TILDE,
	JN_IF_EXPR, JN_KWARG,
	/* statements */
	JN_TEXT, JN_OUTPUT, JN_IF, JN_FOR, JN_SET, JN_SET_BLOCK, JN_MACRO,
	JN_GENERATION, JN_BREAK, JN_CONTINUE, JN_BLOCK
};

struct jj_node {
	enum jj_op	 op;
	int		 line;
	const char	*name;
	size_t		 len;
	struct jj_value	 value;
	struct jj_node	*a, *b, *c, *d;
	struct jj_node	*list;			/* first of a list */
	struct jj_node	*next;			/* in a list */
};

/* Tokens of the template's code. */
enum jj_tok {
	JT_END, JT_TEXT, JT_BEGIN_EXPR, JT_END_EXPR, JT_BEGIN_STMT,
	JT_END_STMT, JT_NAME, JT_STRING, JT_INT, JT_FLOAT, JT_OP
};

struct jj_token {
	enum jj_tok	 kind;
	int		 line;
	const char	*s;		/* text, name, operator; decoded string */
	size_t		 n;
	int64_t		 i;
	double		 f;
};

/* template-lex.c: all tokens of a source, white space controlled. */
int	jj_lex(struct jj_pool *, const char *src, size_t len,
	    struct jj_token **out, size_t *n, struct peft_err *)
	    PEFT_MUSTCHECK;
/* template-parse.c */
struct jj_node *jj_parse(struct jj_pool *, const struct jj_token *,
	    struct peft_err *);

/* A rendering. */
enum jj_flow { JF_NEXT, JF_BREAK, JF_CONTINUE };

struct jj_scope {
	struct jj_dict	 vars;
	struct jj_scope	*up;
};

struct jj_render {
	struct jj_pool		 pool;
	struct jj_scope		*scope;
	struct peft_buf		*out;
	struct peft_buf		*mark;		/* bytes 0 and 1, like out */
	struct peft_spans	*spans;
	struct peft_err		*err;
	size_t			 steps;
	int			 depth, line;
	enum jj_flow		 flow;
	bool			 spans_off;
};

/* template-value.c */
struct jj_value	jj_str(const char *, size_t, const unsigned char *mark);
struct jj_value	jj_cstr(const char *);
struct jj_value	jj_bool(bool);
struct jj_value	jj_int(int64_t);
struct jj_value	jj_of_json(struct jj_pool *, const cJSON *);
bool		jj_truth(const struct jj_value *);
bool		jj_equal(const struct jj_value *, const struct jj_value *);
/* <0, 0, >0; *ok false if they cannot be ordered. */
int		jj_compare(const struct jj_value *, const struct jj_value *,
		    bool *ok);
const struct jj_value *jj_dict_get(const struct jj_dict *, const char *,
		    size_t);
void		jj_dict_set(struct jj_pool *, struct jj_dict *,
		    struct jj_value key, struct jj_value value);
struct jj_value	jj_list(struct jj_pool *, size_t n);
struct jj_value	jj_concat(struct jj_pool *, const struct jj_value *,
		    const struct jj_value *);
struct jj_value	jj_sub(const struct jj_value *, size_t from, size_t to);
const char	*jj_kind_name(const struct jj_value *);

/* template-print.c: Python's str(), repr(), json.dumps(ensure_ascii=False). */
void		jj_print(struct peft_buf *, const struct jj_value *, bool repr);
void		jj_tojson(struct peft_buf *, const struct jj_value *, int indent,
		    int depth);
/* str(v) as a value; strings are themselves. */
struct jj_value	jj_tostr(struct jj_render *, const struct jj_value *);

/* template-eval.c */
int	jj_eval(struct jj_render *, const struct jj_node *, struct jj_value *);
int	jj_exec(struct jj_render *, const struct jj_node *);
int	jj_fail(struct jj_render *, const char *, ...) PEFT_PRINTF(2, 3);
int	jj_call_macro(struct jj_render *, const struct jj_node *macro,
	    const struct jj_node *args, struct jj_value *out);

/* template-filters.c, -tests.c, -methods.c: args are evaluated already. */
struct jj_args {
	struct jj_value	v[8];
	const char	*name[8];	/* of keyword arguments, or NULL */
	size_t		 n;
};
const struct jj_value *jj_arg(const struct jj_args *, size_t pos,
	    const char *name);
int	jj_filter(struct jj_render *, const char *name, size_t len,
	    const struct jj_value *in, const struct jj_args *,
	    struct jj_value *out);
int	jj_test(struct jj_render *, const char *name, size_t len,
	    const struct jj_value *in, const struct jj_args *, bool *out);
int	jj_find_method(const struct jj_value *self, const char *name, size_t);
int	jj_method(struct jj_render *, int method, const struct jj_value *self,
	    const struct jj_args *, struct jj_value *out);
int	jj_find_global(const char *name, size_t len);
int	jj_global(struct jj_render *, int global, const struct jj_args *,
	    struct jj_value *out);

#endif
