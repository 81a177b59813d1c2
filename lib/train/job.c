/* SPDX-License-Identifier: Apache-2.0 */
/* A training job: opening, checking, running, saving. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/progress.h"
#include "peft/begin.h"
#include "peft/head.h"
#include "quant/sink.h"
#include "train/forecast.h"
#include "train/job-impl.h"
#include "train/log.h"
#include "train/report.h"
#include "train/signals.h"

/* What is open while a job runs. */
struct state {
	struct peft_trainjob	*job;
	struct peft_cpu		*cpu;
	struct peft_source	*source, *init;
	struct peft_net		*net;
	struct peft_adapter	*adapter;
	struct peft_records	 data;
	struct peft_classes	 classes;
	struct peft_evalset	*evals;
	struct peft_trainer	*trainer;
	struct peft_signals	 signals;
	struct peft_progress	 bar;
	FILE			*log;
	char			 base[7 + PEFT_SHA256_HEX];
	char			*checkpoint;
	struct peft_report	 report;
};

static void
close_all(struct state *s)
{
	size_t i;

	if (s->log != NULL)
		fclose(s->log);
	peft_report_free(&s->report);
	peft_trainer_close(s->trainer);
	peft_adapter_close(s->adapter);
	peft_job_frozen_close(s->job);
	peft_job_names_free(s->job);
	peft_records_free(&s->data);
	peft_labels_free(&s->classes.labels);
	for (i = 0; s->evals != NULL && i < s->job->nevals; i++)
		peft_records_free(&s->evals[i].records);
	free(s->evals);
	peft_net_close(s->net);
	peft_source_close(s->init);
	peft_source_close(s->source);
	peft_cpu_close(s->cpu);
	free(s->checkpoint);
}

static int
open_adapter(struct state *s, struct peft_err *err)
{
	if (s->init != NULL) {
		s->adapter = peft_adapter_open(s->init, peft_net_sites(s->net),
		    err);
		peft_job_tell(s->job, "--init", s->adapter,
		    ", and written as PEFT does");
	} else if (peft_job_config(s->job, s->source, err) == 0 &&
	    peft_job_ask_head(s->job->config, &s->classes, err) == 0) {
		if (peft_task_classes(s->classes.labels.task))
			peft_head_ask(s->job->config, s->classes.labels.task);
		s->adapter = peft_job_begin(s->job, s->source, s->net,
		    &s->data, err);
	}
	return s->adapter == NULL ? -1 : 0;
}

/* OUT.ckpt beside the output. */
static int
name_checkpoint(struct state *s, struct peft_err *err)
{
	struct peft_trainjob *job = s->job;
	struct peft_buf b = { 0 };

	if (job->opt.checkpoint == NULL && peft_has_file(&job->common)) {
		peft_buf_puts(&b, job->common.output);
		while (b.len > 1 && b.data[b.len - 1] == '/')
			b.data[--b.len] = '\0';
		peft_buf_puts(&b, ".ckpt");
		job->opt.checkpoint = s->checkpoint = b.data;
	}
	if (job->opt.checkpoint == NULL && (job->opt.save_every > 0 ||
	    job->opt.resume))
		return peft_setfail(err, PEFT_USAGE, "there is no place for a "
		    "checkpoint: give --checkpoint FILE or -o");
	if (!job->opt.resume && !job->common.force &&
	    job->opt.checkpoint != NULL &&
	    access(job->opt.checkpoint, F_OK) == 0)
		return peft_seterr(err, "%s is there from an earlier run "
		    "(--resume goes on with it, -f begins anew)",
		    job->opt.checkpoint);
	return 0;
}

/* May what is at the output be replaced?  A run that ended between its output
 * and its checkpoint, OUT.ckpt, has both. */
static bool
replaces(const struct state *s)
{
	return s->job->common.force || (s->job->opt.resume &&
	    s->checkpoint != NULL);
}

