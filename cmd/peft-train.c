/* SPDX-License-Identifier: Apache-2.0 */
/* peft-train - train an adapter over a frozen model */

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/opt.h"
#include "base/progress.h"
#include "train/job.h"
#include "train/plot.h"

enum {
	O_METHOD = PEFT_O_OWN, O_SET, O_RANK, O_ALPHA, O_TARGET, O_DROPOUT,
	O_RSLORA, O_INIT, O_BEGIN, O_LOFTQ, O_TRAIN, O_FROZEN, O_LR, O_EPOCHS,
	O_STEPS, O_BATCH, O_MICRO, O_SCHEDULE, O_WARMUP, O_CYCLES, O_MINLR,
	O_POWER, O_LRDECAY, O_PLATEAU, O_FALL, O_OPTIMISER, O_DECAY, O_CLIP,
	O_BETA1, O_BETA2, O_EPS, O_LORAPLUS, O_SMOOTHING, O_ZLOSS, O_NEFTUNE,
	O_EMA, O_SPIKE, O_NOSHUFFLE, O_EVAL, O_EVALEVERY, O_PATIENCE, O_LOG,
	O_PROFILE, O_PLOT, O_SVG, O_SAVEEVERY, O_CKPT, O_KEEP, O_RESUME,
	O_COMPUTE, O_MEMLIMIT, O_PARTIAL, O_ANYBASE, O_TASK, O_PROBLEM
};

static const struct peft_opt opts[] = {
	{ 'm', "model", "MODEL", "the frozen base: a folder, a GGUF file, a bundle" },
	PEFT_OPT_OUTPUT,
	{ O_TASK, "task", "causal-lm|seq-cls|token-cls", "what is learnt: text, a class, a class of each word (by the records)" },
	{ O_PROBLEM, "problem", "single|multi|regression", "seq-cls: one class holds, any may, or it is a value (by the records)" },
	{ O_METHOD, "method", "NAME", "kind of adapter (lora)" },
	{ O_SET, "set", "KEY=JSON", "put a key into the adapter's config" },
	{ O_RANK, "rank", "R", "rank, if the method has one (lora: 8)" },
	{ O_ALPHA, "alpha", "A", "scale: alpha / rank multiplies the adapter (2 x rank)" },
	{ O_TARGET, "target", "LIST", "modules: names with commas, a regex, or all-linear (all-linear)" },
	{ O_DROPOUT, "dropout", "P", "dropout on the adapter's input (0)" },
	{ O_RSLORA, "rslora", NULL, "scale by alpha / sqrt(rank)" },
	{ 'c', "config", "FILE", "start from this adapter_config.json" },
	{ O_INIT, "init", "ADAPTER", "go on from this adapter's values" },
	{ O_BEGIN, "init-records", "N", "records that corda and lora_ga begin from (256)" },
	{ O_LOFTQ, "loftq", "MODEL", "lora: begin as what quantising the base has lost of this one" },
	{ 'a', "adapter", "[NAME=]ADAPTER", "an adapter that --train and --frozen name (repeatable)" },
	{ O_TRAIN, "train", "NAME", "go on from the values of this one" },
	{ O_FROZEN, "frozen", "NAME[=W]", "train atop this adapter, times its weight (1); repeatable" },
	{ O_LR, "lr", "RATE", "learning rate (2e-4)" },
	{ O_EPOCHS, "epochs", "N", "passes over the records (1)" },
	{ O_STEPS, "steps", "N", "steps instead of epochs" },
	{ O_BATCH, "batch", "N", "records of a step (8)" },
	{ O_MICRO, "micro-tokens", "N", "most tokens in memory at a time (2048)" },
	{ O_SCHEDULE, "schedule", "NAME", "of the learning rate: constant, linear, cosine, cosine-with-restarts, polynomial, inverse-sqrt, warmup-stable-decay, reduce-on-plateau (linear)" },
	{ O_WARMUP, "warmup", "N", "steps of warm-up; below 1: a share of all (0.03)" },
	{ O_CYCLES, "cycles", "N", "waves of cosine (0.5), restarts (1)" },
	{ O_MINLR, "min-lr-ratio", "R", "the rate at the end, as a share of --lr (0)" },
	{ O_POWER, "power", "P", "of the polynomial (1)" },
	{ O_LRDECAY, "decay-steps", "N", "last steps, in which warmup-stable-decay decays" },
	{ O_PLATEAU, "plateau", "N", "evaluations without a better one, after which reduce-on-plateau reduces (10)" },
	{ O_FALL, "plateau-factor", "F", "what it multiplies the rate with (0.1)" },
	{ O_OPTIMISER, "optimizer", "NAME", "adamw, adamw8bit, sgd, lion, adafactor, schedule-free (adamw)" },
	{ O_DECAY, "weight-decay", "W", "decoupled weight decay (0)" },
	{ O_CLIP, "clip", "NORM", "largest norm of the gradient; 0: no limit (1)" },
	{ O_BETA1, "beta1", "B", "decay of the first moment; sgd's momentum (0.9)" },
	{ O_BETA2, "beta2", "B", "decay of the second moment (0.999; lion 0.99)" },
	{ O_EPS, "eps", "E", "added to the root of the second moment (1e-8)" },
	{ O_LORAPLUS, "loraplus", "RATIO", "LoRA+: the rate of B and of vectors, times --lr" },
	{ O_SMOOTHING, "label-smoothing", "A", "share of the target spread over all tokens (0)" },
	{ O_ZLOSS, "z-loss", "Z", "add Z times the squared log of the softmax's sum (0)" },
	{ O_NEFTUNE, "neftune", "A", "noise on the embeddings, as NEFTune has it (0)" },
	{ O_EMA, "ema", "DECAY", "use the running average of the values" },
	{ O_SPIKE, "skip-spikes", "F", "do not learn from steps whose loss is over F times the running mean" },
	{ O_NOSHUFFLE, "no-shuffle", NULL, "take records in the order they come" },
	{ O_EVAL, "eval", "FILE", "token records to evaluate on (repeatable); the best adapter on the first is kept" },
	{ O_EVALEVERY, "eval-every", "N", "evaluate each N steps (at the end only)" },
	{ O_PATIENCE, "patience", "N", "end after N evaluations without a better one" },
	{ O_LOG, "log", "FILE", "write a JSON line a step" },
	{ O_PROFILE, "profile", NULL, "say where the time went, beside what this machine can do" },
	{ O_PLOT, "plot", "LOG", "only draw the losses in a log, in characters" },
	{ O_SVG, "svg", "LOG", "only draw them as SVG" },
	{ O_SAVEEVERY, "save-every", "N", "write a checkpoint each N steps" },
	{ O_CKPT, "checkpoint", "FILE", "where (OUT.ckpt)" },
	{ O_KEEP, "keep-checkpoints", "N", "keep the last N: FILE, FILE.1, ... (1)" },
	{ O_RESUME, "resume", NULL, "go on from the checkpoint" },
	{ O_COMPUTE, "compute", "f32|bf16|int8", "type of what the products with the model's weights are made from (f32)" },
	{ O_MEMLIMIT, "mem-limit", "SIZE", "plan for at most SIZE bytes (like 2G), or refuse" },
	{ O_PARTIAL, "partial", NULL, "accept a token stream that was cut short" },
	{ O_ANYBASE, "any-base", NULL, "accept adapters of another base" },
	PEFT_OPT_FORCE, PEFT_OPT_DRY, PEFT_OPT_THREADS, PEFT_OPT_SEED,
	PEFT_OPT_QUIET, PEFT_OPT_VERBOSE, PEFT_OPT_LOGJSON,
	{ 0 }
};

