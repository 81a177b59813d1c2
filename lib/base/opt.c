/* SPDX-License-Identifier: Apache-2.0 */
/* Options from one table: parsing, --help, --version. */

#include <archive.h>
#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zstd.h>

#include <cJSON.h>
#include <nettle/version.h>
#include <xxhash.h>

#include "base/buf.h"
#include "base/complete.h"
#include "base/opt.h"
#include "base/progress.h"

enum { MAXOPT = 128 };	/* rows: the bits of peft_common.given */

/* The options every program has, behind those of its table. */
static const struct peft_opt always[] = {
	{ PEFT_O_COMPLETION, "completion", "bash|zsh", "print a completion script and exit" },
	{ 'h', "help", NULL, "print this and exit" },
	{ 'V', "version", NULL, "print the version and exit; with -v what it is made of" },
	{ 0 }
};

static void
put_row(FILE *fp, const struct peft_opt *o)
{
	char left[80];

	snprintf(left, sizeof(left), "%s%c%s--%s%s%s",
	    o->ch <= 255 ? "-" : "  ", o->ch <= 255 ? o->ch : ' ',
	    o->ch <= 255 ? ", " : " ", o->name, o->arg != NULL ? "=" : "",
	    o->arg != NULL ? o->arg : "");
	fprintf(fp, "  %-30s %s\n", left, o->help);
}

static void
usage(FILE *fp, const struct peft_cli *cli)
{
	const struct peft_opt *o;

	fprintf(fp, "usage: %s %s\n%s\n\n", peft_getname(), cli->synopsis,
	    cli->about);
	for (o = cli->opts; o->name != NULL; o++)
		put_row(fp, o);
	for (o = always; o->name != NULL; o++)
		put_row(fp, o);
	fprintf(fp, "\nman %s tells more, man 7 peft how the programs work "
	    "together.\n", peft_getname());
}

static void
version(const struct peft_cli *cli, bool verbose)
{
	printf("%s %s\n", peft_getname(), PEFT_VERSION);
	if (!verbose)
		return;
	printf("compiler: %s\n", __VERSION__);
	printf("cJSON %s, zstd %s, %s, nettle %d.%d, xxHash %d.%d\n",
	    cJSON_Version(), ZSTD_versionString(), archive_version_string(),
	    NETTLE_VERSION_MAJOR, NETTLE_VERSION_MINOR, XXH_VERSION_MAJOR,
	    XXH_VERSION_MINOR);
	if (cli->versions != NULL)
		cli->versions();
}

struct tables {
	struct option	longs[MAXOPT + 8];
	char		shorts[2 * MAXOPT + 16];
};

static void
add_rows(struct tables *t, const struct peft_opt *o)
{
	size_t n = 0;
	char *s = t->shorts + strlen(t->shorts);

	while (t->longs[n].name != NULL)
		n++;
	for (; o->name != NULL && n < MAXOPT; o++) {
		t->longs[n++] = (struct option){ o->name, o->arg != NULL ?
		    required_argument : no_argument, NULL, o->ch };
		if (o->ch > 255)
			continue;
		*s++ = (char)o->ch;
		if (o->arg != NULL)
			*s++ = ':';
	}
	*s = '\0';
}

/* True if the option was a common one. */
static bool
common(int ch, struct peft_common *c)
{
	switch (ch) {
	case 'o':
		if (optarg[0] == '\0')
			peft_die(PEFT_USAGE, "-o: the name is empty");
		c->output = optarg;
		return true;
	case 'f':
		c->force = true;
		return true;
	case 'n':
		c->dry = true;
		return true;
	case 'q':
		c->quiet = true;
		return true;
	case 'v':
		c->verbose++;
		return true;
	case 'j':
		c->threads = (int)peft_optint("-j", optarg, 1, 1024);
		return true;
	case 's':
		c->seed = (uint64_t)peft_optint("-s", optarg, 0, INT64_MAX);
		return true;
	case PEFT_O_LOGJSON:
		c->logjson = true;
		peft_setjson();
		return true;
	}
	return false;
}

/* -V -v and -v -V alike: look ahead for the other one. */
static bool
has_verbose(int argc, char **argv, const struct peft_common *c)
{
	int i;

	if (c->verbose > 0)
		return true;
	for (i = 1; i < argc; i++)
		if (strcmp(argv[i], "-v") == 0 ||
		    strcmp(argv[i], "--verbose") == 0 ||
		    strcmp(argv[i], "-Vv") == 0)
			return true;
	return false;
}

/* What it took, as -v says at the end. */
static void
say_used(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	peft_warn("peak memory %.1f MiB, processor time %.1f s",
	    (double)peft_rss_peak() / (1 << 20),
	    (double)t.tv_sec + (double)t.tv_nsec * 1e-9);
}

/* The row of the table with that letter or that name; n rows if there is
 * none. */
static size_t
row_of(const struct peft_opt *opts, int ch, const char *name)
{
	size_t i;

	for (i = 0; opts[i].name != NULL; i++)
		if (name == NULL ? opts[i].ch == ch :
		    strcmp(opts[i].name, name) == 0)
			break;
	assert(i < MAXOPT);
	return i;
}

bool
peft_given(const struct peft_common *c, const char *name)
{
	size_t i = row_of(c->opts, 0, name);

	assert(c->opts[i].name != NULL);
	return c->given[i / 64] >> i % 64 & 1;
}

bool
peft_has_file(const struct peft_common *c)
{
	return c->output != NULL && strcmp(c->output, "-") != 0;
}

int
peft_getopt(int argc, char **argv, const struct peft_cli *cli,
    struct peft_common *c)
{
	struct tables t = { 0 };
	size_t row;
	int ch;

	c->opts = cli->opts;
	add_rows(&t, cli->opts);
	add_rows(&t, always);
	/* getopt_long names argv[0] in its messages: the plain name reads
	 * better than a path, and is what peft_warn says */
	if (argc > 0)
		argv[0] = strrchr(argv[0], '/') != NULL ?
		    strrchr(argv[0], '/') + 1 : argv[0];
	while ((ch = getopt_long(argc, argv, t.shorts, t.longs, NULL)) != -1) {
		switch (ch) {
		case 'h':
			usage(stdout, cli);
			exit(peft_finish(PEFT_OK));
		case 'V':
			version(cli, has_verbose(argc, argv, c));
			exit(peft_finish(PEFT_OK));
		case PEFT_O_COMPLETION:
			if (peft_complete(cli->opts, always, optarg) == -1)
				peft_die(PEFT_USAGE, "--completion: '%s' is "
				    "not bash or zsh", optarg);
			exit(peft_finish(PEFT_OK));
		case '?':		/* getopt_long has said what is wrong */
			fprintf(stderr, "try '%s --help'\n", peft_getname());
			exit(PEFT_USAGE);
		}
		row = row_of(cli->opts, ch, NULL);
		c->given[row / 64] |= UINT64_C(1) << row % 64;
		if (!common(ch, c))
			return ch;
	}
	if (c->verbose > 0 && !c->quiet && atexit(say_used) != 0)
		peft_die(PEFT_INPUT, "no memory");
	return -1;
}