static int
on_step(void *ctx, const struct peft_stepinfo *info, struct peft_err *err)
{
	struct peft_stepinfo i = *info;
	struct state *s = ctx;
	char note[160];

	peft_report_step(&s->report, &i, note, sizeof(note));
	peft_progress_set(&s->bar, (double)i.step, note);
	if (s->log == NULL)
		return 0;
	i.share = i.work / i.seconds / s->report.peak;
	i.eta = peft_progress_left(&s->bar);
	return peft_log_step(s->log, s->job->log, &i, err);
}

static enum peft_order
on_order(void *ctx)
{
	struct state *s = ctx;

	return peft_signals_order(&s->signals);
}

static int
save_adapter(const struct state *s, struct peft_err *err)
{
	const struct peft_labels *labels = &s->classes.labels;
	const char *origin = peft_source_meta(s->source, "peft.origin");
	struct peft_buf names = { 0 };
	char step[32];
	const char *meta[19] = { "peft.base", s->base, "peft.tokenizer",
	    s->data.info.tokenizer, "peft.template", s->data.info.tmpl,
	    "peft.step", step, "peft.settings",
	    peft_trainer_settings(s->trainer), NULL };
	size_t n = 10;
	int r;

	if (s->job->atop.len > 0) {
		meta[n++] = "peft.atop";
		meta[n++] = s->job->atop.data;
	}
	if (origin != NULL) {		/* the base was made here */
		meta[n++] = "peft.origin";
		meta[n++] = origin;
	}
	if (labels->n > 0) {
		peft_labels_put(&names, labels);
		meta[n++] = "peft.labels";
		meta[n++] = names.failed ? NULL : names.data;
		meta[n++] = "peft.problem";
		meta[n] = peft_problem_words[labels->problem];
	}
	snprintf(step, sizeof(step), "%zu", peft_trainer_step(s->trainer));
	r = names.failed ? peft_seterr(err, "no memory for the labels") :
	    peft_adapter_save(s->adapter, s->job->common.output,
	    replaces(s), meta, err);
	peft_buf_free(&names);
	return r;
}

/* Refuse an output that cannot be written before hours are spent. */
static int
check_output(const struct state *s, struct peft_err *err)
{
	const struct peft_trainjob *job = s->job;
	const struct peft_sinkopt adapter = { .path = job->common.output,
	    .force = replaces(s), .kind = "adapter" };
	const struct peft_sinkopt checkpoint = { .path = job->opt.checkpoint,
	    .force = true, .kind = "checkpoint" };

	if (peft_sink_probe(&adapter, err) == -1)
		return -1;
	return checkpoint.path == NULL ? 0 : peft_sink_probe(&checkpoint,
	    err);
}

static int
restore(struct state *s, size_t *step, struct peft_err *err)
{
	int r = peft_trainer_restore(s->trainer, step, err);

	if (r == 1 && !s->job->common.quiet)
		peft_warn("goes on with micro-batches of other sizes than it "
		    "began with: the result differs by rounding");
	return r == -1 ? -1 : 0;
}

static int
train(struct state *s, struct peft_err *err)
{
	const struct peft_watch watch = { on_step, on_order, s };
	struct peft_trainjob *job = s->job;
	size_t step = 0;
	int r;

	if (job->opt.resume && restore(s, &step, err) == -1)
		return -1;
	if (job->log != NULL && (peft_log_open(&s->log, job->log,
	    job->common.force, job->opt.resume, step, err) == -1 ||
	    (!job->opt.resume && peft_log_start(s->log, job->log,
	    peft_cpu_describe(s->cpu), err) == -1)))
		return -1;
	if (peft_report_start(&s->report, s->cpu, job->profile, err) == -1)
		return -1;
	peft_progress_start(&s->bar, "train",
	    (double)peft_trainer_total(s->trainer), "steps", &job->common);
	peft_signals_steps(&s->signals);
	peft_progress_from(&s->bar, (double)step);
	r = peft_trainer_run(s->trainer, &watch, err);
	peft_progress_end(&s->bar);
	peft_report_end(&s->report);
	if (r == 1) {
		if (!job->common.quiet)
			peft_warn(job->opt.checkpoint == NULL ?
			    "stopped; there was no place for a checkpoint" :
			    "stopped; --resume goes on");
		return 128 + atomic_load(&s->signals.stop);
	}
	if (r == 0 && (r = peft_adapter_finish(s->adapter, s->cpu,
	    err)) == 0 &&
	    (r = save_adapter(s, err)) == 0) {
		if (peft_adapter_note(s->adapter) != NULL &&
		    !job->common.quiet)
			peft_warn("%s", peft_adapter_note(s->adapter));
		if (job->opt.checkpoint != NULL)
			(void)unlink(job->opt.checkpoint);
	}
	return r;
}

