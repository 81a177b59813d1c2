/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An adapter against what PEFT computed with it (logits, gradients, merged
 * weights), and through a file and back.  usage: peft-unit MODEL ADAPTER
 * GOLDEN
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/net.h"
#include "peft/adapter.h"
#include "peft/method.h"
#include "quant/quant.h"
#include "tap.h"

struct world {
	struct peft_cpu		*cpu;
	struct peft_source	*model, *file, *golden;
	struct peft_net		*net;
	struct peft_adapter	*adapter;
};

static bool
load_golden(struct world *w, const char *name, struct peft_weight *t)
{
	struct peft_err err = { 0 };
	size_t i = peft_source_find(w->golden, name);

	if (i == SIZE_MAX)
		return false;
	need(peft_source_load(w->golden, i, t, &err) == 0, &err);
	return true;
}

static void
check_logits(struct world *w, struct peft_run *run, struct peft_seq *seqs,
    size_t nseqs)
{
	size_t T = seqs[0].n * nseqs, V = peft_net_config(w->net)->vocab, i;
	struct peft_err err = { 0 };
	struct peft_weight t;
	size_t *rows = calloc(T, sizeof(*rows));
	float *y = calloc(T * V, sizeof(*y));
	size_t extra;
	double d;

	if (!load_golden(w, "adapter_logits", &t) &&
	    !load_golden(w, "logits", &t))
		need(0, &err);
	for (i = 0; i < T; i++)
		rows[i] = i;
	need(peft_run_logits(run, seqs, nseqs, rows, T, y, &err) == 0, &err);
	/* PEFT's have the virtual tokens' rows in front */
	extra = t.ndim == 3 ? t.shape[1] - seqs[0].n : 0;
	for (d = 0, i = 0; i < nseqs; i++) {
		double one = tap_distance(y + i * seqs[0].n * V,
		    (const float *)t.data + (i * (seqs[0].n + extra) +
		    extra) * V, seqs[0].n * V);

		d = tap_worst(d, one);
	}
	if (strcmp(peft_adapter_type(w->adapter), "RANDLORA") == 0 ||
	    cJSON_IsString(peft_json_get(w->adapter->config,
	    "init_lora_weights")))
		d /= 10;
	ok(d <= 1e-5, "logits: off by %.1e of the largest", d);
	free(rows);
	free(y);
}

/* PEFT calls some tensors otherwise in memory than on disk; those that all
 * modules share are the first module's. */
static bool
load_gradient(struct world *w, const char *name, struct peft_weight *t)
{
	static const char *const ends[][2] = {
		{ "", "" }, { "", ".weight" },
		{ ".weight", ".modules_to_save.weight" },
		{ ".bias", ".modules_to_save.bias" },
	};
	const char *last = strrchr(name, '.');
	char buf[600];
	size_t i, n = strlen(name), k;

	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		k = strlen(ends[i][0]);
		if (n < k || strcmp(name + n - k, ends[i][0]) != 0)
			continue;
		snprintf(buf, sizeof(buf), "grad.%.*s%s", (int)(n - k), name,
		    ends[i][1]);
		if (load_golden(w, buf, t))
			return true;
	}
	if (strcmp(name, "prompt_embeddings") == 0)
		return load_golden(w, "grad.prompt_encoder.embedding.weight",
		    t);
	snprintf(buf, sizeof(buf), "grad.prompt_encoder.%s", name);
	if (load_golden(w, buf, t))
		return true;
	for (i = 0; i < peft_source_count(w->golden) && last != NULL; i++) {
		const char *g = peft_source_at(w->golden, i)->name;

		if (strncmp(g, "grad.", 5) == 0 && strstr(name, ".layers.") ==
		    NULL && strlen(g) > strlen(last) &&
		    strcmp(g + strlen(g) - strlen(last), last) == 0)
			return load_golden(w, g, t);
	}
	return false;
}

