/* SPDX-License-Identifier: Apache-2.0 */
/* What determines a run: the records, the numbers of steps, the settings. */

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "train/trainer.h"

/* A record that teaches nothing is a mistake made upstream. */
static int
check_records(const struct peft_records *r, enum peft_task task,
    const char *what, struct peft_err *err)
{
	size_t i;

	if (r->n == 0)
		return peft_seterr(err, "there are no %s records", what);
	if (peft_records_plain(r, task, err) == -1)
		return peft_errprefix(err, "%s records", what);
	for (i = 0; i < r->n; i++) {
		if (r->at[i].nchoices > 0)
			return peft_seterr(err, "%s %s has choices: those can "
			    "be evaluated, not trained on", what,
			    peft_record_place(&r->at[i], i + 1).text);
		if (r->at[i].supervised == 0)
			return peft_seterr(err, "%s %s has no supervised "
			    "token: its labels are all -100 (peft-tokenize "
			    "--lint, --show)", what, peft_record_place(
			    &r->at[i], i + 1).text);
	}
	return 0;
}

/* Options of single tensors, where there is none that they are for. */
static int
check_tensors(const struct peft_trainer *t, struct peft_err *err)
{
	const char *type = peft_adapter_type(t->adapter);
	bool decays = false, has_b = false;
	size_t i;

	for (i = 0; i < t->nparams; i++) {
		decays |= t->params[i].decay;
		has_b |= peft_train_is_b(&t->params[i]);
	}
	if (t->opt.loraplus > 0 && !has_b)
		return peft_setfail(err, PEFT_USAGE, "--loraplus: %s has no "
		    "lora_B", type);
	if (t->opt.weight_decay > 0 && !decays)
		return peft_setfail(err, PEFT_USAGE, "--weight-decay: nothing "
		    "that %s trains here decays", type);
	return 0;
}

static void
hash_records(const struct peft_records *r, size_t outputs,
    char hex[PEFT_SHA256_HEX])
{
	struct peft_sha256 h;
	size_t i;

	peft_sha256_init(&h);
	for (i = 0; i < r->n; i++) {
		const struct peft_record *rec = &r->at[i];

		peft_sha256_add(&h, &rec->n, sizeof(rec->n));
		peft_sha256_add(&h, rec->ids, rec->n * sizeof(*rec->ids));
		peft_sha256_add(&h, rec->labels, rec->n *
		    sizeof(*rec->labels));
		peft_sha256_add(&h, &rec->weight, sizeof(rec->weight));
		if (rec->task != -1)
			peft_sha256_add(&h, &rec->task, sizeof(rec->task));
		if (rec->values != NULL)
			peft_sha256_add(&h, rec->values, outputs *
			    sizeof(*rec->values));
	}
	peft_sha256_hex(&h, hex);
}

static void
put(struct peft_buf *b, const char *key, double v)
{
	peft_buf_printf(b, ",\"%s\":", key);
	peft_json_putreal(b, v);
}

static void
put_settings(const struct peft_trainer *t, struct peft_buf *b)
{
	const struct peft_trainopt *o = &t->opt;
	size_t outputs = peft_net_config(t->net)->outputs, i;
	char hex[PEFT_SHA256_HEX];

	peft_buf_puts(b, "{\"adapter\":");
	peft_json_print(b, peft_adapter_config(t->adapter), 0, true);
	peft_buf_puts(b, ",\"base\":");
	peft_json_putstr(b, o->base, strlen(o->base));
	hash_records(t->data, outputs, hex);
	peft_buf_printf(b, ",\"data\":\"sha256:%s\"", hex);
	for (i = 0; i < t->nevals; i++) {
		hash_records(&t->evals[i].records, outputs, hex);
		peft_buf_printf(b, "%s\"sha256:%s\"", i == 0 ?
		    ",\"eval\":[" : ",", hex);
	}
	if (t->nevals > 0) {
		peft_buf_puts(b, "]");
		put(b, "eval_every", (double)o->eval_every);
		put(b, "patience", (double)o->patience);
	}
	peft_buf_printf(b, ",\"optimiser\":\"%s\"", o->optimiser->name);
	put(b, "lr", o->lr);
	put(b, "weight_decay", o->weight_decay);
	put(b, "clip", o->clip);
	put(b, "beta1", o->beta1);
	put(b, "beta2", o->beta2);
	put(b, "eps", o->eps);
	put(b, "loraplus", o->loraplus);
	put(b, "label_smoothing", o->smoothing);
	put(b, "z_loss", o->zloss);
	put(b, "neftune", o->neftune);
	put(b, "ema", o->ema);
	put(b, "skip_spikes", o->spike);
	peft_buf_printf(b, ",\"schedule\":\"%s\"",
	    peft_schedule_names[o->schedule.kind]);
	put(b, "cycles", o->schedule.cycles);
	put(b, "min_lr_ratio", o->schedule.min_ratio);
	put(b, "power", o->schedule.power);
	put(b, "decay_steps", (double)o->schedule.decay);
	if (o->schedule.kind == PEFT_LR_PLATEAU) {
		put(b, "plateau", (double)o->schedule.plateau);
		put(b, "plateau_factor", o->schedule.plateau_factor);
	}
	if (o->begun > 0)
		put(b, "init_records", (double)o->begun);
	put(b, "batch", (double)o->batch);
	peft_buf_printf(b, ",\"shuffle\":%s,\"seed\":%llu,"
	    "\"compute\":\"%s\"", o->shuffle ? "true" : "false",
	    (unsigned long long)o->seed, peft_compute_names[o->compute]);
	/* what follows from those before is last, or it would be named */
	put(b, "steps", (double)t->total);
	put(b, "warmup", (double)o->schedule.warmup);
	put(b, "micro_tokens", (double)t->caps.tokens);
	peft_buf_puts(b, "}");
}

int
peft_train_settings(struct peft_trainer *t, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	struct peft_trainopt *o = &t->opt;
	enum peft_task task = peft_net_config(t->net)->task;
	size_t i;

	if (check_tensors(t, err) == -1 ||
	    check_records(t->data, task, "training", err) == -1)
		return -1;
	for (i = 0; i < t->nevals; i++)
		if (check_records(&t->evals[i].records, task, "evaluation",
		    err) == -1)
			return -1;
	t->per_epoch = (t->data->n + o->batch - 1) / o->batch;
	t->total = o->steps > 0 ? o->steps :
	    (size_t)ceil((double)t->per_epoch * (o->epochs > 0 ? o->epochs :
	    1));
	o->schedule.total = t->total;
	o->schedule.warmup = (size_t)(o->warmup < 1 ? ceil(o->warmup *
	    (double)t->total) : o->warmup);
	if (peft_train_plan(t, err) == -1)
		return -1;
	put_settings(t, &b);
	if (b.failed)
		return peft_seterr(err, "no memory for the settings");
	t->settings = b.data;
	return 0;
}
