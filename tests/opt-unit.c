/* SPDX-License-Identifier: Apache-2.0 */
/* Options, their arguments, how a command ends, progress: each in a child,
 * whose status and words are looked at. */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/opt.h"
#include "base/progress.h"
#include "tap.h"

struct said {
	int	status;
	char	out[4096], err[4096];
};

static void
take(int fd, char text[4096])
{
	ssize_t n = pread(fd, text, 4095, 0);

	text[n > 0 ? n : 0] = '\0';
}

/* fn in a child; it ends by returning or by exit(). */
static struct said
child(int (*fn)(void *), void *ctx)
{
	FILE *out = tmpfile(), *err = tmpfile();
	struct said s = { .status = -1 };
	int status;
	pid_t pid;

	fflush(stdout);
	if (out == NULL || err == NULL || (pid = fork()) == -1) {
		printf("Bail out! no child\n");
		exit(1);
	}
	if (pid == 0) {
		dup2(fileno(out), STDOUT_FILENO);
		dup2(fileno(err), STDERR_FILENO);
		exit(fn(ctx));
	}
	if (waitpid(pid, &status, 0) == pid && WIFEXITED(status))
		s.status = WEXITSTATUS(status);
	take(fileno(out), s.out);
	take(fileno(err), s.err);
	fclose(out);
	fclose(err);
	return s;
}

static const struct peft_opt opts[] = {
	{ 't', "type", "f32|nf4", "what to make" },
	{ PEFT_O_OWN, "only-long", NULL, "has no letter" },
	PEFT_OPT_OUTPUT, PEFT_OPT_FORCE, PEFT_OPT_DRY, PEFT_OPT_THREADS,
	PEFT_OPT_SEED, PEFT_OPT_QUIET, PEFT_OPT_VERBOSE, PEFT_OPT_LOGJSON,
	{ 0 }
};

static void
versions(void)
{
	puts("computes: by hand");
}

static const struct peft_cli cli = { "[FILE ...]", "tests options", opts,
	versions };

/* Prints the options of its own, then all common ones. */
static int
parse(void *ctx)
{
	char **argv = ctx;
	struct peft_common c = { 0 };
	int argc = 0, ch;

	while (argv[argc] != NULL)
		argc++;
	peft_setname(argv[0]);
	while ((ch = peft_getopt(argc, argv, &cli, &c)) != -1)
		printf("%d=%s ", ch, optarg != NULL ? optarg : "");
	printf("o=%s f=%d n=%d j=%d s=%llu q=%d v=%d json=%d rest=%s\n",
	    c.output != NULL ? c.output : "", c.force, c.dry, c.threads,
	    (unsigned long long)c.seed, c.quiet, c.verbose, c.logjson,
	    optind < argc ? argv[optind] : "");
	return peft_finish(PEFT_OK);
}

/* words: the command line, split at blanks. */
static struct said
command(const char *words)
{
	char text[256], *argv[16], *save;
	int n = 0;

	snprintf(text, sizeof(text), "/bin/opt-unit %s", words);
	for (argv[n] = strtok_r(text, " ", &save); argv[n] != NULL && n < 15;
	    argv[n] = strtok_r(NULL, " ", &save))
		n++;
	argv[n] = NULL;
	return child(parse, argv);
}

static void
test_getopt(void)
{
	static const struct { const char *words, *out; } good[] = {
		{ "", "o= f=0 n=0 j=0 s=0 q=0 v=0 json=0 rest=\n" },
		{ "-t nf4 file -f", "116=nf4 o= f=1 n=0 j=0 s=0 q=0 v=0 "
		    "json=0 rest=file\n" },
		{ "--type=x --only-long -vv -n -q", "116=x 2000= o= f=0 n=1 "
		    "j=0 s=0 q=1 v=2 json=0 rest=\n" },
		{ "-j 3 -s 9223372036854775807 -o out --log-json -- -t",
		    "o=out f=0 n=0 j=3 s=9223372036854775807 q=0 v=0 json=1 "
		    "rest=-t\n" } };
	static const struct { const char *words, *err; } bad[] = {
		{ "-x", "opt-unit: invalid option -- 'x'\n" },
		{ "--none", "opt-unit: unrecognized option '--none'\n" },
		{ "-t", "opt-unit: option requires an argument -- 't'\n" },
		{ "-j 0", "opt-unit: -j: 0 is not in [1, 1024]\n" },
		{ "-j 2x", "opt-unit: -j: '2x' is not a whole number\n" },
		{ "-s -1", "opt-unit: -s: -1 is not in [0, " },
		{ "-s 9223372036854775808", "opt-unit: -s: "
		    "'9223372036854775808' is not a whole number\n" },
		{ "--completion=fish", "opt-unit: --completion: 'fish' is "
		    "not bash or zsh\n" } };
	struct said s;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		s = command(good[i].words);
		ok(s.status == 0 && s.err[0] == '\0' && strcmp(s.out,
		    good[i].out) == 0, "'%s'", good[i].words);
	}
	s = command("-v");
	ok(strncmp(s.err, "opt-unit: peak memory ", 22) == 0 &&
	    strstr(s.err, " MiB, processor time ") != NULL,
	    "-v says at the end what it took");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		s = command(bad[i].words);
		ok(s.status == PEFT_USAGE && s.out[0] == '\0' && strncmp(s.err,
		    bad[i].err, strlen(bad[i].err)) == 0, "'%s' is refused",
		    bad[i].words);
	}
}

