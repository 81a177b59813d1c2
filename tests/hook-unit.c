/* SPDX-License-Identifier: Apache-2.0 */
/* Adapters' hooks: what they add, worked out by hand, and what a step does
 * without, by its statistics. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "peft/method.h"
#include "two-layers.h"

/* y += s w (B A x + b), by hand: r = 1. */
static void
check_hook(void)
{
	struct peft_err err;
	struct peft_adapter *a = make("{\"peft_type\":\"LORA\",\"r\":1,"
	    "\"lora_alpha\":2,\"lora_bias\":true,\"target_modules\":"
	    "[\"0.self_attn.v_proj\"]}", &err);
	struct peft_cpu *cpu = peft_cpu_open(1, &err);
	float x[8] = { 1, 2, 3, 4, 0, 1, 0, 0 }, y[4] = { 0, 0, 10, 10 };
	float dy[4] = { 1, 0, 0, 1 }, dx[8] = { 0 }, saved[8], scratch[32];
	float rows[8] = { 0 }, bias[2] = { 5, 5 };
	struct peft_hook_call call = { .cpu = cpu, .T = 2, .x = x, .ldx = 4,
	    .saved = saved, .scratch = scratch };
	struct peft_module *m;
	struct peft_param *p;
	size_t k;

	need(a != NULL && cpu != NULL, &err);
	need(peft_adapter_attach(a, &sites, 0, 0.5f, true, &err) == 0, &err);
	p = peft_adapter_params(a, &k);
	m = &a->modules[0];
	memcpy(p[0].value, (float[]){ 1, 0, -1, 0 }, 16);	/* A [1,4] */
	memcpy(p[1].value, (float[]){ 3, 4 }, 8);		/* B [2,1] */
	memcpy(p[2].value, (float[]){ 1, -1 }, 8);		/* b [2] */
	m->hook.ops->forward(m, &call, y, 2);		/* h = -2, 0; s w = 1 */
	ok(y[0] == -5 && y[1] == -9 && y[2] == 11 && y[3] == 9, "forward");
	m->hook.ops->backward(m, &call, dy, 2, dx, 4);	/* dh = 3, 4 */
	ok(dx[0] == 3 && dx[2] == -3 && dx[4] == 4 && dx[6] == -4 &&
	    dx[1] == 0, "gradient of the input");
	ok(p[0].grad[0] == 3 && p[0].grad[1] == 10 && p[0].grad[2] == 9 &&
	    p[0].grad[3] == 12, "gradient of A");
	ok(p[1].grad[0] == -2 && p[1].grad[1] == 0, "gradient of B");
	ok(p[2].grad[0] == 1 && p[2].grad[1] == 1, "gradient of the bias");
	need(a->method->merge(m, PEFT_LEAF_WEIGHT, 1, 1, 0.5f, rows, NULL,
	    &err) == 0, &err);
	ok(rows[0] == 4 && rows[1] == 0 && rows[2] == -4, "merged row");
	need(a->method->merge(m, PEFT_LEAF_BIAS, 0, 1, 0.5f, bias, NULL,
	    &err) == 0, &err);
	ok(bias[0] == 6 && bias[1] == 4, "merged bias");
	sites_at[2].hooks = NULL;
	peft_cpu_close(cpu);
	peft_adapter_close(a);
}

/* Dropout: about p of the elements, the same for the same row wherever it
 * stands, the kept ones enlarged, and backward through the same mask. */
