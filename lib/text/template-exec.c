/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: statements; and the calls of template.h. */

#include <stdlib.h>
#include <string.h>

#include "text/jinja.h"

enum { MAXOUT = 64 << 20 };
static const size_t max_memory = (size_t)512 << 20;

struct peft_template {
	struct jj_pool	 pool;
	char		*src;
	struct jj_node	*root;
	bool		 generates;
};

static int
emit(struct jj_render *r, const struct jj_value *v)
{
	struct jj_value s = jj_tostr(r, v);
	size_t i;

	if (r->out->len + s.n > MAXOUT)
		return jj_fail(r, "more output than a template may make");
	peft_buf_put(r->out, s.s, s.n);
	for (i = 0; i < s.n; i++)
		peft_buf_putc(r->mark, s.mark != NULL && s.mark[i]);
	return r->out->failed || r->mark->failed ? jj_fail(r, "no memory") : 0;
}

static int
push_scope(struct jj_render *r)
{
	struct jj_scope *s = jj_alloc(&r->pool, sizeof(*s));

	if (s == NULL)
		return jj_fail(r, "no memory");
	s->up = r->scope;
	r->scope = s;
	return 0;
}

static void
set_var(struct jj_render *r, const char *name, size_t len, struct jj_value v)
{
	jj_dict_set(&r->pool, &r->scope->vars, jj_str(name, len, NULL), v);
}

/* A name, or an attribute of a namespace. */
static int
assign(struct jj_render *r, const struct jj_node *target, struct jj_value v)
{
	struct jj_value ns;

	if (target->op == JN_NAME) {
		set_var(r, target->name, target->len, v);
		return 0;
	}
	if (jj_eval(r, target->a, &ns) == -1)
		return -1;
	if (ns.kind != JJ_DICT)
		return jj_fail(r, "cannot set an attribute of %s",
		    jj_kind_name(&ns));
	jj_dict_set(&r->pool, ns.dict, jj_str(target->name, target->len,
	    NULL), v);
	return 0;
}

static int
assign_all(struct jj_render *r, const struct jj_node *targets,
    struct jj_value v)
{
	const struct jj_node *t;
	size_t i = 0, n = 0;

	if (targets->next == NULL)
		return assign(r, targets, v);
	for (t = targets; t != NULL; t = t->next)
		n++;
	if (v.kind != JJ_LIST || v.n != n)
		return jj_fail(r, "%zu names for %s of %zu", n,
		    jj_kind_name(&v), v.n);
	for (t = targets; t != NULL; t = t->next)
		if (assign(r, t, v.items[i++]) == -1)
			return -1;
	return 0;
}

/* Run a body with its output caught, as a string. */
static int
capture(struct jj_render *r, const struct jj_node *body, struct jj_value *out)
{
	struct peft_buf text = { 0 }, mark = { 0 }, *o = r->out, *m = r->mark;
	bool off = r->spans_off;
	int s;

	r->out = &text;
	r->mark = &mark;
	r->spans_off = true;
	s = jj_exec(r, body);
	r->out = o;
	r->mark = m;
	r->spans_off = off;
	if (s == 0) {
		const char *c = jj_copy(&r->pool, text.data, text.len);
		const char *k = jj_copy(&r->pool, mark.data, mark.len);

		*out = c == NULL || k == NULL ? jj_cstr("") : jj_str(c,
		    text.len, (const unsigned char *)k);
	}
	peft_buf_free(&text);
	peft_buf_free(&mark);
	return s;
}

/* What for walks over: a list; a dict's keys; a string's characters. */
static int
items_of(struct jj_render *r, struct jj_value *v)
{
	struct jj_value list;
	size_t i, n = 0;

	if (v->kind == JJ_LIST)
		return 0;
	if (v->kind == JJ_UNDEFINED) {
		*v = jj_list(&r->pool, 0);
		return 0;
	}
	if (v->kind == JJ_DICT) {
		list = jj_list(&r->pool, v->dict->n);
		for (i = 0; i < list.n; i++)
			list.items[i] = v->dict->keys[i];
		*v = list;
		return 0;
	}
	if (v->kind != JJ_STR)
		return jj_fail(r, "%s cannot be walked over",
		    jj_kind_name(v));
	list = jj_list(&r->pool, v->n);
	for (i = 0; i < v->n && n < list.n; ) {
		size_t len = peft_utf8_len(v->s + i, v->n - i);

		len = len == 0 ? 1 : len;
		list.items[n++] = jj_sub(v, i, i + len);
		i += len;
	}
	list.n = n;
	*v = list;
	return 0;
}

/* Items that pass "if", which may use the loop's names. */
static int
filter_items(struct jj_render *r, const struct jj_node *n,
    struct jj_value *v)
{
	struct jj_value kept = jj_list(&r->pool, v->n), c;
	size_t i, k = 0;

