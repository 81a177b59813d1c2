/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Multitask prompt tuning (Wang et al. 2023), of one task: the prompt is P o
 * (cols rows), P [n, d] shared between tasks, cols [1, n, r] and rows
 * [1, r, d] the task's.
 */

#include <string.h>

#include "math/vec.h"
#include "peft/row.h"
#include "peft/virtual.h"

enum { COLS = 1, ROWS };

struct multitask {
	int64_t	tasks, ranks;
};

static const char *const keys[][2] = {
	{ "num_virtual_tokens", "null" }, { "token_dim", "null" },
	{ "num_transformer_submodules", "null" },
	{ "num_attention_heads", "null" }, { "num_layers", "null" },
	{ "prompt_tuning_init", "\"RANDOM\"" },
	{ "prompt_tuning_init_text", "null" },
	{ "tokenizer_name_or_path", "null" }, { "tokenizer_kwargs", "null" },
	{ "prompt_tuning_init_state_dict_path", "null" },
	{ "prompt_tuning_init_task", "0" }, { "num_ranks", "1" },
	{ "num_tasks", "1" }, { NULL, NULL }
};

static int
parse(const cJSON *config, void **settings, struct peft_err *err)
{
	struct multitask *t = peft_calloc(1, sizeof(*t), err);
	const char *start = "RANDOM";

	if ((*settings = t) == NULL)
		return -1;
	*t = (struct multitask){ 1, 1 };
	if (peft_json_int(config, "num_tasks", 1, 1 << 20, &t->tasks,
	    err) == -1 || peft_json_int(config, "num_ranks", 1, 1 << 20,
	    &t->ranks, err) == -1 ||
	    peft_json_str(config, "prompt_tuning_init", &start, err) == -1 ||
	    peft_config_off(config, "modules_to_save", err) == -1)
		return -1;
	if (t->tasks != 1)
		return peft_seterr(err, "num_tasks is %d: records do not say "
		    "which task is theirs; take one out with PEFT",
		    (int)t->tasks);
	return 0;
}

static int
common(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct multitask *t = settings;

	if (peft_virtual_common(m, false, out, err) == -1)
		return -1;
	out[COLS] = peft_shape3("prefix_task_cols", 1,
	    m->own[PEFT_VIRTUAL_N], (size_t)t->ranks);
	out[ROWS] = peft_shape3("prefix_task_rows", 1, (size_t)t->ranks,
	    m->own[PEFT_VIRTUAL_WIDTH]);
	out[COLS].place = out[ROWS].place = PEFT_AT_NONE;
	return 0;
}

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	(void)settings;
	(void)m;
	peft_init_normal(rng, value, n, part == PEFT_PROMPT ? 1 : 0.02);
}

/* Behind nothing: what stands before the sequence, its gradient, and that of
 * the task's part. */
static int
prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	(void)base;
	return peft_virtual_prepare(m, 3 * m->param[PEFT_PROMPT]->n, err);
}

static void
task_part(const struct peft_module *m, float *y)
{
	size_t n = m->own[PEFT_VIRTUAL_N], d = m->own[PEFT_VIRTUAL_WIDTH];
	size_t r = m->param[COLS]->shape[2], i, k;

	memset(y, 0, n * d * sizeof(*y));
	for (i = 0; i < n; i++)
		for (k = 0; k < r; k++)
			peft_vec_best()->axpy(y + i * d,
			    m->param[COLS]->value[i * r + k],
			    m->param[ROWS]->value + k * d, d);
}

static void
begin(void *self, struct peft_cpu *cpu, float *product)
{
	struct peft_module *m = self;
	float *y = peft_virtual_extra(m);
	size_t n = m->param[PEFT_PROMPT]->n, i;

	(void)cpu;
	(void)product;
	if (!peft_module_stale(m))
		return;
	task_part(m, y);
	for (i = 0; i < n; i++)
		y[i] *= m->param[PEFT_PROMPT]->value[i];
	memset(y + n, 0, n * sizeof(*y));
}

static void
end(void *self, struct peft_cpu *cpu)
{
	const struct peft_module *m = self;
	const struct peft_vec *v = peft_vec_best();
	size_t N = m->param[PEFT_PROMPT]->n, d = m->own[PEFT_VIRTUAL_WIDTH];
	size_t r = m->param[COLS]->shape[2], i, k;
	float *g = peft_virtual_extra(m) + N, *task = g + N;

	(void)cpu;
	if (!m->train)
		return;
	task_part(m, task);
	for (i = 0; i < N; i++) {
		m->param[PEFT_PROMPT]->grad[i] += g[i] * task[i];
		g[i] *= m->param[PEFT_PROMPT]->value[i];
	}
	for (i = 0; i < N / d; i++)
		for (k = 0; k < r; k++) {
			m->param[COLS]->grad[i * r + k] += v->dot(g + i * d,
			    m->param[ROWS]->value + k * d, d);
			v->axpy(m->param[ROWS]->grad + k * d,
			    m->param[COLS]->value[i * r + k], g + i * d, d);
		}
}

static const struct peft_hook_ops ops = {
	.memory = peft_virtual_memory, .begin = begin, .end = end,
};

static int
attach(struct peft_module *m, struct peft_sites *sites, int index,
    struct peft_err *err)
{
	float *y = peft_virtual_extra(m);

	if (peft_virtual_attach(m, sites, index, false, &ops, err) == -1)
		return -1;
	m->adapter->virtuals.embed = y;
	m->adapter->virtuals.dembed = m->train ? y +
	    m->param[PEFT_PROMPT]->n : NULL;
	return 0;
}

const struct peft_method peft_multitask = {
	.type = "MULTITASK_PROMPT_TUNING", .name = "multitask-prompt-tuning",
	.keys = keys, .parse = parse, .common = common, .init = init,
	.prepare = prepare, .attach = attach,
};