static void
check_dropout(void)
{
	enum { T = 64 };
	struct peft_err err;
	struct peft_adapter *a = make("{\"peft_type\":\"LORA\",\"r\":4,"
	    "\"lora_alpha\":4,\"lora_dropout\":0.25,\"target_modules\":"
	    "[\"0.self_attn.q_proj\"]}", &err);
	struct peft_cpu *cpu = peft_cpu_open(1, &err);
	float x[T * 4], y[T * 4] = { 0 }, y2[T * 4] = { 0 }, dx[T * 4] = { 0 };
	float saved[T * 4], *scratch;
	uint64_t ident[T];
	struct peft_hook_call call = { .cpu = cpu, .T = T, .x = x, .ldx = 4,
	    .saved = saved, .train = true, .ident = ident, .step = 3 };
	struct peft_module *m;
	struct peft_param *p;
	size_t k, i, kept = 0, wrong = 0;

	need(a != NULL && cpu != NULL, &err);
	need(peft_adapter_attach(a, &sites, 0, 1, true, &err) == 0, &err);
	peft_adapter_seed(a, 1);
	m = &a->modules[0];
	p = peft_adapter_params(a, &k);
	scratch = calloc(m->hook.ops->scratch(m, T), sizeof(float));
	call.scratch = scratch;
	for (i = 0; i < T * 4; i++)
		x[i] = 1;
	for (i = 0; i < T; i++)
		ident[i] = 100 + i;
	for (i = 0; i < 16; i++)		/* A = B = the unit matrix */
		p[0].value[i] = p[1].value[i] = i % 5 == 0;
	m->hook.ops->forward(m, &call, y, 4);
	for (i = 0; i < T * 4; i++) {
		kept += y[i] != 0;
		wrong += y[i] != 0 && fabsf(y[i] - 4.0f / 3) > 1e-6f;
	}
	ok(kept > 170 && kept < 214 && wrong == 0, "%zu of 256 kept, times "
	    "4/3", kept);
	m->hook.ops->backward(m, &call, x, 4, dx, 4);
	ok(memcmp(dx, y, sizeof(y)) == 0, "backward has the same mask");
	for (i = 0; i < T; i++)
		ident[i] = 100 + T - 1 - i;
	m->hook.ops->forward(m, &call, y2, 4);
	for (wrong = 0, i = 0; i < T; i++)
		wrong += memcmp(y + i * 4, y2 + (T - 1 - i) * 4, 16) != 0;
	ok(wrong == 0, "a row's mask does not depend on where it stands");
	sites_at[1].hooks = NULL;
	free(scratch);
	peft_cpu_close(cpu);
	peft_adapter_close(a);
}

/* The gradient of the sum of the outputs, through what is left of them. */
static double
gradient_off(struct peft_adapter *a, struct peft_module *m,
    const struct peft_hook_call *c)
{
	const float one[4] = { 1, 1, 1, 1 };
	float dx[4] = { 0 }, y[4];
	double off = 0, d, h = 1.0 / 64;
	size_t i, k;
	int side;

	peft_adapter_zerograd(a);
	m->hook.ops->backward(m, c, one, 4, dx, 4);
	for (i = 0; i < a->ngrads; i++) {
		float was = a->values[i];

		for (d = 0, side = -1; side <= 1; side += 2) {
			memset(y, 0, sizeof(y));
			a->values[i] = was + (float)(side * h);
			m->hook.ops->forward(m, c, y, 4);
			for (k = 0; k < 4; k++)
				d += side * y[k] / (2 * h);
		}
		a->values[i] = was;
		off = fmax(off, fabs(d - a->grads[i]) / (1 + fabs(d)));
	}
	return off;
}

/* What a whole step does without: over many steps the right share; the same
 * step twice, the same parts; none if it is not training.  rows: how often
 * each of the module's outputs is not what the base made of it; scaled: what
 * is there is enlarged. */