	for (i = 0; i < v->n && i < kept.n; i++) {
		if (assign_all(r, n->list, v->items[i]) == -1 ||
		    jj_eval(r, n->b, &c) == -1)
			return -1;
		if (jj_truth(&c))
			kept.items[k++] = v->items[i];
	}
	kept.n = k;
	*v = kept;
	return 0;
}

static void
set_loop(struct jj_render *r, struct jj_dict *loop, const struct jj_value *v,
    size_t i)
{
	struct jj_value none = { .kind = JJ_UNDEFINED };
	const struct {
		const char	*name;
		struct jj_value	 v;
	} vars[] = {
		{ "index", jj_int((int64_t)i + 1) },
		{ "index0", jj_int((int64_t)i) },
		{ "revindex", jj_int((int64_t)(v->n - i)) },
		{ "revindex0", jj_int((int64_t)(v->n - i - 1)) },
		{ "first", jj_bool(i == 0) },
		{ "last", jj_bool(i + 1 == v->n) },
		{ "length", jj_int((int64_t)v->n) },
		{ "previtem", i > 0 ? v->items[i - 1] : none },
		{ "nextitem", i + 1 < v->n ? v->items[i + 1] : none },
	};
	size_t k;

	for (k = 0; k < sizeof(vars) / sizeof(vars[0]); k++)
		jj_dict_set(&r->pool, loop, jj_cstr(vars[k].name), vars[k].v);
}

static int
run_loop(struct jj_render *r, const struct jj_node *n, struct jj_value *v)
{
	struct jj_scope *outer = r->scope;
	struct jj_value loop = { .kind = JJ_DICT };
	size_t i;

	loop.dict = jj_alloc(&r->pool, sizeof(*loop.dict));
	if (loop.dict == NULL)
		return jj_fail(r, "no memory");
	for (i = 0; i < v->n; i++) {
		r->scope = outer;	/* names set in a turn end with it */
		if (push_scope(r) == -1)
			return -1;
		set_loop(r, loop.dict, v, i);
		set_var(r, "loop", 4, loop);
		if (assign_all(r, n->list, v->items[i]) == -1 ||
		    jj_exec(r, n->c) == -1)
			return -1;
		if (r->flow == JF_BREAK)
			break;
		r->flow = JF_NEXT;
	}
	r->flow = JF_NEXT;
	r->scope = outer;
	return 0;
}

static int
exec_for(struct jj_render *r, const struct jj_node *n)
{
	struct jj_scope *outer = r->scope;
	struct jj_value v;
	int s = 0;

	if (jj_eval(r, n->a, &v) == -1 || items_of(r, &v) == -1 ||
	    push_scope(r) == -1)
		return -1;
	if (n->b != NULL)
		s = filter_items(r, n, &v);
	r->scope = outer;
	if (s == -1)
		return -1;
	if (v.n == 0)
		return n->d == NULL ? 0 : jj_exec(r, n->d);
	return run_loop(r, n, &v);
}

static int
exec_if(struct jj_render *r, const struct jj_node *n)
{
	struct jj_value c;

	if (jj_eval(r, n->a, &c) == -1)
		return -1;
	if (jj_truth(&c))
		return jj_exec(r, n->b);
	return n->c == NULL ? 0 : jj_exec(r, n->c);
}

static int
exec_set(struct jj_render *r, const struct jj_node *n)
{
	struct jj_value v;

	if ((n->op == JN_SET ? jj_eval(r, n->a, &v) :
	    capture(r, n->b, &v)) == -1)
		return -1;
	return assign_all(r, n->list, v);
}

static int
exec_generation(struct jj_render *r, const struct jj_node *n)
{
	struct peft_spans *s = r->spans;
	size_t begin = r->out->len;
	struct peft_span *grown;

	if (jj_exec(r, n->b) == -1)
		return -1;
	if (s == NULL || r->spans_off)
		return 0;
	grown = peft_grow(s->at, s->n, &s->cap, sizeof(*grown), r->err);
	if (grown == NULL)
		return -1;
	s->at = grown;
	s->at[s->n++] = (struct peft_span){ begin, r->out->len };
	return 0;
}

/* Parameters by place, by name, by default. */
static int
bind(struct jj_render *r, const struct jj_node *macro,
    const struct jj_args *args)
{
	const struct jj_node *p;
	struct jj_value v;
	size_t i = 0;

	for (p = macro->list; p != NULL; p = p->next, i++) {
		char *name = jj_copy(&r->pool, p->name, p->len);
		const struct jj_value *given;

		if (name == NULL)
			return jj_fail(r, "no memory");
		given = jj_arg(args, i, name);
		v = (struct jj_value){ .kind = JJ_UNDEFINED };
		if (given != NULL)
			v = *given;
		else if (p->op == JN_KWARG && jj_eval(r, p->a, &v) == -1)
			return -1;
		set_var(r, name, p->len, v);
	}
	return 0;
}

