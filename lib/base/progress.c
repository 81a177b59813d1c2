/* SPDX-License-Identifier: Apache-2.0 */
/* What a person sees of long work. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/progress.h"

enum { BAR = 24 };

double
peft_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* A size that the system tells of this process, in bytes. */
static size_t
status_of(const char *key)
{
	FILE *fp = fopen("/proc/self/status", "re");
	size_t len = strlen(key), kib = 0;
	char line[128];

	while (fp != NULL && fgets(line, sizeof(line), fp) != NULL)
		if (strncmp(line, key, len) == 0) {
			kib = strtoul(line + len, NULL, 10);
			break;
		}
	if (fp != NULL)
		fclose(fp);
	return kib * 1024;
}

size_t
peft_rss_peak(void)
{
	return status_of("VmHWM:");
}

size_t
peft_rss(void)
{
	return status_of("VmRSS:");
}

void
peft_progress_start(struct peft_progress *p, const char *label, double total,
    const char *unit, const struct peft_common *c)
{
	const char *no = getenv("NO_COLOR");

	*p = (struct peft_progress){ .label = label, .total = total,
	    .unit = unit, .quiet = c->quiet, .json = c->logjson };
	p->tty = !p->json && isatty(STDERR_FILENO);
	p->colour = p->tty && (no == NULL || no[0] == '\0');
	p->t0 = p->tlast = peft_now();
}

/* "1:05" or "2:03:09" */
static void
put_time(struct peft_buf *b, double seconds)
{
	long s = (long)(seconds + 0.5);

	if (s >= 3600)
		peft_buf_printf(b, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60,
		    s % 60);
	else
		peft_buf_printf(b, "%ld:%02ld", s / 60, s % 60);
}

static double
remaining(const struct peft_progress *p, double now)
{
	return p->done > p->before && p->total > p->done ?
	    (now - p->t0) * (p->total - p->done) / (p->done - p->before) : 0;
}

void
peft_progress_from(struct peft_progress *p, double before)
{
	p->before = p->done = before;
}

double
peft_progress_left(const struct peft_progress *p)
{
	return remaining(p, peft_now());
}

static void
draw_bar(struct peft_progress *p, double now, const char *note)
{
	double share = p->total > 0 ? p->done / p->total : 0;
	int full = (int)(share * BAR), i;
	struct peft_buf b = { 0 };

	share = share > 1 ? 1 : share;
	peft_buf_printf(&b, "%s ", p->label);
	for (i = 0; i < BAR; i++)
		peft_buf_puts(&b, i < full ? "\xe2\x94\x81" :
		    i == full ? "\xe2\x95\xb8" : " ");
	peft_buf_printf(&b, " %3.0f %% %.0f/%.0f %s ", share * 100, p->done,
	    p->total, p->unit);
	put_time(&b, remaining(p, now));
	if (note != NULL)
		peft_buf_printf(&b, "  %s", note);
	if (!b.failed) {
		fprintf(stderr, "\r%s%s%s\033[K", p->colour ? "\033[36m" : "",
		    b.data, p->colour ? "\033[0m" : "");
		fflush(stderr);
	}
	p->width = b.len;
	peft_buf_free(&b);
}

static void
print_line(const struct peft_progress *p, double now, const char *note)
{
	struct peft_buf b = { 0 };

	if (p->json) {
		peft_buf_puts(&b, "{\"progress\":");
		peft_json_putstr(&b, p->label, strlen(p->label));
		peft_buf_printf(&b, ",\"done\":%.0f,\"total\":%.0f,"
		    "\"seconds\":%.1f", p->done, p->total, now - p->t0);
		if (note != NULL) {
			peft_buf_puts(&b, ",\"note\":");
			peft_json_putstr(&b, note, strlen(note));
		}
		peft_buf_puts(&b, "}");
	} else {
		peft_buf_printf(&b, "%s: %s: %.0f of %.0f %s, ",
		    peft_getname(), p->label, p->done, p->total, p->unit);
		put_time(&b, remaining(p, now));
		peft_buf_printf(&b, " left%s%s", note != NULL ? ", " : "",
		    note != NULL ? note : "");
	}
	if (!b.failed)
		fprintf(stderr, "%s\n", b.data);
	peft_buf_free(&b);
}

void
peft_progress_set(struct peft_progress *p, double done, const char *note)
{
	double now = peft_now();
	double every = p->tty ? 0.1 : 10;

	p->done = done;
	if (p->quiet || (now - p->tlast < every && !(p->tty &&
	    done >= p->total)))
		return;
	p->tlast = now;
	if (p->tty)
		draw_bar(p, now, note);
	else
		print_line(p, now, note);
}

void
peft_progress_wipe(struct peft_progress *p)
{
	if (p->width == 0)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
	p->width = 0;
}

void
peft_progress_end(struct peft_progress *p)
{
	peft_progress_wipe(p);
}
