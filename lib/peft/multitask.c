/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Multitask prompt tuning (Wang et al. 2023): a task's prompt is P o (cols
 * rows), P [n, d] shared between tasks, cols [tasks, n, r] and rows
 * [tasks, r, d] their own.
 */

#include <string.h>

#include "math/vec.h"
#include "peft/multitask.h"
#include "peft/row.h"

enum { COLS = PEFT_TASK_COLS, ROWS = PEFT_TASK_ROWS };

/* prompt_tuning_init, in the order of the enum. */
static const char *const starts[] = {
	[PEFT_PROMPT_RANDOM] = "RANDOM", [PEFT_PROMPT_TEXT] = "TEXT",
	[PEFT_PROMPT_VOCAB] = "SAMPLE_VOCAB",
	[PEFT_TASK_AVERAGE] = "AVERAGE_SOURCE_TASKS",
	[PEFT_TASK_EXACT] = "EXACT_SOURCE_TASK",
	[PEFT_TASK_SHARED] = "ONLY_SOURCE_SHARED", NULL
};

#define AT(field)	offsetof(struct peft_multitask, field)
static const struct peft_setting keys[] = {
	PEFT_SET_VIRTUAL, PEFT_SET_LATER("modules_to_save", "null"),
	PEFT_SET_INT("num_tasks", "1", AT(tasks), 1, 1 << 20),
	PEFT_SET_INT("num_ranks", "1", AT(ranks), 1, 1 << 20),
	PEFT_SET_WORD("prompt_tuning_init", "\"RANDOM\"", peft_set_word,
	    AT(start), starts),
	PEFT_SET_INT("prompt_tuning_init_task", "0", AT(task), 0, 1 << 20),
	PEFT_SET("prompt_tuning_init_state_dict_path", "null",
	    peft_set_string, AT(path)),
	PEFT_SET_LATER("prompt_tuning_init_text", "null"),
	PEFT_SET_LATER("tokenizer_name_or_path", "null"),
	PEFT_SET_LATER("tokenizer_kwargs", "null"), PEFT_SET_END
};

static int
common(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct peft_multitask *t = settings;

	if (peft_virtual_common(m, false, out, err) == -1)
		return -1;
	m->tasks = (size_t)t->tasks;
	out[COLS] = peft_shape3("prefix_task_cols", m->tasks,
	    m->own[PEFT_VIRTUAL_N], (size_t)t->ranks);
	out[ROWS] = peft_shape3("prefix_task_rows", m->tasks, (size_t)t->ranks,
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

/* Behind nothing: what stands before the sequences of each task, its gradient,
 * and room for a task's part. */
static int
prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	(void)base;
	return peft_virtual_prepare(m, (2 * m->tasks + 1) *
	    m->param[PEFT_PROMPT]->n, err);
}

/* A task's cols and rows, from these elements on. */
struct task {
	size_t	cols, rows;
};

static struct task
task_of(const struct peft_module *m, size_t i)
{
	return (struct task){ i * m->param[COLS]->n / m->tasks,
	    i * m->param[ROWS]->n / m->tasks };
}

static void
task_part(const struct peft_module *m, size_t task, float *y)
{
	size_t n = m->own[PEFT_VIRTUAL_N], d = m->own[PEFT_VIRTUAL_WIDTH];
	size_t r = m->param[COLS]->shape[2], i, k;
	struct task t = task_of(m, task);

	memset(y, 0, n * d * sizeof(*y));
	for (i = 0; i < n; i++)
		for (k = 0; k < r; k++)
			peft_vec_best()->axpy(y + i * d,
			    m->param[COLS]->value[t.cols + i * r + k],
			    m->param[ROWS]->value + t.rows + k * d, d);
}

static void
begin(void *self, struct peft_cpu *cpu, float *product)
{
	struct peft_module *m = self;
	float *y = peft_virtual_extra(m);
	size_t n = m->param[PEFT_PROMPT]->n, task, i;

	(void)cpu;
	(void)product;
	if (!peft_module_stale(m))
		return;
	for (task = 0; task < m->tasks; task++, y += n) {
		task_part(m, task, y);
		for (i = 0; i < n; i++)
			y[i] *= m->param[PEFT_PROMPT]->value[i];
	}
	memset(y, 0, n * m->tasks * sizeof(*y));
}

/* g [n, d], the gradient of a task's prompt, is overwritten. */
static void
task_back(const struct peft_module *m, size_t task, float *g, float *part)
{
	const struct peft_vec *v = peft_vec_best();
	size_t N = m->param[PEFT_PROMPT]->n, d = m->own[PEFT_VIRTUAL_WIDTH];
	size_t r = m->param[COLS]->shape[2], i, k;
	struct task t = task_of(m, task);

	task_part(m, task, part);
	for (i = 0; i < N; i++) {
		m->param[PEFT_PROMPT]->grad[i] += g[i] * part[i];
		g[i] *= m->param[PEFT_PROMPT]->value[i];
	}
	for (i = 0; i < N / d; i++)
		for (k = 0; k < r; k++) {
			m->param[COLS]->grad[t.cols + i * r + k] += v->dot(
			    g + i * d, m->param[ROWS]->value + t.rows + k * d,
			    d);
			v->axpy(m->param[ROWS]->grad + t.rows + k * d,
			    m->param[COLS]->value[t.cols + i * r + k],
			    g + i * d, d);
		}
}

static void
end(void *self, struct peft_cpu *cpu)
{
	const struct peft_module *m = self;
	size_t N = m->param[PEFT_PROMPT]->n, task;
	float *g = peft_virtual_extra(m) + m->tasks * N;

	(void)cpu;
	for (task = 0; m->train && task < m->tasks; task++)
		task_back(m, task, g + task * N, g + m->tasks * N);
}

static const struct peft_hook_ops ops = {
	.memory = peft_virtual_memory, .begin = begin, .end = end,
};

static int
attach(struct peft_module *m, struct peft_sites *sites, int index,
    struct peft_err *err)
{
	float *y = peft_virtual_extra(m);
	struct peft_tasks *tasks = &m->adapter->tasks;

	if (peft_virtual_attach(m, sites, index, false, &ops, err) == -1)
		return -1;
	m->adapter->virtuals.embed = y;
	m->adapter->virtuals.dembed = m->train ? y + m->tasks *
	    m->param[PEFT_PROMPT]->n : NULL;
	m->adapter->virtuals.tasks = m->tasks;
	if (m->tasks > 1) {		/* one need not be named */
		*tasks = (struct peft_tasks){ index, m->tasks, sites->tasks };
		sites->tasks = tasks;
	}
	return 0;
}

const struct peft_method peft_multitask = {
	.type = "MULTITASK_PROMPT_TUNING", .name = "multitask-prompt-tuning",
	.keys = keys, .size = sizeof(struct peft_multitask),
	.common = common, .init = init, .start = peft_multitask_start,
	.prepare = prepare, .attach = attach,
};
