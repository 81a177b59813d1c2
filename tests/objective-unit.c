/* SPDX-License-Identifier: Apache-2.0 */
/* Label smoothing and z-loss: gradients against torch's
 * (tests/parity/objective.py).  objective-unit DIR */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/net.h"
#include "peft/adapter.h"
#include "tap.h"

enum { NSEQ = 2 };

static struct peft_source *
open_part(const char *dir, const char *name)
{
	struct peft_err err = { 0 };
	struct peft_source *s;
	char path[1024];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	need((s = peft_source_open(path, &err)) != NULL, &err);
	return s;
}

static struct peft_weight
load(struct peft_source *s, const char *name)
{
	struct peft_err err = { 0 };
	struct peft_weight w;
	size_t i = peft_source_find(s, name);

	need(i != SIZE_MAX && peft_source_load(s, i, &w, &err) == 0, &err);
	return w;
}

/* A tensor of two rows of ids, as sequences read it. */
static int32_t *
ids_of(struct peft_source *golden, const char *name, size_t *T)
{
	struct peft_weight w = load(golden, name);
	int32_t *ids = malloc(w.nelem * sizeof(*ids));
	size_t i;

	for (i = 0; i < w.nelem; i++)
		ids[i] = (int32_t)((const int64_t *)w.data)[i];
	*T = w.cols;
	return ids;
}

static void
compare(struct peft_adapter *a, struct peft_source *want)
{
	double most = 0;
	size_t n, i, found = 0, index;
	struct peft_param *p = peft_adapter_params(a, &n);

	for (i = 0; i < n; i++) {
		char name[512];

		snprintf(name, sizeof(name), "grad.%s", p[i].name);
		if ((index = peft_source_find(want, name)) == SIZE_MAX)
			continue;
		found++;
		most = tap_worst(most, tap_distance(p[i].grad,
		    load(want, name).data, p[i].n));
	}
	ok(found == peft_source_count(want), "%zu tensors", found);
	ok(most <= 1e-4, "gradients: off by %.1e of the largest", most);
}

int
main(int argc, char **argv)
{
	struct peft_err err = { 0 };
	struct peft_cpu *cpu = peft_cpu_open(2, &err);
	struct peft_source *model, *adapter, *golden, *want;
	struct peft_caps caps = { .seqs = NSEQ, .train = true,
	    .smoothing = 0.1f, .zloss = 0.01f };
	struct peft_seq seqs[NSEQ];
	struct peft_loss loss[NSEQ];
	struct peft_adapter *a;
	struct peft_net *net;
	struct peft_run *run;
	int32_t *ids, *labels;
	size_t T, i, tokens = 0;

	if (argc != 2)
		return 1;
	need(cpu != NULL, &err);
	model = open_part(argv[1], "model");
	adapter = open_part(argv[1], "adapter");
	golden = open_part(argv[1], "golden.safetensors");
	want = open_part(argv[1], "objective.safetensors");
	need((net = peft_net_open(model, cpu, &err)) != NULL, &err);
	need((a = peft_adapter_open(adapter, peft_net_sites(net), &err)) !=
	    NULL && peft_adapter_attach(a, peft_net_sites(net), 0, 1, true,
	    &err) == 0, &err);
	ids = ids_of(golden, "input_ids", &T);
	labels = ids_of(golden, "labels", &T);
	for (i = 0; i < NSEQ; i++)
		seqs[i] = (struct peft_seq){ .ids = ids + i * T,
		    .labels = labels + i * T, .n = T, .weight = 1 };
	caps.seq = T;
	caps.tokens = NSEQ * T;
	need((run = peft_run_open(net, &caps, &err)) != NULL, &err);
	need(peft_run_loss(run, seqs, NSEQ, loss, &err) == 0, &err);
	for (i = 0; i < NSEQ; i++)
		tokens += loss[i].tokens;
	need(peft_run_train(run, seqs, NSEQ, 1 / (double)tokens, 0, loss,
	    &err) == 0, &err);
	compare(a, want);
	peft_run_close(run);
	peft_adapter_close(a);
	peft_net_close(net);
	peft_source_close(model);
	peft_source_close(adapter);
	peft_source_close(golden);
	peft_source_close(want);
	peft_cpu_close(cpu);
	free(ids);
	free(labels);
	return tap_end();
}
