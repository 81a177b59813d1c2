/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replays files through a fuzz target, so that any compiler can run the
 * corpus: fuzz-X FILE|FOLDER ...  The size and the name of each file are
 * printed before it is tried: if the target dies, the last one is to blame.
 */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/in.h"

/* Longer than any input of a few KB may take, also under sanitizers. */
enum { SECONDS = 60 };

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static int
replay_file(const char *path)
{
	struct peft_buf b = { 0 };
	struct peft_err err;
	uint8_t *exact;
	size_t size;

	if (peft_in_slurp(path, 1 << 28, &b, &err) == -1) {
		fprintf(stderr, "%s\n", err.msg);
		return -1;
	}
	/* No byte to spare behind it, for the sanitizer to watch. */
	size = b.len;
	if ((exact = malloc(size)) == NULL && size != 0)
		return -1;
	if (size != 0)
		memcpy(exact, b.data, size);
	peft_buf_free(&b);
	printf("%zu %s\n", size, path);
	fflush(stdout);
	alarm(SECONDS);
	LLVMFuzzerTestOneInput(exact, size);
	alarm(0);
	free(exact);
	return 0;
}

static int
visible(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static int
replay_folder(const char *path)
{
	struct dirent **list;
	int i, n, bad = 0;
	char *name;

	if ((n = scandir(path, &list, visible, alphasort)) == -1) {
		perror(path);
		return -1;
	}
	for (i = 0; i < n; i++) {
		if (asprintf(&name, "%s/%s", path, list[i]->d_name) == -1)
			abort();
		bad |= replay_file(name);
		free(name);
		free(list[i]);
	}
	free(list);
	if (n == 0)
		fprintf(stderr, "%s: an empty corpus\n", path);
	return n == 0 ? -1 : bad;
}

int
main(int argc, char **argv)
{
	struct stat st;
	int i, bad = 0;

	if (argc < 2) {
		fprintf(stderr, "expected: FILE|FOLDER ...\n");
		return 1;
	}
	for (i = 1; i < argc; i++)
		if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
			bad |= replay_folder(argv[i]);
		else
			bad |= replay_file(argv[i]);
	return bad == 0 ? 0 : 2;
}
