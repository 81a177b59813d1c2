/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files and folders that appear whole or not at all; each claim also where
 * the file system cannot make files without a name.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/in.h"
#include "base/nameless.h"
#include "base/out.h"
#include "tap.h"

static bool no_tmpfile, bad_disk;

/* In the place of libc's: as a file system without O_TMPFILE answers, and a
 * disk that breaks. */
int open(const char *path, int flags, ...);

int
fsync(int fd)
{
	if (bad_disk) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

int
open(const char *path, int flags, ...)
{
	bool nameless = (flags & O_TMPFILE) == O_TMPFILE;
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (nameless || (flags & O_CREAT) != 0)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	if (no_tmpfile && nameless && access(path, F_OK) == 0) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static void
put(const char *path, const char *text)
{
	FILE *fp = fopen(path, "w");

	if (fp == NULL || fputs(text, fp) == EOF || fclose(fp) == EOF) {
		printf("Bail out! %s\n", path);
		exit(1);
	}
}

static bool
holds(const char *path, const char *text)
{
	struct peft_buf b = { 0 };
	struct peft_err err = { 0 };
	bool same = peft_in_slurp(path, 1 << 20, &b, &err) == 0 &&
	    b.len == strlen(text) && memcmp(b.len == 0 ? "" : b.data, text,
	    b.len) == 0;

	peft_buf_free(&b);
	return same;
}

/* How many names are in a folder, hidden ones as well. */
static int
count(const char *path)
{
	DIR *d = opendir(path);
	int n = -2;

	while (d != NULL && readdir(d) != NULL)
		n++;
	if (d != NULL)
		closedir(d);
	return n;
}

static struct peft_out *
begin(const char *path, bool force, const char *text)
{
	struct peft_err err = { 0 };
	struct peft_out *out = peft_out_open(path, force, &err);

	need(out != NULL && peft_out_write(out, text, strlen(text), &err) == 0,
	    &err);
	return out;
}

static void
test_file(void)
{
	struct peft_err err = { 0 };
	struct peft_out *out = begin("new", false, "text");
	struct stat st;
	mode_t mask = umask(027);

	ok(strcmp(peft_out_label(out), "new") == 0 && access("new", F_OK) ==
	    -1, "no name before the commit");
	ok(peft_out_commit(out, &err) == 0 && holds("new", "text") &&
	    count(".") == 1, "a commit gives it, and leaves nothing else");
	out = begin("masked", false, "");
	ok(peft_out_commit(out, &err) == 0 && stat("masked", &st) == 0 &&
	    (st.st_mode & 0777) == 0640, "the permissions are as umask says");
	umask(mask);
	unlink("masked");
	peft_out_abort(begin("gone", false, "text"));
	peft_out_abort(NULL);
	ok(count(".") == 1, "what is given up was never there");
	unlink("new");
}

static void
test_existing(void)
{
	struct peft_err err = { 0 };
	struct peft_out *out;

	put("old", "old");
	ok(peft_out_open("old", false, &err) == NULL && err.status ==
	    PEFT_INPUT && strcmp(err.msg, "old exists (-f overwrites it)") ==
	    0, "what exists is kept");
	out = begin("old", true, "new");
	ok(holds("old", "old"), "with force too, until the commit");
	ok(peft_out_commit(out, &err) == 0 && holds("old", "new") &&
	    count(".") == 1, "which replaces it");
	out = begin("late", false, "mine");
	put("late", "theirs");
	ok(peft_out_commit(out, &err) == -1 && strncmp(err.msg, "late: ", 6) ==
	    0 && holds("late", "theirs") && count(".") == 2,
	    "what came meanwhile is kept as well");
	unlink("late");
	mkdir("folder", 0777);
	ok(peft_out_open("folder", true, &err) == NULL && strcmp(err.msg,
	    "folder exists and is not a file") == 0, "no folder is replaced");
	ok(peft_out_open("none/x", false, &err) == NULL && strncmp(err.msg,
	    "none/x: ", 8) == 0, "nor made on the way");
	if (symlink("old", "link") == 0)
		ok(peft_out_open("link", false, &err) == NULL &&
		    peft_out_commit(begin("link", true, "x"), &err) == 0 &&
		    holds("old", "new") && holds("link", "x"),
		    "a link is replaced, not what it leads to");
	unlink("link");
	rmdir("folder");
	unlink("old");
}

struct seen {
	bool	whole, named;
	int	answer;
};

static int
look(void *ctx, const char *path, struct peft_err *err)
{
	struct seen *s = ctx;

	s->whole = holds(path, "text");
	s->named = access("new", F_OK) == 0;
	return s->answer == 0 ? 0 : peft_setfail(err, PEFT_CHECK, "not so");
}

static void
test_checked(void)
{
	struct seen s = { .answer = -1 };
	struct peft_check check = { look, &s };
	struct peft_err err = { 0 };

	ok(peft_out_commit_checked(begin("new", false, "text"), &check,
	    &err) == -1 && err.status == PEFT_CHECK && s.whole && !s.named &&
	    count(".") == 0, "a last look sees all, and can refuse it");
	s = (struct seen){ .answer = 0 };
	ok(peft_out_commit_checked(begin("new", false, "text"), &check,
	    &err) == 0 && s.whole && holds("new", "text"), "or let it pass");
	unlink("new");
}

/* The disk is full: written to the buffer, but not through it. */
static void
test_full(void)
{
	struct rlimit was, small;
	struct peft_err err = { 0 };
	struct peft_out *out = begin("new", false, "");
	static char text[1000];
	bool late;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &was);
	small = was;
	small.rlim_cur = 100;
	setrlimit(RLIMIT_FSIZE, &small);
	late = peft_out_write(out, text, sizeof(text), &err) == 0;
	ok(peft_out_commit(out, &err) == -1 && late && strncmp(err.msg,
	    "new: ", 5) == 0 && count(".") == 0, "a disk that is full is "
	    "noticed by the commit");
	setrlimit(RLIMIT_FSIZE, &was);
}

static void
test_broken(void)
{
	struct peft_err err = { 0 };
	struct peft_out *out = begin("new", false, "text");
	char want[64];

	snprintf(want, sizeof(want), "new: %s", strerror(EIO));
	bad_disk = true;
	ok(peft_out_commit(out, &err) == -1 && strcmp(err.msg, want) == 0 &&
	    count(".") == 0, "and one that breaks");
	bad_disk = false;
}

static FILE *
member(struct peft_outdir *o, const char *name, const char *text)
{
	struct peft_err err = { 0 };
	FILE *fp = peft_outdir_file(o, name, &err);

	need(fp != NULL && peft_fwrite(fp, name, text, strlen(text), &err) ==
	    0, &err);
	return fp;
}

static struct peft_outdir *
begin_folder(const char *path, bool force, const char *text)
{
	struct peft_err err = { 0 };
	struct peft_outdir *o = peft_outdir_open(path, force, &err);
	char name[16];
	int i;

	need(o != NULL, &err);
	for (i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "m%d", i);
		member(o, name, text);
	}
	return o;
}

