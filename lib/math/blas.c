/* SPDX-License-Identifier: Apache-2.0 */
/* OpenBLAS, opened with the core type it would not find by itself. */

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "math/blas.h"

static const char library[] = "libopenblas.so.0";
static const char corevar[] = "OPENBLAS_CORETYPE";
static const char threadvar[] = "OPENBLAS_NUM_THREADS";

/* dlopen with two variables set for its length; the environment is put back
 * as it was.  Called before any thread is made. */
static void *
open_with(const char *core)
{
	const char *threads = getenv(threadvar);
	char *old = threads == NULL ? NULL : strdup(threads);
	void *handle;

	(void)setenv(threadvar, "1", 1);
	if (core != NULL)
		(void)setenv(corevar, core, 1);
	handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	if (core != NULL)
		(void)unsetenv(corevar);
	if (old != NULL)
		(void)setenv(threadvar, old, 1);
	else
		(void)unsetenv(threadvar);
	free(old);
	return handle;
}

/* POSIX's way to get a function out of dlsym without a cast that ISO C does
 * not know. */
static int
find(const struct peft_blas *b, const char *name, void *function)
{
	void *p = dlsym(b->handle, name);

	memcpy(function, &p, sizeof(p));
	return p == NULL ? -1 : 0;
}

int
peft_blas_find(const struct peft_blas *b, const char *name, void *function,
    struct peft_err *err)
{
	return find(b, name, function) == 0 ? 0 : peft_seterr(err, "%s has no "
	    "%s", library, name);
}

/* Core types with kernels for small matrices, which need no packing. */
static bool
has_small(const char *core)
{
	return strcmp(core, "SkylakeX") == 0 ||
	    strcmp(core, "Cooperlake") == 0 ||
	    strcmp(core, "SapphireRapids") == 0;
}

/* "OpenBLAS 0.3.21 DYNAMIC_ARCH ..." -> its first two words */
static void
describe(struct peft_blas *b, const char *how)
{
	char *(*config)(void) = NULL, *(*corename)(void) = NULL;
	char version[64] = "OpenBLAS";
	const char *core = "of an unknown core type";
	size_t n;

	if (find(b, "openblas_get_config", &config) == 0) {
		snprintf(version, sizeof(version), "%s", config());
		n = strcspn(version, " ");
		n += version[n] == ' ' ? 1 + strcspn(version + n + 1, " ") : 0;
		version[n] = '\0';
	}
	if (find(b, "openblas_get_corename", &corename) == 0)
		core = corename();
	b->small = has_small(core);
	snprintf(b->describe, sizeof(b->describe), "%s %s (%s)", version,
	    core, how);
}

int
peft_blas_open(struct peft_blas *b, const char *core, struct peft_err *err)
{
	const char *users = getenv(corevar);
	bool ours = core != NULL && (users == NULL || users[0] == '\0');
	void (*threads)(int) = NULL;

	memset(b, 0, sizeof(*b));
	if ((b->handle = open_with(ours ? core : NULL)) == NULL)
		return peft_seterr(err, "%s cannot be opened (Debian: apt-get "
		    "install libopenblas0-pthread): %s", library, dlerror());
	if (find(b, "cblas_sgemm", &b->sgemm) == -1) {
		peft_seterr(err, "%s has no cblas_sgemm", library);
		peft_blas_close(b);
		return -1;
	}
	if (find(b, "openblas_set_num_threads", &threads) == 0)
		threads(1);
	describe(b, ours ? "core type set by peft" : users != NULL ?
	    "core type set by OPENBLAS_CORETYPE" : "core type of its choice");
	return 0;
}

/* The library stays loaded: unloading OpenBLAS is not safe everywhere, and
 * an address that is gone helps nobody's backtrace. */
void
peft_blas_close(struct peft_blas *b)
{
	memset(b, 0, sizeof(*b));
}
