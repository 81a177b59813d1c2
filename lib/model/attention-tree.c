/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Causal attention, backward, tree by tree.
 *
 * One task is a query head of a tree of sequences, node by node: it alone
 * writes the gradients of its queries, and those of its keys and values into
 * an array of its own, which is summed over the heads that share them
 * afterwards.  Where there are many trees, it is all heads that share keys and
 * values, one after the other, whose gradients are summed as they come, in the
 * same order.
 */

#include <string.h>

#include "model/attention-back-impl.h"

/* Pack a node's keys and values behind those above it, which are there, and
 * clear their gradients.  A root's stay for the next head. */
static void
enter(const struct peft_back *job, size_t node, size_t head, bool again,
    const struct peft_back_room *r)
{
	const struct peft_run *run = job->run;
	const struct peft_config *c = &run->net->config;
	const struct peft_heads_at *at = &run->net->at;
	const struct peft_node *n = &run->tree.nodes[node];
	size_t g = head / (c->heads / c->kv_heads);
	size_t end = peft_pack_up(n->depth + n->n);
	struct peft_packing keys = { .n = c->head_dim, .lds = at->ld,
	    .src = job->s->qkv + at->k + g * at->kstep, .rows = r->k,
	    .cols = r->kcols, .ldc = r->ldcols, .copy = r->copy,
	    .from = n->depth };
	struct peft_packing values = { .n = c->v_dim, .lds = at->ld,
	    .src = job->s->qkv + at->v + g * at->vstep, .rows = r->v,
	    .copy = r->copy, .from = n->depth };

	if (!again || n->depth > 0) {
		peft_attention_pack(run, node, &job->packer, &keys);
		peft_attention_pack(run, node, &job->packer, &values);
	}
	peft_keys_clear(&r->dk, n->depth, end);
	peft_keys_clear(&r->dv, n->depth, end);
}

/* Gradients of a node's keys and values, when all below it have theirs. */
static void
leave(const struct peft_back *job, size_t node, size_t head,
    const struct peft_back_room *r)
{
	float *dqkv = job->together > 1 ? job->dqkv : NULL;

	peft_keys_back(job->run, node, head, &r->dk, r->copy, dqkv);
	peft_keys_back(job->run, node, head, &r->dv, r->copy, dqkv);
}

/* A head of a tree from its root on, depth first, as its nodes lie: what is
 * packed and summed of a node stays while those below it pass. */
static void
tree_back(const struct peft_back *job, size_t node, size_t head, bool again,
    const struct peft_back_room *r)
{
	const struct peft_tree *tree = &job->run->tree;
	size_t next, left;

	do {
		enter(job, node, head, again, r);
		peft_back_node(job, node, head, r);
		next = node + 1 < tree->n ? tree->nodes[node + 1].parent :
		    SIZE_MAX;
		for (left = node++; left != next;
		    left = tree->nodes[left].parent)
			leave(job, left, head, r);
	} while (next != SIZE_MAX);
}

static void
task(void *ctx, size_t i, int thread)
{
	const struct peft_back *job = ctx;
	const struct peft_run *run = job->run;
	size_t tasks = run->net->config.heads / job->together, k;
	size_t node = i / tasks, head = i % tasks * job->together;
	struct peft_arena a = peft_attention_arena(run, thread);
	struct peft_back_room r = peft_back_room_of(run, &a);

	if (run->tree.nodes[node].parent != SIZE_MAX)
		return;
	for (k = 0; k < job->together; k++)
		tree_back(job, node, head + k, k > 0, &r);
}

void
peft_attention_back(struct peft_run *run, size_t layer,
    const struct peft_saved *s, const float *dout, float *dqkv)
{
	struct peft_back job = { run, s, dout, dqkv, layer,
	    peft_config_window(&run->net->config, layer),
	    peft_packer_of(run->net->cpu), 1 };
	struct peft_lap lap = peft_lap_begin(run->net->cpu);
	size_t roots, i;

	for (roots = i = 0; i < run->tree.n; i++)
		roots += run->tree.nodes[i].parent == SIZE_MAX;
	if (job.packer.bf16 == NULL)
		job.together = peft_heads_together(run, roots);
	if (peft_is_kept(run, layer))	/* of other queries there are none */
		memset(dqkv, 0, run->T * run->net->at.ld * sizeof(*dqkv));
	peft_cpu_run(run->net->cpu, run->tree.n * run->net->config.heads /
	    job.together, task, &job);
	if (job.together == 1)
		peft_keys_back_sum(run, dqkv);
	/* five products for the two of forward */
	peft_lap_end(run->net->cpu, &lap, PEFT_WORK_ATTENTION_BACK, 0,
	    2.5 * peft_attention_work(run, layer));
}