/* Draw a log's curves to standard output, and that is all: of n other
 * arguments none would do anything. */
static int
draw(const char *path, void (*how)(const struct peft_plot *,
    struct peft_buf *), int n)
{
	struct peft_buf b = { 0 };
	struct peft_err err = { 0 };
	struct peft_plot plot;

	if (n > 0)
		peft_die(PEFT_USAGE, "--plot and --svg only draw a log, to "
		    "standard output: nothing goes beside them");
	if (peft_plot_read(&plot, path, &err) == -1)
		peft_die((int)err.status, "%s", err.msg);
	how(&plot, &b);
	peft_plot_free(&plot);
	if (b.failed)
		peft_die(PEFT_INPUT, "no memory");
	(void)fwrite(b.data, 1, b.len, stdout);
	peft_buf_free(&b);
	return peft_finish(0);
}

static void
versions(void)
{
	struct peft_err err;
	struct peft_cpu *cpu = peft_cpu_open(0, &err);

	puts(cpu == NULL ? err.msg : peft_cpu_describe(cpu));
	peft_cpu_close(cpu);
}

static const struct peft_cli cli = {
	.synopsis = "-m MODEL [-o ADAPTER] [TOKENS ...]",
	.about = "train an adapter over a frozen model",
	.opts = opts,
	.versions = versions,
};

/* Options of the adapter's config, over those of -c. */
static bool
adapter_option(struct peft_trainjob *job, int ch)
{
	switch (ch) {
	case O_METHOD:
		job->method = optarg;
		return true;
	case O_SET:
		peft_job_set_key(job, optarg);
		return true;
	case O_RANK:
		job->knobs[PEFT_KNOB_RANK] = (double)peft_optint("--rank",
		    optarg, 1, 65536);
		return true;
	case O_ALPHA:
		job->knobs[PEFT_KNOB_ALPHA] = peft_optreal("--alpha", optarg,
		    0, 1e9);
		return true;
	case O_DROPOUT:
		job->knobs[PEFT_KNOB_DROPOUT] = peft_optreal("--dropout",
		    optarg, 0, 0.999);
		return true;
	case O_RSLORA:
		job->rslora = true;
		return true;
	case O_TARGET:
		job->target = optarg;
		return true;
	case O_LOFTQ:
		job->loftq = optarg;
		return true;
	case 'c':
		job->config_path = optarg;
		return true;
	}
	return false;
}