static void
check_parts(const char *config, double share, bool whole, bool scaled)
{
	enum { N = 2000 };
	struct peft_err err;
	struct peft_adapter *a = make(config, &err);
	struct peft_cpu *cpu = peft_cpu_open(1, &err);
	float x[4] = { 1, 1, 1, 1 }, y[4], full[4] = { 0 }, again[4];
	float saved[16], *scratch;
	uint64_t ident = 5, none = 0, other = 0, odd = 0, differ = 0;
	struct peft_hook_call call = { .cpu = cpu, .T = 1, .x = x, .ldx = 4,
	    .saved = saved, .ident = &ident };
	struct peft_module *m;
	double off = 0;
	size_t n, i, k, kept;

	need(a != NULL && cpu != NULL, &err);
	need(peft_adapter_attach(a, &sites, 0, 1, true, &err) == 0, &err);
	peft_adapter_seed(a, 1);
	m = &a->modules[0];
	(void)peft_adapter_params(a, &n);
	for (i = 0; i < a->ngrads; i++)
		a->values[i] = 0.5f + (float)i / 32;
	scratch = calloc(m->hook.ops->scratch(m, 1), sizeof(float));
	call.scratch = scratch;
	m->hook.ops->forward(m, &call, full, 4);
	call.train = true;
	for (call.step = 1; call.step <= N; call.step++) {
		memset(y, 0, sizeof(y));
		memset(again, 0, sizeof(again));
		m->hook.ops->forward(m, &call, y, 4);
		m->hook.ops->forward(m, &call, again, 4);
		differ += memcmp(y, again, sizeof(y)) != 0;
		for (kept = k = 0; k < 4; k++)
			kept += y[k] != 0;
		none += 4 - kept;
		other += whole && kept != 0 && kept != 4;
		for (k = 0; k < 4; k++)
			odd += y[k] != 0 && fabsf(y[k] / full[k] - (scaled ?
			    4 / (float)kept : 1)) > 1e-5f;
	}
	ok(fabs((double)none / (4.0 * N) - share) < (whole ? 0.04 : 0.02),
	    "%s: %.3f of the outputs are left out, of %.2f", config,
	    (double)none / (4.0 * N), share);
	ok(differ == 0 && other == 0 && odd == 0, "the same ones twice, and "
	    "the others %s", scaled ? "make up for it" : "as they are");
	for (call.step = 1; call.step <= 20; call.step++)
		off = fmax(off, gradient_off(a, m, &call));
	ok(off < 1e-4, "and so do the gradients (%.1e)", off);
	for (i = 0; i < NSITE; i++)
		sites_at[i].hooks = NULL;
	free(scratch);
	peft_cpu_close(cpu);
	peft_adapter_close(a);
}

/* Of two blocks one turns nothing, in half of the steps the first. */
static void
check_blocks(const char *config)
{
	enum { N = 1000 };
	struct peft_err err;
	struct peft_adapter *a = make(config, &err);
	struct peft_cpu *cpu = peft_cpu_open(1, &err);
	const float x[4] = { 1, 2, 3, 4 }, dy[4] = { 1, 1, 1, 1 };
	float y[4], full[4], dx[4], saved[4];
	uint64_t ident = 5, first = 0, wrong = 0;
	struct peft_hook_call call = { .cpu = cpu, .T = 1, .x = x, .ldx = 4,
	    .saved = saved, .ident = &ident };
	struct peft_module *m;
	size_t i, still, gone;

	need(a != NULL && cpu != NULL, &err);
	need(peft_adapter_attach(a, &sites, 0, 1, true, &err) == 0, &err);
	peft_adapter_seed(a, 1);
	m = &a->modules[0];
	for (i = 0; i < a->modules[0].param[0]->n; i++)
		a->modules[0].param[0]->value[i] = 0.25f * (float)(1 + i);
	m->hook.ops->begin(m, cpu, NULL);
	m->hook.ops->input(m, &call, full, 4);
	call.train = true;
	for (call.step = 1; call.step <= N; call.step++) {
		memset(dx, 0, sizeof(dx));
		m->hook.ops->input(m, &call, y, 4);
		m->hook.ops->input_back(m, &call, dy, 4, dx, 4);
		still = memcmp(y, x, 8) == 0 ? 0 : 2;
		gone = 2 - still;
		first += still == 0;
		wrong += memcmp(y + still, x + still, 8) != 0 ||
		    memcmp(y + gone, full + gone, 8) != 0 ||
		    memcmp(dx + still, dy, 8) != 0 ||
		    memcmp(dx + gone, dy, 8) == 0;
	}
	ok(wrong == 0 && first > 440 && first < 560, "%s: one block of two, "
	    "in %u of 1000 steps the first", config, (unsigned)first);
	for (i = 0; i < NSITE; i++)
		sites_at[i].hooks = NULL;
	peft_cpu_close(cpu);
	peft_adapter_close(a);
}

