/* SPDX-License-Identifier: Apache-2.0 */
/* Text input: lines, packed or not, and every way of cutting them short. */

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>

#include "base/in.h"
#include "tap.h"

enum { LINES = 400, ROOM = 1 << 20 };

enum packing { NONE, GZIP, ZSTD };
static const char *const packings[] = { "plain", "gzip", "zstd" };

static void
put(const char *path, const void *p, size_t n)
{
	FILE *fp = fopen(path, "w");

	if (fp == NULL || fwrite(p, 1, n, fp) != n || fclose(fp) == EOF) {
		printf("Bail out! %s\n", path);
		exit(1);
	}
}

/* With a check sum of what is in it, as zstd(1) does. */
static size_t
pack_zstd(const char *text, size_t len, char dst[ROOM])
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	size_t n = ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);

	if (!ZSTD_isError(n))
		n = ZSTD_compress2(c, dst, ROOM, text, len);
	ZSTD_freeCCtx(c);
	need(!ZSTD_isError(n), &(struct peft_err){ .msg = "cannot pack" });
	return n;
}

static size_t
pack_gzip(const char *text, size_t len, char dst[ROOM])
{
	struct archive *a = archive_write_new();
	struct archive_entry *e = archive_entry_new();
	size_t used = 0;
	int bad = archive_write_add_filter_gzip(a);

	bad |= archive_write_set_format_raw(a);
	bad |= archive_write_set_bytes_in_last_block(a, 1);
	bad |= archive_write_open_memory(a, dst, ROOM, &used);
	archive_entry_set_pathname(e, "x");
	archive_entry_set_filetype(e, AE_IFREG);
	bad |= archive_write_header(a, e);
	bad |= archive_write_data(a, text, len) != (la_ssize_t)len;
	bad |= archive_write_close(a);
	archive_entry_free(e);
	archive_write_free(a);
	need(bad == 0, &(struct peft_err){ .msg = "cannot pack" });
	return used;
}

static size_t
pack(enum packing how, const char *text, size_t len, char dst[ROOM])
{
	if (how == GZIP)
		return pack_gzip(text, len, dst);
	if (how == ZSTD)
		return pack_zstd(text, len, dst);
	memcpy(dst, text, len);
	return len;
}

/* Lines of many lengths, the long ones beyond any buffer; no two alike. */
static char *
make_text(size_t *len)
{
	struct peft_buf b = { 0 };
	size_t i, j;

	for (i = 0; i < LINES; i++) {
		peft_buf_printf(&b, "%zu:", i);
		for (j = 0; j < (i % 100 == 50 ? 100000 : i * 7 % 50); j++)
			peft_buf_putc(&b, 'a' + (int)((i + j * j) % 26));
		peft_buf_putc(&b, '\n');
	}
	need(!b.failed, &(struct peft_err){ .msg = "no memory" });
	*len = b.len;
	return b.data;
}

/* How many lines of text there are; -1 with *err set, -2 if one is wrong. */
static int
read_all(const char *path, const char *text, bool partial,
    struct peft_err *err)
{
	struct peft_in *in = peft_in_open(path, err);
	size_t len, at = 0;
	char *line;
	int n = 0, r = -1;

	if (in == NULL)
		return -1;
	if (partial)
		peft_in_partial(in);
	while ((r = peft_in_line(in, &line, &len, err)) == 1) {
		n++;
		if (memcmp(text + at, line, len) != 0 || text[at + len] !=
		    '\n' || line[len] != '\0' || peft_in_lineno(in) !=
		    (size_t)n) {
			r = -2;
			break;
		}
		at += len + 1;
	}
	peft_in_close(in);
	return r == 0 ? n : r;
}

static void
test_whole(const char *text, size_t len, char packed[ROOM])
{
	static const char *const names[] = { "t", "t.gz.txt", "t.jsonl" };
	struct peft_err err = { 0 };
	int how;

	for (how = NONE; how <= ZSTD; how++) {
		put(names[how], packed, pack(how, text, len, packed));
		ok(read_all(names[how], text, false, &err) == LINES,
		    "%s: every line, whatever the name", packings[how]);
		put(names[how], packed, pack(how, "", 0, packed));
		ok(read_all(names[how], text, false, &err) == 0,
		    "%s: none of nothing", packings[how]);
		unlink(names[how]);
	}
}

