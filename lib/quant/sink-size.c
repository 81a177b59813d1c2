/* SPDX-License-Identifier: Apache-2.0 */
/* How many bytes an output will have, before anything is written. */

#include <stdlib.h>

#include "base/buf.h"
#include "quant/sink-impl.h"
#include "tensor/gguf.h"

/* A file of safetensors: what precedes the weights is written for nobody. */
static int
st_size(struct peft_sink *k, size_t from, size_t to, bool sides,
    size_t *bytes, struct peft_err *err)
{
	struct peft_st_entry *e;
	size_t n, i, before = k->written;
	long head;

	rewind(k->fp);
	if (peft_sink_st_head(k, from, to, sides, err) == -1)
		return -1;
	if ((head = ftell(k->fp)) == -1)
		return peft_seterrno(err, "output");
	/* of the entries' bytes, the head has written some */
	*bytes += (size_t)head - (k->written - before);
	if (peft_sink_entries(k, from, to, sides, &e, &n, err) == -1)
		return -1;
	for (i = 0; i < n; i++)
		*bytes += e[i].nbytes;
	peft_sink_free_entries(e, n);
	return 0;
}

static int
gguf_size(struct peft_sink *k, size_t *bytes, struct peft_err *err)
{
	if (peft_sink_open_gguf(k, err) == -1)
		return -1;
	*bytes = (size_t)(k->data_at + k->gguf_bytes);
	return 0;
}

static int
folder_size(struct peft_sink *k, size_t *bytes, struct peft_err *err)
{
	struct peft_buf index = { 0 };
	size_t i, from, to;
	int r = peft_sink_assign_shards(k, err);

	for (i = 0; i < k->sides.n; i++)
		*bytes += k->sides.at[i].len;
	for (from = 0; r == 0 && from < k->n; from = to) {
		for (to = from; to < k->n && k->shard[to] == k->shard[from];)
			to++;
		r = st_size(k, from, to, false, bytes, err);
	}
	if (r == 0 && k->nshards > 1)
		r = peft_sink_index(k, &index, err);
	*bytes += index.len;
	peft_buf_free(&index);
	return r;
}

int
peft_sink_size(const struct peft_sinkopt *opt, const struct peft_spec *specs,
    size_t n, const struct peft_side *sides, size_t nsides, size_t *bytes,
    struct peft_err *err)
{
	struct peft_sink *k = peft_sink_prepare(opt, specs, n, sides, nsides,
	    err);
	char *text = NULL;
	size_t len;
	int r = -1;

	*bytes = 0;
	if (k == NULL)
		return -1;
	if ((k->fp = open_memstream(&text, &len)) == NULL)
		peft_seterrno(err, "no memory for a header");
	else if (k->kind == PEFT_OUT_GGUF)
		r = gguf_size(k, bytes, err);
	else
		r = k->kind == PEFT_OUT_FOLDER ? folder_size(k, bytes, err) :
		    st_size(k, 0, k->n, true, bytes, err);
	if (k->fp != NULL)
		fclose(k->fp);
	free(text);
	peft_sink_abort(k);
	return r;
}
