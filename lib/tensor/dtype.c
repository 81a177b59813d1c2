/* SPDX-License-Identifier: Apache-2.0 */
/* The table of storage types. */

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "tensor/dtype.h"

/* ggml's block sizes, from what a block holds: f16 scales, packed codes. */
static_assert(2 + 16 == 18, "q4_0: d, 32 nibbles");
static_assert(2 + 4 + 16 == 22, "q5_0: d, 32 high bits, 32 nibbles");
static_assert(16 + 64 + 4 == 84, "q2_k: scales, 256 pairs of bits, d, dmin");
static_assert(32 + 64 + 12 + 2 == 110, "q3_k: high bits, pairs, scales, d");
static_assert(4 + 12 + 128 == 144, "q4_k: d, dmin, scales, nibbles");
static_assert(4 + 12 + 32 + 128 == 176, "q5_k: q4_k and 256 high bits");
static_assert(128 + 64 + 16 + 2 == 210, "q6_k: low, high, scales, d");
static_assert(4 + 256 + 2 * 16 == 292, "q8_k: f32 d, codes, sums");
static_assert(2 + 2 + 4 + 128 == 136, "iq4_xs: d, scales, nibbles");
static_assert(240 / 5 + 16 / 4 + 2 == 54, "tq1_0: trits by 5, by 4, d");
static_assert(64 + 2 == 66, "tq2_0: pairs of bits, d");
static_assert(2 + 32 + 8 * 2 == 50, "iq1_s: d, points, the rest of 4 each");
static_assert(32 + 16 + 8 == 56, "iq1_m: points, their upper bits, scales");
static_assert(2 + 8 * (4 + 4) == 66, "iq2_xxs: d, points, signs and scale");
static_assert(2 + 64 + 8 == 74, "iq2_xs: d, points and signs, scales");
static_assert(2 + 32 + 32 + 8 + 8 == 82, "iq2_s: d, points, signs, scales");
static_assert(2 + 64 + 8 * 4 == 98, "iq3_xxs: d, points, signs and scales");
static_assert(2 + 64 + 8 + 32 + 4 == 110, "iq3_s: d, points, signs, scales");

