/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A config.json with a quantization_config.  What is taken has sizes that
 * can be used; the same words over weights of each method are taken or
 * refused, by a file and a pipe alike.
 */

#include "tensor/quantcfg.h"
#include "tensor/st.h"
#include "weights.h"

static void
check(const struct peft_quantcfg *c)
{
	size_t i;

	FUZZ_CLAIM(c->method < PEFT_NQM && c->nschemes <= PEFT_MAXSCHEME);
	FUZZ_CLAIM((c->method == PEFT_QM_NONE) ==
	    (peft_quantmethods[c->method] == NULL));
	for (i = 0; i < c->nschemes; i++) {
		unsigned bits = c->scheme[i].bits;

		FUZZ_CLAIM(bits == 2 || bits == 3 || bits == 4 || bits == 8);
		FUZZ_CLAIM((c->scheme[i].block[0] == 0) ==
		    (c->scheme[i].block[1] == 0));
		FUZZ_CLAIM(c->scheme[i].group <= 1 << 24);
	}
}

enum { SIDE = 32 };		/* of the weight, SIDE x SIDE */

static const struct part {
	const char	*name;
	enum peft_dtype	 dtype;
	size_t		 rows, cols;
} sets[][5] = {
	{ { "m.qweight", PEFT_I32, 4, SIDE }, { "m.scales", PEFT_F16, 1, SIDE },
	    { "m.qzeros", PEFT_I32, 1, 4 }, { "m.g_idx", PEFT_I32, SIDE, 0 } },
	{ { "m.qweight", PEFT_I32, SIDE, 4 }, { "m.scales", PEFT_F16, 2, SIDE },
	    { "m.qzeros", PEFT_I32, 2, 4 } },
	{ { "m.weight_shape", PEFT_I64, 2, 0 },
	    { "m.weight_packed", PEFT_I32, SIDE, 4 },
	    { "m.weight_scale", PEFT_BF16, SIDE, 2 } },
	{ { "m.weight", PEFT_F8_E4M3, SIDE, SIDE },
	    { "m.weight_scale_inv", PEFT_F32, 4, 2 } },
	{ { "m.weight", PEFT_I8, SIDE, SIDE },
	    { "m.weight_scale", PEFT_F32, SIDE, 1 } },
};

/* A bundle of that config and zeros, but for the shape. */
static void
try_set(const struct part set[5], const uint8_t *config, size_t size)
{
	const int64_t shape[2] = { SIDE, SIDE };
	struct peft_st_entry e[6] = { { 0 } };
	struct peft_err err = { 0 };
	char side[] = "peft.file/config.json", names[5][32], *text = NULL;
	size_t n = 0, len = 0, i, k;
	FILE *fp = open_memstream(&text, &len);

	FUZZ_CLAIM(fp != NULL);
	e[n++] = (struct peft_st_entry){ .name = side, .dtype = PEFT_U8,
	    .ndim = 1, .shape = { size }, .nbytes = size };
	for (i = 0; i < 5 && set[i].name != NULL; i++, n++) {
		snprintf(names[i], sizeof(names[i]), "%s", set[i].name);
		e[n] = (struct peft_st_entry){ .name = names[i],
		    .dtype = set[i].dtype, .ndim = set[i].cols > 0 ? 2 : 1,
		    .shape = { set[i].rows, set[i].cols } };
		FUZZ_CLAIM(peft_st_size(e[n].dtype, e[n].ndim, e[n].shape,
		    &e[n].nbytes, &err) == 0);
	}
	FUZZ_CLAIM(peft_st_write(fp, "memory", e, n, NULL, &err) == 0);
	fwrite(config, 1, size, fp);
	for (i = 1; i < n; i++)
		if (e[i].dtype == PEFT_I64)
			fwrite(shape, 1, sizeof(shape), fp);
		else
			for (k = 0; k < e[i].nbytes; k++)
				putc(0, fp);
	FUZZ_CLAIM(fclose(fp) == 0);
	fuzz_source((const uint8_t *)text, len);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct peft_err err = { 0 };
	struct peft_quantcfg c;
	size_t i;
	int m;

	if (peft_quantcfg_read(&c, (const char *)data, size, &err) == 0) {
		check(&c);
		for (i = 0; c.method != PEFT_QM_NONE && i < sizeof(sets) /
		    sizeof(sets[0]); i++)
			try_set(sets[i], data, size);
	} else
		FUZZ_CLAIM(err.msg[0] != '\0');
	for (m = 0; m < PEFT_NQM; m++) {
		err.msg[0] = '\0';
		if (peft_quantcfg_read_alone(&c, (const char *)data, size,
		    (enum peft_quantmethod)m, &err) == 0)
			check(&c);
		else
			FUZZ_CLAIM(err.msg[0] != '\0');
	}
	return 0;
}
