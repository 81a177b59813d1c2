/* SPDX-License-Identifier: Apache-2.0 */
/* Errors with text, and how a command ends. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

/* The only variables of their kind: set once, before any thread. */
static const char *progname = "peft";
static bool json_lines;

/* Names in messages come from files, and messages go to terminals: control
 * characters (C1, which is 0xc2 0x80 to 0x9f, too) do not. */
static void
make_plain(char *s)
{
	for (; *s != '\0'; s++)
		if (*s == '\n' || *s == '\t')
			*s = ' ';
		else if ((*s > 0 && *s < ' ') || *s == 0x7f)
			*s = '?';
		else if ((unsigned char)s[0] == 0xc2 &&
		    (unsigned char)s[1] >= 0x80 && (unsigned char)s[1] < 0xa0)
			s[0] = s[1] = '?';
}

static void
vset(struct peft_err *err, enum peft_exit status, int errnum, const char *fmt,
    va_list ap)
{
	int n;

	err->status = status;
	n = vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	if (errnum != 0 && n >= 0 && (size_t)n < sizeof(err->msg))
		snprintf(err->msg + n, sizeof(err->msg) - (size_t)n, ": %s",
		    strerror(errnum));
	make_plain(err->msg);
}

int
peft_seterr(struct peft_err *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vset(err, PEFT_INPUT, 0, fmt, ap);
	va_end(ap);
	return -1;
}

int
peft_seterrno(struct peft_err *err, const char *fmt, ...)
{
	int errnum = errno;
	va_list ap;

	va_start(ap, fmt);
	vset(err, PEFT_INPUT, errnum, fmt, ap);
	va_end(ap);
	return -1;
}

int
peft_setfail(struct peft_err *err, enum peft_exit status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vset(err, status, 0, fmt, ap);
	va_end(ap);
	return -1;
}

int
peft_errprefix(struct peft_err *err, const char *fmt, ...)
{
	char old[sizeof(err->msg)];
	va_list ap;
	size_t n;

	memcpy(old, err->msg, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	n = strlen(err->msg);
	if (strncmp(old, err->msg, n) == 0 && strncmp(old + n, ": ", 2) == 0)
		memcpy(err->msg, old, sizeof(old));
	else
		snprintf(err->msg + n, sizeof(err->msg) - n, ": %.*s",
		    (int)(sizeof(old) - 1), old);
	make_plain(err->msg);
	return -1;
}

/* A standard descriptor that is closed would be given to the next file that
 * is opened, and what goes to standard output would go there.  Each gets one
 * that cannot do what is asked of it: the error is then as it should be. */
static void
fill_descriptors(void)
{
	int fd;

	for (fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) == -1 && errno == EBADF)
			(void)open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

/* A mapped file that became shorter: what was there cannot be read. */
static void
file_was_cut(int sig)
{
	static const char what[] = ": a file was cut while it was read\n";
	ssize_t n;

	(void)sig;
	n = write(STDERR_FILENO, progname, strlen(progname));
	n = write(STDERR_FILENO, what, sizeof(what) - 1);
	(void)n;
	_exit(PEFT_INPUT);
}

void
peft_setname(const char *argv0)
{
	const char *slash = strrchr(argv0, '/');

	fill_descriptors();
	progname = slash != NULL ? slash + 1 : argv0;
	(void)signal(SIGBUS, file_was_cut);
	(void)signal(SIGXFSZ, SIG_IGN);	/* the write says it, and is named */
}

void
peft_setjson(void)
{
	json_lines = true;
}

const char *
peft_getname(void)
{
	return progname;
}

static void
put_line(const char *line)
{
	struct peft_buf b = { 0 };

	if (json_lines) {
		peft_buf_puts(&b, "{\"program\":");
		peft_json_putstr(&b, progname, strlen(progname));
		peft_buf_puts(&b, ",\"message\":");
		peft_json_putstr(&b, line, strlen(line));
		peft_buf_putc(&b, '}');
	}
	if (json_lines && !b.failed)
		fprintf(stderr, "%s\n", b.data);
	else
		fprintf(stderr, "%s: %s\n", progname, line);
	peft_buf_free(&b);
}

static void
vwarn(const char *fmt, va_list ap)
{
	char line[1024];

	vsnprintf(line, sizeof(line), fmt, ap);
	make_plain(line);
	fflush(stdout);			/* keep the two streams in order */
	put_line(line);
}

void
peft_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vwarn(fmt, ap);
	va_end(ap);
}

void
peft_die(enum peft_exit status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vwarn(fmt, ap);
	va_end(ap);
	exit(status);
}

int
peft_finish(int status)
{
	/*
	 * All three tests are needed.  Once a flush has failed and dropped
	 * its data, a later fflush() and fclose() both report success, and
	 * only ferror() remembers.
	 */
	int bad = ferror(stdout);
	char line[256];

	bad |= fflush(stdout) == EOF;
	bad |= fclose(stdout) == EOF;
	if (bad && status == PEFT_INPUT)
		return status;		/* it was said why */
	if (bad) {
		snprintf(line, sizeof(line), "standard output: %s",
		    errno != 0 ? strerror(errno) : "write error");
		put_line(line);
		return PEFT_INPUT;
	}
	return status;
}