/* Options that name adapters. */
static bool
naming_option(struct peft_trainjob *job, int ch)
{
	switch (ch) {
	case 'a':
		job->named[job->nnamed++].spec = optarg;
		return true;
	case O_TRAIN:
		job->train = optarg;
		return true;
	case O_FROZEN:
		peft_job_add_frozen(job, optarg);
		return true;
	case O_INIT:
		job->init = optarg;
		return true;
	}
	return false;
}

/* Options that are one number, by their long names. */
static bool
number_option(struct peft_trainopt *o, int ch)
{
	const struct peft_opt *p;

	for (p = opts; p->name != NULL; p++)
		if (p->ch == ch)
			return peft_trainopt_number(o, p->name, optarg);
	return false;
}

static void
other_option(struct peft_trainjob *job, int ch)
{
	switch (ch) {
	case 'm':
		job->model = optarg;
		break;
	case O_BEGIN:
		job->begin = (size_t)peft_optint("--init-records", optarg, 1,
		    INT32_MAX);
		break;
	case O_SCHEDULE:
		job->opt.schedule.kind = (enum peft_schedule)peft_optword(
		    "--schedule", optarg, peft_schedule_names);
		break;
	case O_OPTIMISER:
		(void)peft_optword("--optimizer", optarg,
		    peft_optimiser_names);
		job->opt.optimiser = peft_optimiser_find(optarg);
		break;
	case O_NOSHUFFLE:
		job->opt.shuffle = false;
		break;
	case O_EVAL:
		job->evals[job->nevals++] = optarg;
		break;
	case O_LOG:
		job->log = optarg;
		break;
	case O_PROFILE:
		job->profile = true;
		break;
	case O_CKPT:
		job->opt.checkpoint = optarg;
		break;
	case O_RESUME:
		job->opt.resume = true;
		break;
	case O_COMPUTE:
		job->opt.compute = (enum peft_compute)peft_optword(
		    "--compute", optarg, peft_compute_names);
		break;
	case O_MEMLIMIT:
		job->opt.mem_limit = peft_optsize("--mem-limit", optarg);
		break;
	case O_PARTIAL:
		job->partial = true;
		break;
	case O_ANYBASE:
		job->any_base = true;
		break;
	case O_TASK:
		job->task = (enum peft_task)peft_optword("--task", optarg,
		    peft_task_words);
		break;
	case O_PROBLEM:
		job->problem = (enum peft_problem)peft_optword("--problem",
		    optarg, peft_problem_words);
		break;
	}
}

static void
parse(struct peft_trainjob *job, int argc, char **argv)
{
	int ch, k;

	job->evals = calloc((size_t)argc, sizeof(*job->evals));
	job->frozen = calloc((size_t)argc, sizeof(*job->frozen));
	job->named = calloc((size_t)argc, sizeof(*job->named));
	if (job->evals == NULL || job->frozen == NULL || job->named == NULL)
		peft_die(PEFT_INPUT, "no memory");
	for (k = 0; k < PEFT_NKNOB; k++)
		job->knobs[k] = NAN;
	while ((ch = peft_getopt(argc, argv, &cli, &job->common)) != -1)
		if (ch == O_PLOT || ch == O_SVG)
			exit(draw(optarg, ch == O_PLOT ? peft_plot_text :
			    peft_plot_svg, argc - 2 -
			    (optarg == argv[optind - 1])));
		else if (!adapter_option(job, ch) &&
		    !naming_option(job, ch) && !number_option(&job->opt, ch))
			other_option(job, ch);
	job->paths = argv + optind;
	job->npaths = (size_t)(argc - optind);
	job->opt.seed = job->common.seed;
	job->opt.force = job->common.force;
	peft_trainjob_check(job);
}

int
main(int argc, char **argv)
{
	struct peft_trainjob job = { .opt = peft_trainopt_default() };
	struct peft_err err = { 0 };
	int r;

	peft_setname(argv[0]);
	if ((job.config = cJSON_CreateObject()) == NULL)
		peft_die(PEFT_INPUT, "no memory");
	parse(&job, argc, argv);
	r = peft_trainjob_run(&job, &err);
	if (r == -1)
		peft_warn("%s", err.msg);
	cJSON_Delete(job.config);
	free(job.evals);
	free(job.frozen);
	free(job.named);
	return peft_finish(r == -1 ? (int)err.status : r);
}