static void
check_gradients(struct world *w, struct peft_run *run, struct peft_seq *seqs,
    size_t nseqs)
{
	struct peft_loss loss[8];
	struct peft_err err = { 0 };
	struct peft_param *p;
	struct peft_weight t;
	size_t k, i, tokens = 0, found = 0;
	double d, most = 0;

	for (i = 0; i < nseqs; i++)
		tokens += peft_run_targets(run, &seqs[i], true);
	need(peft_run_train(run, seqs, nseqs, 1 / (double)tokens, 0, loss,
	    &err) == 0, &err);
	if (peft_adapter_drops(w->adapter))
		return;		/* PEFT's numbers are without */
	for (d = 0, i = 0; i < nseqs; i++)
		d += loss[i].nll / (double)tokens;
	d += peft_adapter_penalty(w->adapter);
	if (load_golden(w, "adapter_loss", &t) || load_golden(w, "loss", &t))
		ok(fabs(d / *(const float *)t.data - 1) < 1e-5, "loss %.6f, "
		    "PEFT's %.6f", d, (double)*(const float *)t.data);
	p = peft_adapter_params(w->adapter, &k);
	for (i = 0; i < k; i++) {
		if (!load_gradient(w, p[i].name, &t))
			continue;
		found++;
		d = tap_distance(p[i].grad, t.data, p[i].n);
		most = tap_worst(most, d);
	}
	/* PEFT's own backward of C3A's input is not that of its forward
	 * (torch's gradcheck says so); and of encoders the file has only what
	 * they make.  The difference quotients are the judge there. */
	if (strcmp(peft_adapter_type(w->adapter), "C3A") == 0 ||
	    strcmp(peft_adapter_type(w->adapter), "P_TUNING") == 0 ||
	    cJSON_IsTrue(peft_json_get(w->adapter->config,
	    "prefix_projection")))
		return;
	ok(found == k, "PEFT trains the same %zu tensors", k);
	/* RandLoRA's sums are long and multiplied by alpha / r = 160; a gate's
	 * gradient, and that of DeLoRA's lambda, is one number, a long sum
	 * that nearly cancels: PEFT's own f32 is half of 1e-4 from its f64 */
	if (strcmp(peft_adapter_type(w->adapter), "RANDLORA") == 0 ||
	    strcmp(peft_adapter_type(w->adapter), "DELORA") == 0 ||
	    strcmp(peft_adapter_type(w->adapter), "ADAPTION_PROMPT") == 0)
		most /= 10;
	ok(most <= 1e-4, "gradients: off by %.1e at most", most);
}

/* -log p of all tokens, per token, and what the method adds. */
static double
whole_loss(struct world *w, struct peft_run *run, struct peft_seq *seqs,
    size_t nseqs)
{
	struct peft_loss loss[8];
	struct peft_err err = { 0 };
	double nll = 0;
	size_t i, tokens = 0;

	/* what drops out does so in training alone, and CPT's prompt is
	 * predicted there */
	need((peft_adapter_drops(w->adapter) ||
	    strcmp(peft_adapter_type(w->adapter), "CPT") == 0 ?
	    peft_run_train(run, seqs, nseqs, 1, 0, loss, &err) :
	    peft_run_loss(run, seqs, nseqs, loss, &err)) == 0, &err);
	for (i = 0; i < nseqs; i++) {
		nll += loss[i].nll;
		tokens += loss[i].tokens;
	}
	return nll / (double)tokens + peft_adapter_penalty(w->adapter);
}

/* Is the i-th value one of DoRA's A or B? */
static bool
stays(const struct peft_adapter *a, size_t i)
{
	size_t k = 0;

	if (!cJSON_IsTrue(peft_json_get(a->config, "use_dora")))
		return false;
	while (i >= a->params[k].n)
		i -= a->params[k++].n;
	return strstr(a->params[k].name, ".lora_A") != NULL ||
	    strstr(a->params[k].name, ".lora_B") != NULL ||
	    strstr(a->params[k].name, ".lora_embedding_") != NULL;
}

/*
 * The gradient's product with a direction is what the loss gains along it:
 * its own direction, and as much of a random one.  The steps make a gain of
 * about 1/500, of which the loss's rounding (1e-7 of it) and the third order
 * are less than a two-hundredth.  (DoRA's gradient of A and B is not that of
 * its loss, as it takes the norms for constants: these stay.)
 */
static void
check_difference(struct world *w, struct peft_run *run,
    struct peft_seq *seqs, size_t nseqs)
{
	struct peft_adapter *a = w->adapter;
	size_t n = a->ngrads, i;
	float *was, *d;
	struct peft_rng rng = peft_rng_key(3, "direction");
	double norm = 0, want = 0, got, step;

	was = calloc(n, sizeof(*was));
	d = calloc(n, sizeof(*d));
	for (i = 0; i < n; i++)
		norm += (double)a->grads[i] * a->grads[i];
	for (i = 0; i < n; i++) {
		if (stays(a, i))
			continue;
		d[i] = a->grads[i] + (float)(sqrt(norm / (double)n) *
		    peft_rng_normal(rng, 0, i));
		want += (double)d[i] * a->grads[i];
	}
	memcpy(was, a->values, n * sizeof(*was));
	step = 0.001 / want;
	for (i = 0; i < n; i++)
		a->values[i] = was[i] + (float)(step * d[i]);
	got = whole_loss(w, run, seqs, nseqs);
	for (i = 0; i < n; i++)
		a->values[i] = was[i] - (float)(step * d[i]);
	got = (got - whole_loss(w, run, seqs, nseqs)) / (2 * step);
	memcpy(a->values, was, n * sizeof(*was));
	ok(fabs(got / want - 1) < 0.005, "along a direction the loss gains "
	    "%.6g, the gradients say %.6g", got, want);
	free(was);
	free(d);
}