int
jj_call_macro(struct jj_render *r, const struct jj_node *macro,
    const struct jj_node *list, struct jj_value *out)
{
	struct jj_scope *outer = r->scope, *top;
	struct jj_args args = { .n = 0 };
	const struct jj_node *e;
	int s;

	for (e = list; e != NULL; e = e->next) {
		if (args.n == 8)
			return jj_fail(r, "more than 8 arguments");
		if (jj_eval(r, e->op == JN_KWARG ? e->a : e,
		    &args.v[args.n]) == -1)
			return -1;
		if (e->op == JN_KWARG)
			args.name[args.n] = jj_copy(&r->pool, e->name, e->len);
		args.n++;
	}
	/* a macro sees the template's names, not its caller's */
	for (top = r->scope; top->up != NULL; top = top->up)
		;
	r->scope = top;
	s = push_scope(r) == -1 || bind(r, macro, &args) == -1 ? -1 :
	    capture(r, macro->b, out);
	r->scope = outer;
	r->flow = JF_NEXT;
	return s;
}

static int
exec(struct jj_render *r, const struct jj_node *n)
{
	const struct jj_node *e;
	struct jj_value v;

	switch (n->op) {
	case JN_BLOCK:
		for (e = n->list; e != NULL && r->flow == JF_NEXT; e = e->next)
			if (jj_exec(r, e) == -1)
				return -1;
		return 0;
	case JN_TEXT:
		return emit(r, &n->value);
	case JN_OUTPUT:
		return jj_eval(r, n->a, &v) == -1 ? -1 : emit(r, &v);
	case JN_IF:
		return exec_if(r, n);
	case JN_FOR:
		return exec_for(r, n);
	case JN_SET:
	case JN_SET_BLOCK:
		return exec_set(r, n);
	case JN_MACRO:
		v = (struct jj_value){ .kind = JJ_MACRO };
		v.macro = (struct jj_node *)(uintptr_t)n;
		set_var(r, n->name, n->len, v);
		return 0;
	case JN_GENERATION:
		return exec_generation(r, n);
	default:
		r->flow = n->op == JN_BREAK ? JF_BREAK : JF_CONTINUE;
		return 0;
	}
}

int
jj_exec(struct jj_render *r, const struct jj_node *n)
{
	int s;

	r->line = n->line;
	if (++r->depth > 150)
		return jj_fail(r, "nested too deep");
	s = exec(r, n);
	r->depth--;
	return s;
}

void
peft_spans_free(struct peft_spans *s)
{
	free(s->at);
	*s = (struct peft_spans){ 0 };
}

struct peft_template *
peft_template_open(const char *src, size_t len, struct peft_err *err)
{
	struct peft_template *t = peft_calloc(1, sizeof(*t), err);
	struct jj_token *tokens = NULL;
	size_t n, i, k;

	if (t == NULL)
		return NULL;
	t->pool.limit = max_memory;
	for (i = 0; i < len; i += k)
		if ((k = peft_utf8_len(src + i, len - i)) == 0 ||
		    src[i] == '\0') {
			peft_seterr(err, "chat template: not UTF-8");
			goto fail;
		}
	if ((t->src = peft_calloc(len + 1, 1, err)) == NULL)
		goto fail;
	memcpy(t->src, src, len);
	t->generates = strstr(t->src, "endgeneration") != NULL;
	if (jj_lex(&t->pool, t->src, len, &tokens, &n, err) == -1 ||
	    (t->root = jj_parse(&t->pool, tokens, err)) == NULL)
		goto fail;
	free(tokens);
	return t;
fail:
	free(tokens);
	peft_template_close(t);
	return NULL;
}

void
peft_template_close(struct peft_template *t)
{
	if (t == NULL)
		return;
	jj_pool_free(&t->pool);
	free(t->src);
	free(t);
}

bool
peft_template_generates(const struct peft_template *t)
{
	return t->generates;
}

/* bos_token and its like are the tokenizer's words, not the caller's. */
static bool
is_token(const cJSON *j)
{
	size_t n = strlen(j->string);

	return cJSON_IsString(j) && n > 6 &&
	    strcmp(j->string + n - 6, "_token") == 0;
}

int
peft_template_render(const struct peft_template *t, const cJSON *vars,
    struct peft_buf *out, struct peft_buf *mark, struct peft_spans *gen,
    struct peft_err *err)
{
	struct peft_buf own = { 0 };
	struct jj_render r = { .pool = { .limit = max_memory }, .out = out,
	    .mark = mark != NULL ? mark : &own, .spans = gen, .err = err };
	const cJSON *e;
	int s = push_scope(&r);

	if (s == 0)
		cJSON_ArrayForEach(e, vars)
			set_var(&r, e->string, strlen(e->string),
			    is_token(e) ? jj_cstr(e->valuestring) :
			    jj_of_json(&r.pool, e));
	if (s == 0)
		s = jj_exec(&r, t->root);
	if (s == 0 && r.pool.failed)
		s = jj_fail(&r, "more memory than a template may have");
	jj_pool_free(&r.pool);
	peft_buf_free(&own);
	return s;
}