static void
test_help(void)
{
	struct said s = command("-h"), v;

	ok(s.status == 0 && s.err[0] == '\0' && strncmp(s.out,
	    "usage: opt-unit [FILE ...]\ntests options\n\n", 42) == 0 &&
	    strstr(s.out, "\n  -t, --type=f32|nf4             what to make\n")
	    != NULL && strstr(s.out,
	    "\n      --only-long                has no letter\n") != NULL &&
	    strstr(s.out, "\n  -h, --help ") != NULL,
	    "help is the table, on standard output");
	s = command("-V");
	ok(s.status == 0 && strcmp(s.out, "opt-unit " PEFT_VERSION "\n") == 0,
	    "the version");
	s = command("-V -v");
	v = command("-v -V");
	ok(strstr(s.out, "compiler: ") != NULL && strstr(s.out,
	    "computes: by hand\n") != NULL && strcmp(s.out, v.out) == 0,
	    "and what it is made of, in either order");
}

static int
full(void *ctx)
{
	int fd = open("/dev/full", O_WRONLY);

	(void)ctx;
	peft_setname("opt-unit");
	if (fd == -1 || dup2(fd, STDOUT_FILENO) == -1)
		return 9;
	puts("lost");
	return peft_finish(PEFT_OK);
}

/* The words are dropped by an early flush; only ferror() remembers. */
static int
full_before(void *ctx)
{
	int fd = open("/dev/full", O_WRONLY);

	(void)ctx;
	if (fd == -1 || dup2(fd, STDOUT_FILENO) == -1)
		return 9;
	puts("lost");
	fflush(stdout);
	return peft_finish(PEFT_OK);
}

static int
fail(void *ctx)
{
	(void)ctx;
	peft_setname("opt-unit");
	fputs("data", stdout);
	peft_warn("row %d", 3);
	peft_die(PEFT_CHECK, "%s", "not so");
}

static void
test_ends(void)
{
	struct said s = child(full, NULL);

	ok(s.status == PEFT_INPUT && strncmp(s.err, "opt-unit: standard "
	    "output: ", 27) == 0, "output that is lost is not success");
	ok(child(full_before, NULL).status == PEFT_INPUT,
	    "nor if it was lost before");
	s = child(fail, NULL);
	ok(s.status == PEFT_CHECK && strcmp(s.out, "data") == 0 &&
	    strcmp(s.err, "opt-unit: row 3\nopt-unit: not so\n") == 0,
	    "warn and die: the name, the words, the status");
}

struct arg {
	char		 kind;
	const char	*s;
};

static int
argument(void *ctx)
{
	static const char *const words[] = { "one", "two", NULL };
	const struct arg *a = ctx;

	peft_setname("opt-unit");
	if (a->kind == 'r')
		printf("%.17g", peft_optreal("--lr", a->s, -2, 1e3));
	else if (a->kind == 's')
		printf("%llu", (unsigned long long)peft_optsize("--mem",
		    a->s));
	else
		printf("%d", peft_optword("--w", a->s, words));
	return 0;
}

