/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packs.  What is found right can be unpacked, and nothing else; what is not
 * leaves nothing behind, and nothing is ever put beside the folder.
 */

#include <dirent.h>

#include "input.h"
#include "pack/pack.h"

static int
count(void *ctx, const struct peft_packentry *e, struct peft_err *err)
{
	(void)err;
	FUZZ_CLAIM(peft_pack_name_ok(e->name));
	FUZZ_CLAIM(strlen(e->digest) == 64);
	++*(size_t *)ctx;
	return 0;
}

/* How many names a folder has, and whether "out" is one of them. */
static size_t
names(const char *path, bool *out)
{
	DIR *d = opendir(path);
	const struct dirent *e;
	size_t n = 0;

	FUZZ_CLAIM(d != NULL);
	*out = false;
	while ((e = readdir(d)) != NULL) {
		n += strcmp(e->d_name, ".") != 0 &&
		    strcmp(e->d_name, "..") != 0;
		*out |= strcmp(e->d_name, "out") == 0;
	}
	closedir(d);
	return n;
}

static void
unpack(const char *path, int verified)
{
	struct fuzz_folder home = fuzz_folder();
	char folder[sizeof(home.path) + 8];
	struct peft_err err = { 0 };
	bool out;
	size_t n;
	int r;

	snprintf(folder, sizeof(folder), "%s/out", home.path);
	r = peft_pack_read(path, folder, NULL, NULL, &err);
	FUZZ_CLAIM(r == verified);
	n = names(home.path, &out);
	FUZZ_CLAIM(n == (size_t)(r == 0) && out == (r == 0));
	fuzz_remove(&home);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_path file = fuzz_file(data, size);
	struct peft_err err = { 0 };
	size_t members = 0;
	int r = peft_pack_read(file.path, NULL, count, &members, &err);

	FUZZ_CLAIM(r == 0 || err.msg[0] != '\0');
	/* what is no pack at all needs no folder */
	if (r == 0 || members > 0 || err.status == PEFT_CHECK)
		unpack(file.path, r);
	fuzz_close(&file);
	return 0;
}