const struct peft_dtype_info peft_dtypes[PEFT_NDTYPE] = {
	[PEFT_F32] = { "f32", "F32", 0, 1, 4 },
	[PEFT_F16] = { "f16", "F16", 1, 1, 2 },
	[PEFT_BF16] = { "bf16", "BF16", 30, 1, 2 },
	[PEFT_F64] = { "f64", "F64", 28, 1, 8 },
	[PEFT_F8_E4M3] = { "f8_e4m3", "F8_E4M3", -1, 1, 1 },
	[PEFT_F8_E5M2] = { "f8_e5m2", "F8_E5M2", -1, 1, 1 },
	[PEFT_F8_E8M0] = { "f8_e8m0", "F8_E8M0", -1, 1, 1 },
	[PEFT_I8] = { "i8", "I8", 24, 1, 1 },
	[PEFT_I16] = { "i16", "I16", 25, 1, 2 },
	[PEFT_I32] = { "i32", "I32", 26, 1, 4 },
	[PEFT_I64] = { "i64", "I64", 27, 1, 8 },
	[PEFT_U8] = { "u8", "U8", -1, 1, 1 },
	[PEFT_U16] = { "u16", "U16", -1, 1, 2 },
	[PEFT_U32] = { "u32", "U32", -1, 1, 4 },
	[PEFT_U64] = { "u64", "U64", -1, 1, 8 },
	[PEFT_BOOL] = { "bool", "BOOL", -1, 1, 1 },
	[PEFT_NF4] = { "nf4", NULL, -1, 2, 1 },
	[PEFT_FP4] = { "fp4", NULL, -1, 2, 1 },
	[PEFT_INT8] = { "int8", NULL, -1, 1, 1 },
	/* grouped: a block is any element; how they lie, struct peft_scales
	 * tells */
	[PEFT_U2G] = { "int2g", NULL, -1, 1, 1 },
	[PEFT_U3G] = { "int3g", NULL, -1, 1, 1 },
	[PEFT_U4G] = { "int4g", NULL, -1, 1, 1 },
	[PEFT_U8G] = { "uint8g", NULL, -1, 1, 1 },
	[PEFT_I8G] = { "int8g", NULL, -1, 1, 1 },
	[PEFT_F8G_E4M3] = { "fp8", NULL, -1, 1, 1 },
	[PEFT_F8G_E5M2] = { "fp8_e5m2", NULL, -1, 1, 1 },
	[PEFT_MXFP4G] = { "mxfp4g", NULL, -1, 1, 1 },
	[PEFT_KVB] = { "kv_b", NULL, -1, 1, 1 },
	[PEFT_Q4_0] = { "q4_0", NULL, 2, 32, 18 },
	[PEFT_Q4_1] = { "q4_1", NULL, 3, 32, 20 },
	[PEFT_Q5_0] = { "q5_0", NULL, 6, 32, 22 },
	[PEFT_Q5_1] = { "q5_1", NULL, 7, 32, 24 },
	[PEFT_Q8_0] = { "q8_0", NULL, 8, 32, 34 },
	[PEFT_Q2_K] = { "q2_k", NULL, 10, 256, 84 },
	[PEFT_Q3_K] = { "q3_k", NULL, 11, 256, 110 },
	[PEFT_Q4_K] = { "q4_k", NULL, 12, 256, 144 },
	[PEFT_Q5_K] = { "q5_k", NULL, 13, 256, 176 },
	[PEFT_Q6_K] = { "q6_k", NULL, 14, 256, 210 },
	[PEFT_Q8_K] = { "q8_k", NULL, 15, 256, 292 },
	[PEFT_IQ4_NL] = { "iq4_nl", NULL, 20, 32, 18 },
	[PEFT_IQ4_XS] = { "iq4_xs", NULL, 23, 256, 136 },
	[PEFT_MXFP4] = { "mxfp4", NULL, 39, 32, 17 },
	[PEFT_TQ1_0] = { "tq1_0", NULL, 34, 256, 54 },
	[PEFT_TQ2_0] = { "tq2_0", NULL, 35, 256, 66 },
	[PEFT_IQ1_S] = { "iq1_s", NULL, 19, 256, 50 },
	[PEFT_IQ1_M] = { "iq1_m", NULL, 29, 256, 56 },
	[PEFT_IQ2_XXS] = { "iq2_xxs", NULL, 16, 256, 66 },
	[PEFT_IQ2_XS] = { "iq2_xs", NULL, 17, 256, 74 },
	[PEFT_IQ2_S] = { "iq2_s", NULL, 22, 256, 82 },
	[PEFT_IQ3_XXS] = { "iq3_xxs", NULL, 18, 256, 98 },
	[PEFT_IQ3_S] = { "iq3_s", NULL, 21, 256, 110 },
};

enum peft_dtype
peft_dtype_of_name(const char *name)
{
	int t;

	for (t = 0; t < PEFT_NDTYPE; t++)
		if (strcasecmp(peft_dtypes[t].name, name) == 0)
			return (enum peft_dtype)t;
	return PEFT_NDTYPE;
}

enum peft_dtype
peft_dtype_of_st(const char *name)
{
	int t;

	for (t = 0; t < PEFT_NDTYPE; t++)
		if (peft_dtypes[t].st != NULL &&
		    strcmp(peft_dtypes[t].st, name) == 0)
			return (enum peft_dtype)t;
	return PEFT_NDTYPE;
}

enum peft_dtype
peft_dtype_of_ggml(uint32_t number)
{
	int t;

	for (t = 0; t < PEFT_NDTYPE; t++)
		if (peft_dtypes[t].ggml >= 0 &&
		    (uint32_t)peft_dtypes[t].ggml == number)
			return (enum peft_dtype)t;
	return PEFT_NDTYPE;
}

bool
peft_is_float(enum peft_dtype t)
{
	return t == PEFT_F32 || t == PEFT_F16 || t == PEFT_BF16;
}

/* Of types that safetensors has a name for only fp8 holds weights so. */
bool
peft_is_quantised(enum peft_dtype t)
{
	return peft_dtypes[t].st == NULL || t == PEFT_F8_E4M3 ||
	    t == PEFT_F8_E5M2;
}