static void
check_merged(struct world *w)
{
	size_t i, found = 0, touched = 0;
	struct peft_err err = { 0 };
	double d, most = 0, limit = 1e-6;

	for (i = 0; i < peft_source_count(w->model); i++) {
		struct peft_weight base, want;
		struct peft_rows rows, first;
		char name[600];
		float *got;

		need(peft_source_load(w->model, i, &base, &err) == 0, &err);
		snprintf(name, sizeof(name), "merged.%s", base.name);
		if (!load_golden(w, name, &want))
			continue;
		found++;
		first = peft_rows_of(&base);
		if (peft_adapter_merge(w->adapter, base.name, &first, 1, &rows,
		    &err) != 1)
			continue;
		touched++;
		got = calloc(base.nelem, sizeof(*got));
		/* in two parts, as a sink may ask for them */
		need(rows.get(rows.ctx, 0, base.rows / 2, got, &err) == 0 &&
		    rows.get(rows.ctx, base.rows / 2, base.rows -
		    base.rows / 2, got + base.rows / 2 * base.cols,
		    &err) == 0, &err);
		d = tap_distance(got, want.data, base.nelem);
		most = tap_worst(most, d);
		peft_rows_free(&rows);
		free(got);
	}
	/* a weight's singular values in f32 are good to some 1e-6 of it */
	if (cJSON_IsString(peft_json_get(w->adapter->config,
	    "init_lora_weights")))
		limit = 2e-5;
	if (found > 0)
		ok(touched > 0 && most <= limit, "%zu merged weights: off by "
		    "%.1e at most", touched, most);
}

/* Out and in again: the same bytes. */
static void
check_round_trip(struct world *w)
{
	static const char *const meta[] = { "peft.base", "sha256:00", NULL };
	char dir[] = "/tmp/peft-unit-XXXXXX", path[64];
	struct peft_err err = { 0 };
	struct peft_source *s;
	struct peft_adapter *a;
	size_t i, other = 0;

	if (mkdtemp(dir) == NULL)
		return;
	snprintf(path, sizeof(path), "%s/a.safetensors", dir);
	need(peft_adapter_save(w->adapter, path, false, meta, &err) == 0,
	    &err);
	need((s = peft_source_open(path, &err)) != NULL, &err);
	need((a = peft_adapter_open(s, peft_net_sites(w->net), &err)) != NULL,
	    &err);
	for (i = 0; i < a->nparams; i++)
		if (!a->params[i].unsaved && memcmp(a->params[i].value,
		    w->adapter->params[i].value, a->params[i].n *
		    sizeof(float)) != 0)
			other++;
	ok(a->nvalues == w->adapter->nvalues && other == 0,
	    "saved and read again: the same values");
	ok(strcmp(peft_adapter_meta(a, "peft.base"), "sha256:00") == 0,
	    "and what is said of the base");
	peft_adapter_close(a);
	peft_source_close(s);
	unlink(path);
	rmdir(dir);
}

/* With parts of layers made again before their backward, none, all and each
 * alone: the same gradients. */
static void
check_again(struct world *w, struct peft_caps caps, struct peft_seq *seqs,
    size_t nseqs)
{
	struct peft_adapter *a = w->adapter;
	float *want = calloc(a->ngrads, sizeof(*want));
	struct peft_loss loss[8];
	struct peft_err err = { 0 };
	struct peft_run *run;
	int i, p, bad = 0;

	for (i = 0; i < PEFT_NPART + 2; i++) {
		for (p = 0; p < PEFT_NPART; p++)
			caps.again[p] = i == 1 || i == p + 2 ? SIZE_MAX : 0;
		need((run = peft_run_open(w->net, &caps, &err)) != NULL,
		    &err);
		peft_adapter_zerograd(a);
		need(peft_run_train(run, seqs, nseqs, 1, 0, loss, &err) == 0,
		    &err);
		if (i == 0)
			memcpy(want, a->grads, a->ngrads * sizeof(*want));
		bad |= memcmp(want, a->grads, a->ngrads *
		    sizeof(*want)) != 0 ? 1 << i : 0;
		peft_run_close(run);
	}
	ok(bad == 0, "made again, the same gradients (not with %#x)", bad);
	free(want);
}

/* In two parts through a cache: the same logits of the last token.  (Gates
 * look at the whole that is computed at once.) */
