/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of bitsandbytes' 4-bit and 8-bit weights: codes, scales, state;
 * here of 2 x 64 values. */

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "st-file.h"
#include "tensor/maps.h"

static const uint8_t bytes[2] = { 9, 8 };
static float absmax[2], outer[1], table[256];
static uint8_t codes[64], rows[128], format;

/* The parts, in this order; what a test changes it changes here. */
enum { CODES, SCALES, MAP, STATE, OUTER, TABLE, NPART };

static void
fill_parts(struct item parts[NPART + 1], const char *state, bool nested)
{
	static const struct item plain[] = {
		{ "w", PEFT_U8, 64, 1, codes },
		{ "w.absmax", PEFT_F32, 2, 0, absmax },
		{ "w.quant_map", PEFT_F32, 16, 0, peft_nf4_map },
		{ "w.quant_state.bitsandbytes__nf4", PEFT_U8, 0, 0, NULL },
		{ "w.nested_absmax", PEFT_F32, 1, 0, outer },
		{ "w.nested_quant_map", PEFT_F32, 256, 0, table }, { 0 } };

	memcpy(parts, plain, sizeof(plain));
	parts[STATE].n = strlen(state);
	parts[STATE].data = state;
	if (nested) {
		parts[SCALES].dtype = PEFT_U8;
		parts[SCALES].data = bytes;
	} else
		parts[OUTER].name = NULL;
	absmax[0] = absmax[1] = outer[0] = 1;
	memcpy(table, peft_dynamic_map(), sizeof(table));
}

#define STATE4(shape, more) "{\"quant_type\":\"nf4\",\"blocksize\":64," \
	"\"dtype\":\"float16\",\"shape\":[" shape "]" more "}"
#define NESTED	",\"nested_blocksize\":256,\"nested_dtype\":\"float32\"," \
	"\"nested_offset\":0.5"

static const struct {
	const char	*state, *why;
} states[] = {
	{ "{}", "shape or blocksize is missing" },
	{ STATE4("2,64", "") "x", "text after the value" },
	{ STATE4("2,65", ""), "w has 64 bytes, its quant_state calls for 130 "
	    "values" },
	{ STATE4("2,64.5", ""), "\"shape\" is no shape" },
	{ STATE4("0,64", ""), "\"shape\" is no shape" },
	{ STATE4("-2,-64", ""), "\"shape\" is no shape" },
	{ STATE4("1e12,1e12", ""), "its shape is too large" },
	{ "{\"quant_type\":\"int4\",\"blocksize\":64,\"dtype\":\"float16\","
	    "\"shape\":[128]}", "quant_type \"int4\" is not known" },
	{ "{\"quant_type\":\"nf4\",\"blocksize\":64,\"dtype\":\"float8\","
	    "\"shape\":[128]}", "dtype \"float8\" is not known" },
	{ "{\"quant_type\":\"nf4\",\"blocksize\":0,\"dtype\":\"float16\","
	    "\"shape\":[128]}", "\"blocksize\" is 0, not in [2, 1048576]" },
	{ "{\"quant_type\":\"nf4\",\"blocksize\":32,\"dtype\":\"float16\","
	    "\"shape\":[128]}", "w.absmax is not a list of 4 f32" },
	{ STATE4("2,64", NESTED), "w.absmax is not a list of 2 u8" },
};

static void
test_4bit(void)
{
	struct item parts[NPART + 1];
	struct peft_err err = { 0 };
	struct peft_source *s;
	struct peft_weight w;
	size_t i;

	fill_parts(parts, STATE4("2,64", ""), false);
	put_st("f", parts);
	s = peft_source_open("f", &err);
	need(s != NULL, &err);
	ok(peft_source_count(s) == 1 && peft_source_load(s, 0, &w, &err) == 0
	    && w.dtype == PEFT_NF4 && w.rows == 2 && w.cols == 64 &&
	    w.scales.blocksize == 64 && w.scales.nabsmax == 2 &&
	    w.scales.orig == PEFT_F16 && memcmp(w.scales.absmax, absmax,
	    sizeof(absmax)) == 0, "codes, scales and state are one weight");
	peft_source_close(s);
	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		fill_parts(parts, states[i].state, false);
		put_st("f", parts);
		refused("f", PEFT_INPUT, states[i].why);
	}
	fill_parts(parts, STATE4("2,64", ""), false);
	parts[SCALES].name = "w.other";
	put_st("f", parts);
	refused("f", PEFT_INPUT, "w.absmax is missing");
	fill_parts(parts, STATE4("2,64", ""), false);
	parts[SCALES].dtype = PEFT_I32;
	put_st("f", parts);
	refused("f", PEFT_INPUT, "w.absmax is not a list of 2 f32");
	fill_parts(parts, STATE4("2,64", ""), false);
	parts[CODES].name = "v";
	put_st("f", parts);
	refused("f", PEFT_INPUT, "belongs to no weight");
	fill_parts(parts, STATE4("2,64", ""), false);
	parts[MAP].data = peft_dynamic_map();
	put_st("f", parts);
	refused("f", PEFT_INPUT, "w.quant_map is not the table of nf4");
	fill_parts(parts, STATE4("2,64", ""), false);
	absmax[1] = INFINITY;
	put_st("f", parts);
	refused("f", PEFT_INPUT, "the scales of w are not finite");
}