/* Two skills of a task, logits 0: each sigmoid is drawn evenly from 0 to 1, so
 * that the first one's weight has the mean 1/2 and the variance 1/4 + (3/2 - 2
 * ln 2) / 2 - 1/4; of each record and each step it is another. */
static void
check_poly(void)
{
	enum { N = 4000 };
	struct peft_err err;
	struct peft_adapter *a = make("{\"peft_type\":\"POLY\",\"r\":1,"
	    "\"n_skills\":2,\"target_modules\":[\"0.self_attn.q_proj\"]}",
	    &err);
	struct peft_cpu *cpu = peft_cpu_open(1, &err);
	float x[8] = { 1, 1, 1, 1, 1, 1, 1, 1 }, y[8], saved[8], *scratch;
	uint64_t ident[2] = { UINT64_C(7) << 32, UINT64_C(8) << 32 };
	struct peft_hook_call call = { .cpu = cpu, .T = 2, .x = x, .ldx = 4,
	    .saved = saved, .ident = ident, .train = true };
	double sum = 0, square = 0, off = 0;
	struct peft_module *m;
	size_t i, alike = 0;

	need(a != NULL && cpu != NULL, &err);
	need(peft_adapter_attach(a, &sites, 0, 1, true, &err) == 0, &err);
	peft_adapter_seed(a, 1);
	m = &a->modules[0];
	scratch = calloc(m->hook.ops->scratch(m, 2), sizeof(float));
	call.scratch = scratch;
	for (i = 0; i < 8; i++) {	/* A is 1/4; B of the first skill 1 */
		m->param[0]->value[i] = 0.25f;
		m->param[1]->value[i] = i < 4;
	}
	memset(m->param[2]->value, 0, 2 * sizeof(float));
	for (call.step = 1; call.step <= N; call.step++) {
		memset(y, 0, sizeof(y));
		m->hook.ops->forward(m, &call, y, 4);
		sum += y[0];
		square += (double)y[0] * y[0];
		alike += y[0] == y[4];
	}
	sum /= N;
	square = square / N - sum * sum;
	ok(fabs(sum - 0.5) < 0.02 && fabs(square - 0.056853) < 0.003 &&
	    alike == 0, "Poly draws weights of mean %.3f, variance %.4f", sum,
	    square);
	call.T = 1;
	for (i = 0; i < 8; i++)
		m->param[1]->value[i] = 0.125f * (float)(1 + i);
	for (call.step = 1; call.step <= 20; call.step++)
		off = fmax(off, gradient_off(a, m, &call));
	ok(off < 1e-3, "and their gradients are right (%.1e)", off);
	sites_at[1].hooks = NULL;
	free(scratch);
	peft_cpu_close(cpu);
	peft_adapter_close(a);
}

int
main(void)
{
	check_hook();
	check_dropout();
	check_poly();
#define ON "\"target_modules\":[\"0.self_attn.q_proj\"]}"
	check_parts("{\"peft_type\":\"LOHA\",\"r\":2,"
	    "\"rank_dropout\":0.3," ON, 0.3, false, true);
	check_parts("{\"peft_type\":\"LOKR\",\"r\":2,"
	    "\"rank_dropout\":0.3," ON, 0.3, false, false);
	check_parts("{\"peft_type\":\"LOKR\",\"r\":2,"
	    "\"rank_dropout\":0.3,\"rank_dropout_scale\":true,"
	    ON, 0.3, false, true);
	check_parts("{\"peft_type\":\"LOHA\",\"r\":2,"
	    "\"module_dropout\":0.3," ON, 0.3, true, false);
	check_parts("{\"peft_type\":\"LOKR\",\"r\":2,"
	    "\"module_dropout\":0.3," ON, 0.3, true, false);
	check_blocks("{\"peft_type\":\"OFT\",\"r\":0,"
	    "\"oft_block_size\":2,\"module_dropout\":0.5," ON);
	check_blocks("{\"peft_type\":\"BOFT\",\"boft_block_size\":2,"
	    "\"boft_dropout\":0.5," ON);
	return tap_end();
}