static void
check_cache(struct world *w, struct peft_run *run, const struct peft_seq *whole)
{
	size_t V = peft_net_config(w->net)->vocab, n = whole->n, row = n - 1;
	float *want = calloc(2 * V, sizeof(*want)), *got = want + V;
	struct peft_seq s = *whole;
	struct peft_err err = { 0 };
	struct peft_kv *kv;
	double d;

	if (peft_net_sites(w->net)->whole) {
		free(want);
		return;
	}
	need((kv = peft_kv_open(w->net, n, &err)) != NULL, &err);
	need(peft_run_logits(run, &s, 1, &row, 1, want, &err) == 0, &err);
	s.kv = kv;
	s.n = n / 2;
	row = 0;
	need(peft_run_logits(run, &s, 1, &row, 1, got, &err) == 0, &err);
	s.ids += s.n;
	s.n = n - s.n;
	row = s.n - 1;
	need(peft_run_logits(run, &s, 1, &row, 1, got, &err) == 0, &err);
	d = tap_distance(got, want, V);	/* RandLoRA: as above */
	if (strcmp(peft_adapter_type(w->adapter), "RANDLORA") == 0)
		d /= 10;
	ok(d < 1e-5, "through a cache the same (%.1e)", d);
	peft_kv_close(kv);
	free(want);
}

static void
against(const char *model, const char *adapter, const char *golden)
{
	struct peft_err err = { 0 };
	struct world w;
	struct peft_weight ids, labels, tasks;
	struct peft_seq seqs[8];
	struct peft_caps caps = { 0 };
	struct peft_run *run;
	int32_t *i32;
	size_t i, k;

	need((w.cpu = peft_cpu_open(1, &err)) != NULL, &err);
	need((w.model = peft_source_open(model, &err)) != NULL, &err);
	need((w.file = peft_source_open(adapter, &err)) != NULL, &err);
	need((w.golden = peft_source_open(golden, &err)) != NULL, &err);
	need((w.net = peft_net_open(w.model, w.cpu, &err)) != NULL, &err);
	need((w.adapter = peft_adapter_open(w.file, peft_net_sites(w.net),
	    &err)) != NULL, &err);
	need(load_golden(&w, "input_ids", &ids) &&
	    load_golden(&w, "labels", &labels) && ids.rows <= 8, &err);
	i32 = calloc(2 * ids.nelem, sizeof(*i32));
	for (i = 0; i < ids.nelem; i++) {
		i32[i] = (int32_t)((const int64_t *)ids.data)[i];
		i32[ids.nelem + i] =
		    (int32_t)((const int64_t *)labels.data)[i];
	}
	for (k = 0; k < ids.rows; k++)
		seqs[k] = (struct peft_seq){ .ids = i32 + k * ids.cols,
		    .labels = i32 + ids.nelem + k * ids.cols, .n = ids.cols,
		    .weight = 1, .adapter = 0 };
	for (k = 0; load_golden(&w, "task_ids", &tasks) && k < ids.rows; k++)
		seqs[k].task = (int)((const int64_t *)tasks.data)[k];
	/* what can only be used is not trained */
	caps.train = true;
	for (i = 0; i < w.adapter->nmodules; i++)
		caps.train &= w.adapter->modules[i].untrainable == NULL;
	need(peft_adapter_attach(w.adapter, peft_net_sites(w.net), 0, 1,
	    caps.train, &err) == 0, &err);
	caps.seqs = ids.rows;
	caps.seq = ids.cols + peft_sites_virtual(peft_net_sites(w.net), 0);
	caps.tokens = caps.seq * ids.rows;
	need((run = peft_run_open(w.net, &caps, &err)) != NULL, &err);
	check_logits(&w, run, seqs, ids.rows);
	if (caps.train)
		check_gradients(&w, run, seqs, ids.rows);
	check_merged(&w);
	check_round_trip(&w);
	/* what coft draws back is not where a difference puts it, and what is
	 * among the first changes at once */
	if (caps.train && peft_json_off(peft_json_get(w.adapter->config,
	    "coft")) && peft_json_off(peft_json_get(w.adapter->config,
	    "top_k_lora")))
		check_difference(&w, run, seqs, ids.rows);
	if (caps.train)
		check_again(&w, caps, seqs, ids.rows);
	check_cache(&w, run, &seqs[0]);
	peft_run_close(run);
	free(i32);
	peft_adapter_close(w.adapter);
	peft_net_close(w.net);
	peft_source_close(w.golden);
	peft_source_close(w.file);
	peft_source_close(w.model);
	peft_cpu_close(w.cpu);
}

int
main(int argc, char **argv)
{
	if (argc != 4) {
		fputs("usage: peft-unit MODEL ADAPTER GOLDEN\n", stderr);
		return 1;
	}
	against(argv[1], argv[2], argv[3]);
	return tap_end();
}
