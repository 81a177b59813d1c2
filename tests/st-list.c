/* SPDX-License-Identifier: Apache-2.0 */
/* usage: st-list FILE.safetensors: a line a tensor: name, type, shape, the
 * begin of the bytes' sha256; a quant_state as the text that it is. */

#include "base/hash.h"
#include "golden-file.h"

static void
put_line(const struct peft_st_entry *e, const char *data)
{
	size_t n = e->nbytes;
	char hex[PEFT_SHA256_HEX];
	int i;

	if (strstr(e->name, ".quant_state.") != NULL) {
		while (n > 0 && data[n - 1] == ' ')	/* ours are padded */
			n--;
		printf("%s %.*s\n", e->name, (int)n, data);
		return;
	}
	printf("%s %s ", e->name, peft_dtypes[e->dtype].st);
	for (i = 0; i < e->ndim; i++)
		printf("%s%zu", i > 0 ? "x" : "", e->shape[i]);
	peft_sha256_of(data, n, hex);
	printf(" sha256:%.16s\n", hex);
}

int
main(int argc, char **argv)
{
	struct golden g = { 0 };
	size_t i;

	if (argc != 2)
		return 1;
	golden_open(&g, argv[1]);
	for (i = 0; i < g.st.n; i++)
		put_line(&g.st.entries[i], g.data[i]);
	golden_close(&g);
	return 0;
}
