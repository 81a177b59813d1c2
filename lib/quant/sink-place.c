/* SPDX-License-Identifier: Apache-2.0 */
/* Where weights go: what a name stands for, and whether it can be had. */

#include <string.h>

#include "quant/sink-impl.h"

bool
peft_is_gguf_name(const char *path)
{
	size_t n = path == NULL ? 0 : strlen(path);

	return n > 5 && strcmp(path + n - 5, ".gguf") == 0;
}

enum peft_out_kind
peft_sink_kind(const struct peft_sinkopt *opt)
{
	const char *path = opt->path;
	size_t n = path == NULL ? 0 : strlen(path);

	/* a checkpoint is replaced again and again, so it is one file,
	 * whatever its name: only a file changes in one stroke */
	if (strcmp(opt->kind, "checkpoint") == 0)
		return PEFT_OUT_BUNDLE;
	if (n > 0 && path[n - 1] == '/')
		return PEFT_OUT_FOLDER;
	if (peft_is_gguf_name(path))
		return PEFT_OUT_GGUF;
	if (n == 0 || strcmp(path, "-") == 0 ||
	    (n > 12 && strcmp(path + n - 12, ".safetensors") == 0))
		return PEFT_OUT_BUNDLE;
	return PEFT_OUT_FOLDER;
}

bool
peft_sink_is_folder(const struct peft_sinkopt *opt)
{
	return peft_sink_kind(opt) == PEFT_OUT_FOLDER;
}

int
peft_sink_probe(const struct peft_sinkopt *opt, struct peft_err *err)
{
	enum peft_out_kind kind = peft_sink_kind(opt);
	struct peft_outdir *dir;
	struct peft_out *out;
	int r;

	if (kind == PEFT_OUT_GGUF && strcmp(opt->kind, "adapter") == 0)
		return peft_seterr(err, "%s: an adapter is written as a "
		    "folder or as .safetensors; peft-merge --layout gguf "
		    "makes GGUF of it", opt->path);
	if (kind != PEFT_OUT_FOLDER) {
		out = peft_out_open(opt->path, opt->force, err);
		peft_out_abort(out);
		return out == NULL ? -1 : 0;
	}
	if ((dir = peft_outdir_open(opt->path, opt->force, err)) == NULL)
		return -1;
	r = peft_outdir_file(dir, "probe", err) == NULL ? -1 : 0;
	peft_outdir_abort(dir);
	return r;
}
