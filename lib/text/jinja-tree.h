/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_JINJA_TREE_H
#define PEFT_TEXT_JINJA_TREE_H

#include "text/jinja.h"

/* Tokens of a template, white space already controlled. */
enum jj_tok {
	JT_END, JT_TEXT, JT_BEGIN_EXPR, JT_END_EXPR, JT_BEGIN_STMT,
	JT_END_STMT, JT_NAME, JT_STRING, JT_INT, JT_FLOAT, JT_OP
};

struct jj_token {
	enum jj_tok	 kind;
	int		 line;
	const char	*s;	/* text, name, operator; decoded string */
	size_t		 n;
	int64_t		 i;
	double		 f;
};

/* template-lex.c.  src outlives the tokens; *out is to be freed. */
int	peft_jj_lex(struct jj_pool *, const char *src, size_t len,
	    struct jj_token **out, struct peft_err *) PEFT_MUSTCHECK;

/* template-spell.c: behind a backslash at *p, which stays on the last byte of
 * what was read; to s + *n, as Python reads it. */
bool	peft_jj_unescape(const char **p, const char *end, char *s, size_t *n);
/* A number at p: its kind and value in *t; its end, or NULL. */
const char *peft_jj_number(const char *p, const char *end, struct jj_token *t);
/* The end of the tag of one word at p, or NULL if it is none. */
const char *peft_jj_word_tag(const char *p, const char *end,
	    const char *word);

/* The tree: one struct for all nodes; what a, b, c, d and list mean is said
 * where they are parsed. */
enum jj_op {
	/* expressions */
	JN_CONST, JN_NAME, JN_LIST, JN_DICT, JN_ATTR, JN_INDEX, JN_SLICE,
	JN_CALL, JN_FILTER, JN_TEST, JN_NOT, JN_NEG, JN_POS, JN_AND, JN_OR,
	JN_IF_EXPR, JN_KWARG,
	JN_IN, JN_NOTIN, JN_EQ, JN_NE, JN_LT, JN_LE, JN_GT, JN_GE,
	JN_ADD, JN_SUB, JN_MUL, JN_DIV, JN_FLOORDIV, JN_MOD, JN_POW, JN_TILDE,
	JN_NEXPR,
	/* statements */
	JN_TEXT = JN_NEXPR, JN_OUTPUT, JN_IF, JN_FOR, JN_SET, JN_SET_BLOCK,
	JN_MACRO, JN_GENERATION, JN_BREAK, JN_CONTINUE, JN_BLOCK,
	JN_FILTER_BLOCK, JN_WITH, JN_CALL_BLOCK, JN_NAMED_BLOCK, JN_AUTOESCAPE,
	JN_NOP
};

struct jj_node {
	enum jj_op	 op;
	int		 line;
	const char	*name;
	size_t		 len;
	struct jj_value	 value;		/* tuple: of a JN_LIST */
	struct jj_node	*a, *b, *c, *d;
	struct jj_node	*list;			/* first of a list */
	struct jj_node	*next;			/* in a list */
};

/* The state of the parser, template-expr.c and template-parse.c. */
struct jj_parser {
	struct jj_pool		*pool;
	const struct jj_token	*t;
	struct peft_err		*err;
	int			 depth;
	int			 loops;		/* around break and continue */
	unsigned		 asked, own;	/* special names of macros */
	struct jj_node		*blocks;	/* the last; c: another */
	bool			 generates;	/* {% generation %} was seen */
};

enum { JJ_PARSE_DEPTH = 100 };

/* All return NULL (with *err set) for what is not right. */
struct jj_node *peft_jj_parse(struct jj_parser *);
struct jj_node *peft_jj_parse_body(struct jj_parser *, const char *word);
/* A tag's end; the rest of a tag and what follows it, up to a tag of `ends',
 * of which "{%" is consumed and the word is not; names that are set. */
bool	peft_jj_close_tag(struct jj_parser *);
struct jj_node *peft_jj_parse_until(struct jj_parser *,
	    const char *const *ends);