static void
test_arguments(void)
{
	static const struct { struct arg a; int status; const char *text; }
	    rows[] = {
		{ { 'r', "1e-4" }, 0, "0.0001" },
		{ { 'r', "-2" }, 0, "-2" },
		{ { 'r', "-2.1" }, 1, "--lr: -2.1 is not in [-2, 1000]" },
		{ { 'r', "1001" }, 1, "--lr: 1001 is not in [-2, 1000]" },
		{ { 'r', "" }, 1, "--lr: '' is not a number" },
		{ { 'r', "1e-4x" }, 1, "--lr: '1e-4x' is not a number" },
		{ { 'r', "nan" }, 1, "--lr: 'nan' is not a number" },
		{ { 'r', "1e999" }, 1, "--lr: '1e999' is not a number" },
		{ { 'r', "1e-999" }, 1, "--lr: '1e-999' is not a number" },
		{ { 's', "0" }, 0, "0" },
		{ { 's', "1500" }, 0, "1500" },
		{ { 's', "3K" }, 0, "3072" },
		{ { 's', "1.5m" }, 0, "1572864" },
		{ { 's', "2G" }, 0, "2147483648" },
		{ { 's', "1T" }, 0, "1099511627776" },
		{ { 's', "3KB" }, 1, "--mem: '3KB' is not a size (like 512M "
		    "or 4.6G)" },
		{ { 's', "-1" }, 1, "--mem: '-1' is not a size (like 512M or "
		    "4.6G)" },
		{ { 's', "1P" }, 1, "--mem: '1P' is not a size (like 512M or "
		    "4.6G)" },
		{ { 's', "nan" }, 1, "--mem: 'nan' is not a size (like 512M "
		    "or 4.6G)" },
		{ { 's', "9e18" }, 1, "--mem: '9e18' is not a size (like "
		    "512M or 4.6G)" },
		{ { 's', "K" }, 1, "--mem: 'K' is not a size (like 512M or "
		    "4.6G)" },
		{ { 'w', "two" }, 0, "1" },
		{ { 'w', "tw" }, 1, "--w: 'tw' is not one of one, two" } };
	char want[128];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arg a = rows[i].a;
		struct said s = child(argument, &a);

		snprintf(want, sizeof(want), rows[i].status == 0 ? "%s" :
		    "opt-unit: %s\n", rows[i].text);
		ok(s.status == rows[i].status && strcmp(s.status == 0 ?
		    s.out : s.err, want) == 0, "%c %s: %s", a.kind, a.s,
		    rows[i].text);
	}
}

/* As if some seconds had gone by. */
static int
progress(void *ctx)
{
	const struct peft_common *c = ctx;
	struct peft_progress p;

	peft_setname("opt-unit");
	peft_progress_start(&p, "reading", 200, "tensors", c);
	peft_progress_set(&p, 10, "too early");
	p.t0 -= 100;
	p.tlast -= 100;
	peft_progress_set(&p, 50, "a \"b\"");
	peft_progress_set(&p, 51, "too early");
	peft_progress_end(&p);
	return 0;
}

/* Ten steps in a hundred seconds, ninety are left. */
static int
going_on(void *ctx)
{
	const struct peft_common *c = ctx;
	struct peft_progress p;

	peft_setname("opt-unit");
	peft_progress_start(&p, "train", 1000, "steps", c);
	peft_progress_from(&p, 900);
	p.t0 -= 100;
	p.tlast -= 100;
	peft_progress_set(&p, 910, NULL);
	return 0;
}

static void
test_progress(void)
{
	struct peft_common plain = { 0 }, json = { .logjson = true };
	struct peft_common quiet = { .quiet = true };
	struct said s = child(progress, &plain);

	ok(strcmp(s.err, "opt-unit: reading: 50 of 200 tensors, 5:00 left, "
	    "a \"b\"\n") == 0 && s.out[0] == '\0', "progress: a line now and "
	    "then, and how long it will take");
	s = child(progress, &json);
	ok(strcmp(s.err, "{\"progress\":\"reading\",\"done\":50,"
	    "\"total\":200,\"seconds\":100.0,\"note\":\"a \\\"b\\\"\"}\n") ==
	    0, "or a line of JSON");
	s = child(going_on, &plain);
	ok(strcmp(s.err, "opt-unit: train: 910 of 1000 steps, 15:00 left\n")
	    == 0, "what an earlier run did took none of this one's time");
	s = child(progress, &quiet);
	ok(s.err[0] == '\0' && s.out[0] == '\0', "or nothing");
}

int
main(void)
{
	test_getopt();
	test_help();
	test_ends();
	test_arguments();
	test_progress();
	ok(peft_rss_peak() > 100000, "memory in use is known");
	return tap_end();
}