/* Records are read by the model's config: if they seem wrong, the model may
 * be. */
static int
blame_model(struct state *s, struct peft_err *err)
{
	struct peft_err own = { 0 };

	if ((s->net = peft_net_open(s->source, s->cpu, &own)) == NULL)
		*err = own;
	return -1;
}

/* The records first, for they say which head there is to be. */
static int
open_model(struct state *s, struct peft_err *err)
{
	struct peft_trainjob *job = s->job;
	struct peft_classes *k = &s->classes;

	if (job->init != NULL &&
	    (s->init = peft_source_open(job->init, err)) == NULL)
		return -1;
	if (peft_config_read(&k->config, s->source, err) == -1)
		return -1;
	if (peft_job_records(job, s->source, k->config.vocab, &s->data,
	    s->evals, err) == -1 || peft_job_classes(job, s->source, s->init,
	    &s->data, s->evals, k, err) == -1)
		return blame_model(s, err);
	peft_job_say_classes(job, &k->labels);
	s->net = peft_net_open_head(s->source, s->cpu, &k->head, err);
	return s->net == NULL ? -1 : 0;
}

static int
run(struct state *s, struct peft_err *err)
{
	struct peft_trainjob *job = s->job;
	struct peft_forecast forecast;

	/* signals first, before there are threads */
	s->evals = peft_calloc(job->nevals + 1, sizeof(*s->evals), err);
	if (s->evals == NULL || peft_job_names(job, err) == -1 ||
	    name_checkpoint(s, err) == -1 ||
	    check_output(s, err) == -1 ||
	    peft_signals_open(&s->signals, err) == -1 ||
	    (s->source = peft_source_open(job->model, err)) == NULL ||
	    (s->cpu = peft_cpu_open(job->common.threads, err)) == NULL)
		return -1;
	peft_cpu_compute(s->cpu, job->opt.compute);
	if (open_model(s, err) == -1 || open_adapter(s, err) == -1 ||
	    peft_source_hash(s->source, job->common.threads, s->base,
	    err) == -1 || (job->init != NULL && peft_job_check_base(job,
	    job->init, s->adapter, s->base, err) == -1) ||
	    peft_job_frozen(job, peft_net_sites(s->net), s->base, err) == -1)
		return -1;
	job->opt.begun = peft_begin_wants_data(job->config) ? job->begin : 0;
	s->trainer = peft_trainer_open(s->net, s->adapter, &s->data,
	    s->evals, job->nevals, &job->opt, err);
	if (s->trainer == NULL || peft_job_frozen_check(job,
	    peft_net_sites(s->net), err) == -1)
		return -1;
	if (job->common.verbose > 0)
		peft_job_say_targets(s->cpu, s->adapter, s->trainer,
		    s->data.n);
	if (job->common.dry) {
		if (peft_trainer_forecast(s->trainer, &forecast, err) == -1)
			return -1;
		peft_trainer_print(s->trainer, &forecast);
		return 0;
	}
	return train(s, err);
}

int
peft_trainjob_run(struct peft_trainjob *job, struct peft_err *err)
{
	struct state s = { .job = job };
	int r = run(&s, err);

	close_all(&s);
	return r;
}