bool	peft_jj_parse_targets(struct jj_parser *, struct jj_node **first);
/* template-loop.c, template-macro.c */
struct jj_node *peft_jj_parse_for(struct jj_parser *);
struct jj_node *peft_jj_parse_macro(struct jj_parser *);
struct jj_node *peft_jj_parse_caller(struct jj_parser *);
int	peft_jj_exec_for(struct jj_render *, const struct jj_node *);
int	peft_jj_exec_macro(struct jj_render *, const struct jj_node *);
int	peft_jj_exec_caller(struct jj_render *, const struct jj_node *);
/* A name is used, or set: caller, varargs and kwargs are not there if the
 * macro does not use them. */
void	peft_jj_named(struct jj_parser *, const struct jj_node *, bool set);
/* template-scopes.c: statements that have a scope of their own, behind their
 * word; and their work. */
struct jj_node *peft_jj_parse_filter(struct jj_parser *);
struct jj_node *peft_jj_parse_with(struct jj_parser *);
struct jj_node *peft_jj_parse_block(struct jj_parser *);
struct jj_node *peft_jj_parse_escape(struct jj_parser *);
int	peft_jj_exec_filter(struct jj_render *, const struct jj_node *);
int	peft_jj_exec_with(struct jj_render *, const struct jj_node *);
int	peft_jj_exec_block(struct jj_render *, const struct jj_node *);
int	peft_jj_exec_escape(struct jj_render *, const struct jj_node *);
/* Values for names, from the one on the right of "=". */
int	peft_jj_assign(struct jj_render *, const struct jj_node *names,
	    const struct jj_value *);
/* What a chain of filters makes of a string. */
int	peft_jj_chain(struct jj_render *, const struct jj_node *,
	    struct jj_value *);
/* A body's output, as a string; names set in it end with it. */
int	peft_jj_capture(struct jj_render *, const struct jj_node *,
	    struct jj_value *out);
/* A call, with one more argument, or NULL, called caller. */
int	peft_jj_eval_call(struct jj_render *, const struct jj_node *,
	    const struct jj_value *caller, struct jj_value *out);
void	*peft_jj_wrong(struct jj_parser *, const char *what);
struct jj_node *peft_jj_node(struct jj_parser *, enum jj_op);
bool	peft_jj_is(const struct jj_token *, const char *);
bool	peft_jj_at_op(const struct jj_parser *, const char *);
bool	peft_jj_at_name(const struct jj_parser *, size_t ahead,
	    const char *word);
bool	peft_jj_take_name(struct jj_parser *, const char *);
bool	peft_jj_take_op(struct jj_parser *, const char *);
/* Expressions between commas without parentheses are a tuple; whole: with
 * "a if b else c". */
struct jj_node *peft_jj_parse_tuple(struct jj_parser *, bool whole);
struct jj_node *peft_jj_parse_expr(struct jj_parser *);
/* Filters, as of a variable called JJ_CAPTURED. */
#define JJ_CAPTURED	"{captured}"
struct jj_node *peft_jj_parse_chain(struct jj_parser *);
struct jj_node *peft_jj_parse_atom(struct jj_parser *);
struct jj_node *peft_jj_binary_node(struct jj_parser *, enum jj_op,
	    struct jj_node *a, struct jj_node *b);
/* Behind "(": arguments into a list, a call of a. */
bool	peft_jj_parse_args(struct jj_parser *, struct jj_node **first);
struct jj_node *peft_jj_parse_call(struct jj_parser *, struct jj_node *a);
/* template-output.c: a value, or what a JN_OUTPUT says, as text. */
int	peft_jj_emit(struct jj_render *, const struct jj_value *);
int	peft_jj_output(struct jj_render *, const struct jj_node *);
/* A plain name, as JN_NAME or with another op. */
struct jj_node *peft_jj_parse_name(struct jj_parser *, enum jj_op);

#endif
