/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors: bundles, bitsandbytes' weights, anything that has a header;
 * the header that is read can be written, and says the same. */

#include "tensor/st.h"
#include "weights.h"

static void
same_entries(const struct peft_st *a, const struct peft_st *b)
{
	size_t i;

	FUZZ_CLAIM(a->n == b->n && a->nbytes == b->nbytes);
	for (i = 0; i < a->n; i++) {
		const struct peft_st_entry *x = &a->entries[i];
		const struct peft_st_entry *y = &b->entries[i];

		FUZZ_CLAIM(strcmp(x->name, y->name) == 0 &&
		    x->dtype == y->dtype && x->ndim == y->ndim &&
		    x->begin == y->begin && x->nbytes == y->nbytes &&
		    memcmp(x->shape, y->shape, sizeof(x->shape)) == 0);
	}
}

static void
write_again(struct peft_st *st)
{
	struct peft_err err = { 0 };
	struct peft_st again;
	char *text = NULL;
	size_t n = 0, len;
	FILE *fp = open_memstream(&text, &n);

	FUZZ_CLAIM(fp != NULL && peft_st_write(fp, "memory", st->entries,
	    st->n, NULL, &err) == 0);
	fclose(fp);
	FUZZ_CLAIM(peft_st_length((const unsigned char *)text, &len,
	    &err) == 0 && len == n - PEFT_ST_PREFIX);
	FUZZ_CLAIM(peft_st_parse(&again, text + PEFT_ST_PREFIX, len,
	    &err) == 0);
	same_entries(st, &again);
	peft_st_free(&again);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct peft_err err = { 0 };
	struct peft_st st;
	size_t len;

	if (size >= PEFT_ST_PREFIX && peft_st_length(data, &len, &err) == 0 &&
	    len <= size - PEFT_ST_PREFIX && peft_st_parse(&st,
	    (const char *)data + PEFT_ST_PREFIX, len, &err) == 0) {
		write_again(&st);
		peft_st_free(&st);
	}
	fuzz_source(data, size);
	return 0;
}