static void
test_folder(void)
{
	static const char *const names[] = { "", ".", "..", ".x", "a/b" };
	struct peft_err err = { 0 };
	struct peft_outdir *o = begin_folder("new/" "/", false, "text");
	bool refused = true;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		refused = refused && peft_outdir_file(o, names[i], &err) ==
		    NULL && strstr(err.msg, "is no name for a file") != NULL;
	ok(refused, "a folder's files have plain names");
	ok(access("new", F_OK) == -1, "no folder before the commit");
	ok(peft_outdir_commit(o, &err) == 0 && count("new") == 20 &&
	    holds("new/m0", "text") && holds("new/m19", "text") &&
	    count(".") == 1, "then all of it");
	ok(peft_outdir_open("new", false, &err) == NULL && strcmp(err.msg,
	    "new exists (-f overwrites it)") == 0, "what exists is kept");
	peft_outdir_abort(begin_folder("new", true, "x"));
	peft_outdir_abort(NULL);
	ok(holds("new/m0", "text") && count(".") == 1, "also if given up");
	put("new/old", "old");
	ok(peft_outdir_commit(begin_folder("new", true, "x"), &err) == 0 &&
	    count("new") == 20 && holds("new/m7", "x") && count(".") == 1,
	    "or replaced by a commit, with all that was in it");
	mkdir("new/sub", 0777);
	ok(peft_outdir_open("new", true, &err) == NULL && strstr(err.msg,
	    "holds sub, which is not a plain file") != NULL && count("new") ==
	    21, "but not if there are folders in it");
	put("file", "");
	ok(peft_outdir_open("file", true, &err) == NULL && strcmp(err.msg,
	    "file exists and is not a folder") == 0, "nor if it is a file");
	unlink("file");
}