/* A short text cut everywhere: no cut is taken for the whole. */
static void
test_cuts(char packed[ROOM])
{
	static const char text[] = "{\"a\":1}\n\n{\"b\":[2,3]}\n{\"c\":4}\n";
	struct peft_err err = { 0 };
	size_t n, i;
	int how, r;

	for (how = NONE; how <= ZSTD; how++) {
		bool good = true;

		n = pack(how, text, sizeof(text) - 1, packed);
		for (i = 1; i < n; i++) {
			put("cut", packed, i);
			r = read_all("cut", text, false, &err);
			if (how == NONE && text[i - 1] == '\n')
				continue;	/* fewer lines */
			good = good && r == -1 && err.status == PEFT_INPUT &&
			    strncmp(err.msg, "cut:", 4) == 0 &&
			    strstr(err.msg, " cut") != NULL;
		}
		ok(good, "%s: every cut is noticed", packings[how]);
	}
	put("cut", text, sizeof(text) - 3);
	ok(read_all("cut", text, false, &err) == -1 && strcmp(err.msg,
	    "cut:4: the last line has no newline: the input was cut short") ==
	    0, "which line was cut");
	ok(read_all("cut", text, true, &err) == 3, "unless that is allowed");
	n = pack(ZSTD, text, sizeof(text) - 1, packed);
	packed[n - 1] ^= 1;
	put("cut", packed, n);
	ok(read_all("cut", text, false, &err) == -1 && strstr(err.msg,
	    "damaged or cut") != NULL, "zstd: a wrong check sum is an error");
	n = pack(GZIP, text, sizeof(text) - 1, packed);
	packed[10] |= 6;			/* a block of no known kind */
	put("cut", packed, n);
	ok(read_all("cut", text, false, &err) == -1 && strstr(err.msg,
	    "damaged or cut") != NULL, "gzip: and what cannot be");
	unlink("cut");
}

/* A pipe that gives a byte at a time, the first ones slowly: what kind it is
 * can be told by four alone. */
static void
test_pipe(char packed[ROOM])
{
	static const char text[] = "one\ntwo\nthree\n";
	struct peft_err err = { 0 };
	int fds[2], how;
	size_t n, i;
	pid_t pid;

	for (how = NONE; how <= ZSTD; how++) {
		n = pack(how, text, sizeof(text) - 1, packed);
		if (pipe(fds) == -1 || (pid = fork()) == -1) {
			printf("Bail out! pipe\n");
			exit(1);
		}
		if (pid == 0) {
			for (i = 0; i < n; i++) {
				if (write(fds[1], packed + i, 1) != 1)
					_exit(1);
				if (i < 4)
					usleep(20000);
			}
			_exit(0);
		}
		close(fds[1]);
		dup2(fds[0], STDIN_FILENO);
		close(fds[0]);
		ok(read_all(how == GZIP ? "-" : NULL, text, false, &err) == 3,
		    "%s: from a pipe, byte by byte", packings[how]);
		waitpid(pid, NULL, 0);
	}
	ok(open("/dev/null", O_RDONLY) > STDIN_FILENO,
	    "standard input is left open");
}

static void
test_refusals(void)
{
	struct peft_err err = { 0 };
	struct peft_in *in;
	char *line;
	size_t len;
	int fd;

	ok(peft_in_open("none", &err) == NULL && strncmp(err.msg, "none: ",
	    6) == 0, "a file that is not there");
	mkdir("folder", 0777);
	ok(peft_in_open("folder", &err) == NULL && strcmp(err.msg,
	    "folder: is a folder") == 0, "a folder");
	rmdir("folder");
	/* 300 MiB of nothing, which takes no room on disk */
	fd = open("sparse", O_WRONLY | O_CREAT, 0666);
	if (fd == -1 || ftruncate(fd, (off_t)300 << 20) == -1)
		printf("Bail out! sparse\n");
	close(fd);
	in = peft_in_open("sparse", &err);
	need(in != NULL, &err);
	ok(peft_in_line(in, &line, &len, &err) == -1 && strstr(err.msg,
	    "sparse:1: a line of more than") != NULL,
	    "a line without an end is not read for ever");
	peft_in_close(in);
	unlink("sparse");
	peft_in_close(NULL);
}

static void
test_slurp(void)
{
	struct peft_buf b = { 0 };
	struct peft_err err = { 0 };
	char text[100000];

	memset(text, 'x', sizeof(text));
	put("f", text, sizeof(text));
	ok(peft_in_slurp("f", sizeof(text), &b, &err) == 0 && b.len ==
	    sizeof(text) && memcmp(b.data, text, b.len) == 0,
	    "a whole file of just the most");
	peft_buf_clear(&b);
	ok(peft_in_slurp("f", sizeof(text) - 1, &b, &err) == -1 &&
	    strcmp(err.msg, "f: more than 99999 bytes") == 0, "and one more");
	peft_buf_clear(&b);
	ok(peft_in_slurp("none", 1, &b, &err) == -1 && strncmp(err.msg,
	    "none: ", 6) == 0 && peft_in_slurp(".", 1, &b, &err) == -1 &&
	    strncmp(err.msg, ".: ", 3) == 0, "none, and a folder");
	peft_buf_free(&b);
	unlink("f");
}

int
main(void)
{
	const char *tmp = getenv("TMPDIR");
	char dir[256], *text, *packed = malloc(ROOM);
	size_t len;

	snprintf(dir, sizeof(dir), "%s/in-unit-XXXXXX", tmp != NULL ? tmp :
	    "/tmp");
	if (packed == NULL || mkdtemp(dir) == NULL || chdir(dir) == -1) {
		printf("Bail out! %s: %s\n", dir, strerror(errno));
		return 1;
	}
	text = make_text(&len);
	test_whole(text, len, packed);
	test_cuts(packed);
	test_pipe(packed);
	test_refusals();
	test_slurp();
	free(text);
	free(packed);
	ok(chdir("/") == 0 && rmdir(dir) == 0, "nothing is left");
	return tap_end();
}
