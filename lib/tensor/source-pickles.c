/* SPDX-License-Identifier: Apache-2.0 */
/* Folders whose weights are there as pickles alone. */

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tensor/source-impl.h"

/* By its name; not what trainers leave beside their weights. */
static bool
is_pickled_model(const char *name)
{
	static const char *const tails[] = { ".bin", ".bin.index.json", ".pt",
	    ".pth", ".ckpt", NULL };
	static const char *const others[] = { "training_args", "optimizer",
	    "scheduler", "rng_state", "scaler", NULL };
	size_t n = strlen(name), i;

	for (i = 0; others[i] != NULL; i++)
		if (strncmp(name, others[i], strlen(others[i])) == 0)
			return false;
	for (i = 0; tails[i] != NULL; i++)
		if (n > strlen(tails[i]) && strcmp(name + n -
		    strlen(tails[i]), tails[i]) == 0)
			return true;
	return false;
}

/* A checkpoint of this toolkit's, which is called so too? */
static bool
is_safetensors(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	unsigned char head[PEFT_ST_PREFIX + 1];
	struct peft_err none = { 0 };
	size_t len;
	bool is;

	if (fd == -1)
		return false;
	is = read(fd, head, sizeof(head)) == sizeof(head) &&
	    peft_st_length(head, &len, &none) == 0 &&
	    head[PEFT_ST_PREFIX] == '{';
	close(fd);
	return is;
}

int
peft_source_refuse_pickles(const char *dir, struct peft_err *err)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	int r = 0;

	if (d == NULL)
		return 0;		/* which is told by who reads it */
	while (r == 0 && (e = readdir(d)) != NULL)
		if (is_pickled_model(e->d_name) && !is_safetensors(dirfd(d),
		    e->d_name))
			r = peft_seterr(err, "%s/%s is a PyTorch pickle, "
			    "which can run code when it is read; save it as "
			    "safetensors (load it with transformers or torch "
			    "where that is safe, then save_pretrained())", dir,
			    e->d_name);
	closedir(d);
	return r;
}