static void
clear_folder(const char *path)
{
	char name[32];
	int i;

	for (i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "%s/m%d", path, i);
		unlink(name);
	}
	snprintf(name, sizeof(name), "%s/sub", path);
	rmdir(name);
	rmdir(path);
}

static int
look_inside(void *ctx, const char *path, struct peft_err *err)
{
	char name[256];

	snprintf(name, sizeof(name), "%s/m3", path);
	*(bool *)ctx = count(path) == 20 && holds(name, "text") &&
	    access("made", F_OK) == -1;
	return peft_setfail(err, PEFT_CHECK, "not so");
}

static void
test_folder_refused(void)
{
	bool seen = false;
	struct peft_check check = { look_inside, &seen };
	struct peft_err err = { 0 };
	struct peft_outdir *o;

	ok(peft_outdir_commit_checked(begin_folder("made", false, "text"),
	    &check, &err) == -1 && err.status == PEFT_CHECK && seen &&
	    count(".") == 0, "a last look at a folder can refuse it");
	o = begin_folder("made", false, "text");
	mkdir("made", 0777);
	put("made/theirs", "theirs");
	ok(peft_outdir_commit(o, &err) == -1 && strncmp(err.msg, "made: ",
	    6) == 0 && holds("made/theirs", "theirs") && count("made") == 1 &&
	    count(".") == 1, "a folder that came meanwhile is kept");
	unlink("made/theirs");
	rmdir("made");
	o = begin_folder("made", false, "text");
	member(o, "m3", "twice");
	ok(peft_outdir_commit(o, &err) == -1 && count(".") == 0,
	    "one name twice is refused");
}

static void
test_folder_of(void)
{
	static const char *const rows[][2] = { { "a", "." }, { "a/b", "a" },
		{ "/a", "/" }, { "a/b/", "a" }, { "/a/b/" "/", "/a" },
		{ "a/", "." } };
	struct peft_err err = { 0 };
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *dir = peft_folder_of(rows[i][0], &err);

		need(dir != NULL, &err);
		ok(strcmp(dir, rows[i][1]) == 0, "%s is in %s", rows[i][0],
		    rows[i][1]);
		free(dir);
	}
}

int
main(void)
{
	const char *tmp = getenv("TMPDIR");
	char dir[256];
	int kind;

	snprintf(dir, sizeof(dir), "%s/file-unit-XXXXXX", tmp != NULL ? tmp :
	    "/tmp");
	if (mkdtemp(dir) == NULL || chdir(dir) == -1) {
		printf("Bail out! %s: %s\n", dir, strerror(errno));
		return 1;
	}
	test_folder_of();
	for (kind = 0; kind < 2; kind++) {
		no_tmpfile = kind == 1;
		printf("# %s files without a name\n", kind == 1 ? "no" :
		    "with");
		test_file();
		test_existing();
		test_checked();
		test_full();
		test_broken();
		test_folder();
		clear_folder("new");
		test_folder_refused();
	}
	ok(chdir("/") == 0 && rmdir(dir) == 0, "nothing is left");
	return tap_end();
}