static void
test_nested(void)
{
	struct item parts[NPART + 1];
	struct peft_err err = { 0 };
	struct peft_source *s;
	struct peft_weight w;

	fill_parts(parts, STATE4("2,64", NESTED), true);
	put_st("f", parts);
	s = peft_source_open("f", &err);
	need(s != NULL, &err);
	ok(peft_source_load(s, 0, &w, &err) == 0 && w.scales.absmax == NULL &&
	    w.scales.nested_blocksize == 256 && w.scales.nnested == 1 &&
	    w.scales.nested_offset == 0.5f && memcmp(w.scales.qabsmax, bytes,
	    2) == 0 && memcmp(w.scales.nested_map, table, sizeof(table)) == 0,
	    "doubly quantised");
	peft_source_close(s);
	fill_parts(parts, STATE4("2,64", NESTED), true);
	table[200] = NAN;
	put_st("f", parts);
	refused("f", PEFT_INPUT, "the scales of w are not finite");
	fill_parts(parts, STATE4("2,64", NESTED), true);
	outer[0] = NAN;
	put_st("f", parts);
	refused("f", PEFT_INPUT, "the scales of w are not finite");
	fill_parts(parts, STATE4("2,64", NESTED), true);
	parts[OUTER].n = 0;
	put_st("f", parts);
	refused("f", PEFT_INPUT, "w.nested_absmax is not a list of 1 f32");
	fill_parts(parts, STATE4("2,64", ",\"nested_blocksize\":256"), true);
	put_st("f", parts);
	refused("f", PEFT_INPUT, "nested_offset is missing");
	fill_parts(parts, STATE4("2,64", ",\"nested_blocksize\":256,"
	    "\"nested_offset\":1e39"), true);
	put_st("f", parts);
	refused("f", PEFT_INPUT, "nested_offset is no f32");
}

static void
test_int8(void)
{
	struct item parts[] = { { "l.weight", PEFT_I8, 2, 64, rows },
		{ "l.SCB", PEFT_F32, 2, 0, absmax },
		{ "l.weight_format", PEFT_U8, 1, 0, &format }, { 0 } };
	struct peft_err err = { 0 };
	struct peft_source *s;
	struct peft_weight w;

	absmax[0] = absmax[1] = 1;
	put_st("f", parts);
	s = peft_source_open("f", &err);
	need(s != NULL, &err);
	ok(peft_source_count(s) == 1 && peft_source_load(s, 0, &w, &err) == 0
	    && w.dtype == PEFT_INT8 && w.scales.nabsmax == 2,
	    "eight bits, a scale a row");
	peft_source_close(s);
	format = 1;
	put_st("f", parts);
	refused("f", PEFT_INPUT, "weight_format 1 is not known");
	parts[1].n = 1;
	put_st("f", parts);
	refused("f", PEFT_INPUT, "l.SCB does not hold a scale for each row");
	parts[1].n = parts[0].n = 2;
	parts[0].cols = 0;
	put_st("f", parts);
	refused("f", PEFT_INPUT, "l.SCB does not hold a scale for each row");
	unlink("f");
}

int
main(void)
{
	const char *tmp = getenv("TMPDIR");
	char dir[256];

	snprintf(dir, sizeof(dir), "%s/parts-unit-XXXXXX", tmp != NULL ?
	    tmp : "/tmp");
	if (mkdtemp(dir) == NULL || chdir(dir) == -1) {
		printf("Bail out! %s: %s\n", dir, strerror(errno));
		return 1;
	}
	test_4bit();
	test_nested();
	test_int8();
	ok(chdir("/") == 0 && rmdir(dir) == 0, "nothing is left");
	return tap_end();
}
