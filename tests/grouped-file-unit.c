/* SPDX-License-Identifier: Apache-2.0 */
/* Files of weights with scales for groups of elements: what is taken, and what
 * is said of parts that are absent, of other types, of other sizes. */

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "quant/quant.h"
#include "st-file.h"

static const uint8_t bytes[8192];

#define CONFIG(s)	"{\"quantization_config\":{" s "}}"
#define GPTQ(more)	CONFIG("\"quant_method\":\"gptq\",\"bits\":4," \
	"\"group_size\":32" more)
#define CT(weights)	CONFIG("\"quant_method\":\"compressed-tensors\"," \
	"\"format\":\"pack-quantized\",\"config_groups\":{\"g\":{\"targets\":" \
	"[\"Linear\"],\"weights\":{" weights "}}}")
#define CTGROUP		"\"num_bits\":4,\"strategy\":\"group\",\"group_size\":32"
#define FP8(more)	CONFIG("\"quant_method\":\"fp8\"," \
	"\"weight_block_size\":[32,32]" more)

static const int64_t dims[2] = { 32, 64 }, dims3[3] = { 32, 64, 1 };
static const int32_t groups[64] = { [32] = 1, 1, 1, 1 };
static const int32_t beyond[64] = { [5] = 2 }, below[64] = { [63] = -1 };
static const float ones[64] = { 1, 1, 1, 1, 1, 1, 1, 1 };
static const float infinite[64] = { 1, INFINITY };
static const uint8_t nothing[4096], nan8[64] = { [3] = 0xff };

/* Files that are taken; each test changes one thing. */
static const struct item sets[][8] = {
	{ { "m.qweight", PEFT_I32, 8, 32, bytes },
	    { "m.scales", PEFT_F16, 2, 32, nothing },
	    { "m.qzeros", PEFT_I32, 2, 4, bytes },
	    { "m.g_idx", PEFT_I32, 64, 0, groups } },
	{ { "m.qweight", PEFT_I32, 64, 4, bytes },
	    { "m.scales", PEFT_F16, 2, 32, nothing },
	    { "m.qzeros", PEFT_I32, 2, 4, bytes } },
	{ { "m.weight_packed", PEFT_I32, 32, 8, bytes },
	    { "m.weight_scale", PEFT_F32, 32, 2, ones },
	    { "m.weight_shape", PEFT_I64, 2, 0, dims },
	    { "m.weight_zero_point", PEFT_I32, 4, 2, bytes } },
	{ { "m.weight", PEFT_F8_E4M3, 32, 64, nothing },
	    { "m.weight_scale_inv", PEFT_F32, 1, 2, ones } },
};

enum { GPTQSET, AWQSET, CTSET, FP8SET };

static const char *const configs[] = {
	GPTQ(""), CONFIG("\"quant_method\":\"awq\",\"bits\":4,\"group_size\":"
	    "32,\"version\":\"gemm\""), CT(CTGROUP), FP8(""),
};

static const struct {
	int		 set;
	size_t		 at;		/* the item that is another */
	struct item	 item;		/* without a name: absent */
	enum peft_exit	 status;
	const char	*why;
} others[] = {
	{ GPTQSET, 1, { 0 }, PEFT_INPUT, "m.scales is missing" },
	{ GPTQSET, 2, { 0 }, PEFT_INPUT, "m.qzeros is missing" },
	{ GPTQSET, 0, { 0 }, PEFT_INPUT, "tensor m.scales belongs to no weight" },
	{ GPTQSET, 0, { "m.qweight", PEFT_F32, 8, 32, bytes }, PEFT_INPUT, "m.qweight is not a matrix of words (i32)" },
	{ GPTQSET, 0, { "m.qweight", PEFT_I32, 256, 0, bytes }, PEFT_INPUT, "m.qweight is not a matrix of words (i32)" },
	{ GPTQSET, 0, { "m.qweight", PEFT_I32, 7, 32, bytes }, PEFT_INPUT, "m.qweight has 7 rows of words, 64 columns of 4 bits call for another number" },
	{ GPTQSET, 0, { "m.qweight", PEFT_I32, 8, 31, bytes }, PEFT_INPUT, "m.scales is not 2 x 31 scales" },
	{ GPTQSET, 0, { "m.qweight", PEFT_I32, 0, 32, bytes }, PEFT_INPUT, "m.qweight has 0 rows of words" },
	{ GPTQSET, 1, { "m.scales", PEFT_F16, 2, 31, nothing }, PEFT_INPUT, "m.scales is not 2 x 32 scales" },
	{ GPTQSET, 1, { "m.scales", PEFT_F16, 64, 0, nothing }, PEFT_INPUT, "m.scales is not scales for groups" },
	{ GPTQSET, 1, { "m.scales", PEFT_I16, 2, 32, nothing }, PEFT_INPUT, "m.scales is of type i16, which scales are not" },
	{ GPTQSET, 1, { "m.scales", PEFT_F32, 2, 32, infinite }, PEFT_INPUT, "the scales of m.weight are not finite" },
	{ GPTQSET, 2, { "m.qzeros", PEFT_I32, 2, 3, bytes }, PEFT_INPUT, "m.qzeros is not 2 x 4 words (i32)" },
	{ GPTQSET, 2, { "m.qzeros", PEFT_F32, 2, 4, bytes }, PEFT_INPUT, "m.qzeros is not 2 x 4 words (i32)" },
	{ GPTQSET, 3, { "m.g_idx", PEFT_I64, 32, 0, groups }, PEFT_INPUT, "m.g_idx is not a list of i32" },
	{ GPTQSET, 3, { "m.g_idx", PEFT_I32, 63, 0, groups }, PEFT_INPUT, "m.qweight has 8 rows of words, 63 columns" },
	{ GPTQSET, 3, { "m.g_idx", PEFT_I32, 64, 0, beyond }, PEFT_INPUT, "m.weight: g_idx: column 5 is of group 2 of 2" },
	{ GPTQSET, 3, { "m.g_idx", PEFT_I32, 64, 0, below }, PEFT_INPUT, "m.weight: g_idx: column 63 is of group -1 of 2" },
	{ GPTQSET, 4, { "m.weight", PEFT_F32, 4, 0, ones }, PEFT_INPUT, "weight m.weight is there twice" },
	{ GPTQSET, 4, { "n.qzeros", PEFT_I32, 4, 0, bytes }, PEFT_INPUT, "tensor n.qzeros belongs to no weight" },
	{ AWQSET, 2, { 0 }, PEFT_INPUT, "m.qzeros is missing" },
	{ AWQSET, 0, { "m.qweight", PEFT_I32, 65, 4, bytes }, PEFT_INPUT, "m.scales is not 3 x 32 scales" },
	{ AWQSET, 0, { "m.qweight", PEFT_I32, 64, 3, bytes }, PEFT_INPUT, "m.scales is not 2 x 24 scales" },
	{ AWQSET, 1, { "m.scales", PEFT_BF16, 1, 32, nothing }, PEFT_INPUT, "m.scales is not 2 x 32 scales" },
	{ AWQSET, 2, { "m.qzeros", PEFT_I32, 2, 5, bytes }, PEFT_INPUT, "m.qzeros is not 2 x 4 words (i32)" },
	{ AWQSET, 3, { "m.g_idx", PEFT_I32, 64, 0, groups }, PEFT_INPUT, "tensor m.g_idx belongs to no weight" },
	{ CTSET, 1, { 0 }, PEFT_INPUT, "m.weight_scale is missing" },
	{ CTSET, 2, { 0 }, PEFT_INPUT, "m.weight_shape is missing" },
	{ CTSET, 3, { 0 }, PEFT_OK, NULL },
	{ CTSET, 0, { 0 }, PEFT_INPUT, "belongs to no weight" },
	{ CTSET, 0, { "m.weight_packed", PEFT_I32, 32, 9, bytes }, PEFT_INPUT, "m.weight_packed is not 32 rows of words (i32) for 64 columns each" },
	{ CTSET, 0, { "m.weight_packed", PEFT_I32, 31, 8, bytes }, PEFT_INPUT, "m.weight_packed is not 32 rows" },
	{ CTSET, 0, { "m.weight_packed", PEFT_U8, 32, 8, bytes }, PEFT_INPUT, "m.weight_packed is not 32 rows" },
	{ CTSET, 1, { "m.weight_scale", PEFT_F32, 32, 3, bytes }, PEFT_INPUT, "m.weight_scale fits no block size" },
	{ CTSET, 1, { "m.weight_scale", PEFT_U8, 32, 2, bytes }, PEFT_INPUT, "m.weight_scale is of type u8, which scales are not" },
	{ CTSET, 1, { "m.weight_scale", PEFT_F32, 32, 2, infinite }, PEFT_INPUT, "the scales of m.weight are not finite" },
	{ CTSET, 2, { "m.weight_shape", PEFT_I64, 3, 0, dims3 }, PEFT_INPUT, "m.weight_shape is not two whole numbers" },
	{ CTSET, 2, { "m.weight_shape", PEFT_F32, 2, 0, ones }, PEFT_INPUT, "m.weight_shape is not two whole numbers" },
	{ CTSET, 2, { "m.weight_shape", PEFT_I64, 2, 0, nothing }, PEFT_INPUT, "m.weight_shape holds 0" },
	{ CTSET, 3, { "m.weight_zero_point", PEFT_I32, 3, 2, bytes }, PEFT_INPUT, "m.weight_zero_point is not 4 x 2 words (i32)" },
	{ CTSET, 4, { "m.weight_g_idx", PEFT_I32, 63, 0, groups }, PEFT_INPUT, "m.weight_g_idx is not a list of 64 i32" },
	{ CTSET, 4, { "m.weight_g_idx", PEFT_I32, 64, 0, beyond }, PEFT_INPUT, "g_idx: column 5 is of group 2 of 2" },
	{ CTSET, 4, { "m.weight", PEFT_F32, 32, 2, ones }, PEFT_INPUT, "weight m.weight is there twice" },
	{ CTSET, 4, { "m.input_scale", PEFT_F32, 1, 0, ones }, PEFT_OK, NULL },
	{ CTSET, 4, { "n.weight_shape", PEFT_I64, 2, 0, dims }, PEFT_INPUT, "tensor n.weight_shape belongs to no weight" },
	{ FP8SET, 1, { 0 }, PEFT_INPUT, "m.weight_scale is missing" },
	{ FP8SET, 0, { "m.weight", PEFT_F8_E4M3, 2048, 0, nothing }, PEFT_INPUT, "m.weight is not a matrix" },
	{ FP8SET, 0, { "m.weight", PEFT_F8_E4M3, 33, 64, nothing }, PEFT_INPUT, "m.weight_scale_inv fits no block size that the quantization_config gives (of 33 x 64 weights)" },
	{ FP8SET, 0, { "m.weight", PEFT_BF16, 32, 64, nothing }, PEFT_INPUT, "tensor m.weight_scale_inv belongs to no weight" },
	{ FP8SET, 1, { "m.weight_scale_inv", PEFT_F32, 2, 1, ones }, PEFT_INPUT, "m.weight_scale_inv fits no block size" },
	{ FP8SET, 1, { "m.weight_scale_inv", PEFT_I32, 1, 2, ones }, PEFT_INPUT, "m.weight_scale_inv is of type i32, which scales are not" },
	{ FP8SET, 1, { "m.weight_scale_inv", PEFT_F32, 1, 2, infinite }, PEFT_INPUT, "the scales of m.weight are not finite" },
	{ FP8SET, 1, { "m.weight_scale_inv", PEFT_F8_E8M0, 1, 2, nan8 + 2 }, PEFT_INPUT, "the scales of m.weight are not finite" },
	{ FP8SET, 2, { "m.experts", PEFT_F8_E4M3, 2, 2, nothing }, PEFT_INPUT, "tensor m.experts: of quant_method fp8 only MODULE.weight with a scale is honoured" },
	{ FP8SET, 2, { "m.weight_scale", PEFT_F32, 1, 2, ones }, PEFT_INPUT, "m.weight_scale and m.weight_scale_inv are both there" },
	{ FP8SET, 2, { "m.weight_zero_point", PEFT_F8_E4M3, 2, 0, nan8 + 2 }, PEFT_INPUT, "m.weight_zero_point is not zero" },
	{ FP8SET, 2, { "m.weight_zero_point", PEFT_F8_E4M3, 3, 0, nan8 }, PEFT_INPUT, "m.weight_zero_point is not as many" },
};

static void
put_set(int set, size_t at, const struct item *item, const char *config)
{
	struct item items[10] = { { 0 } };
	size_t n = 0, i;

	if (config != NULL)
		items[n++] = (struct item){ "peft.file/config.json", PEFT_U8,
		    strlen(config), 0, config };
	for (i = 0; i < 7; i++) {
		const struct item *from = item != NULL && i == at ? item :
		    &sets[set][i];

		if (from->name != NULL)
			items[n++] = *from;
	}
	put_st("f", items);
}

static void
taken(const char *what)
{
	struct peft_err err = { 0 };

	why("f", &err);
	if (!ok(err.msg[0] == '\0', "taken: %s", what))
		printf("# %s\n", err.msg);
}

static void
test_parts(void)
{
	size_t i;

	for (i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
		put_set((int)i, 0, NULL, configs[i]);
		taken(configs[i]);
	}
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		put_set(others[i].set, others[i].at, &others[i].item,
		    configs[others[i].set]);
		if (others[i].why == NULL)
			taken("a part more, or less");
		else
			refused("f", others[i].status, others[i].why);
	}
}

static const struct {
	int		 set;
	const char	*config, *why;		/* NULL: taken */
} said[] = {
	{ GPTQSET, NULL, "m.qweight is packed, and no quantization_config says how" },
	{ GPTQSET, "{}", "m.qweight is packed, and no quantization_config says how" },
	{ GPTQSET, "[]", "m.qweight is packed, and no quantization_config says how" },
	{ GPTQSET, "{\"quantization_config\":7}", "quantization_config: not an object" },
	{ GPTQSET, CONFIG("\"bits\":4"), "config.json: quantization_config: quant_method is missing" },
	{ GPTQSET, CONFIG("\"quant_method\":\"hqq\""), "quantization_config: quant_method \"hqq\" is not known (known: bitsandbytes, gptq" },
	{ GPTQSET, CONFIG("\"quant_method\":4"), "\"quant_method\" is not a string" },
	{ GPTQSET, FP8(""), "m.qweight is not of quant_method fp8" },
	{ GPTQSET, CONFIG("\"quant_method\":\"gptq\",\"bits\":4"), "bits or group_size is missing" },
	{ GPTQSET, CONFIG("\"quant_method\":\"gptq\",\"bits\":5,\"group_size\":32"), "bits 5 is not honoured (2, 3, 4, 8)" },
	{ GPTQSET, CONFIG("\"quant_method\":\"gptq\",\"bits\":4,\"group_size\":0"), "group_size is 0" },
	{ GPTQSET, CONFIG("\"quant_method\":\"gptq\",\"bits\":4,\"group_size\":-2"), "\"group_size\" is -2, not in" },
	{ GPTQSET, CONFIG("\"quant_method\":\"gptq\",\"bits\":3,\"group_size\":32"), "m.qweight has 8 rows of words, 64 columns of 3 bits call for another number" },
	{ GPTQSET, GPTQ(",\"checkpoint_format\":\"marlin\""), "checkpoint_format \"marlin\" is not honoured" },
	{ GPTQSET, GPTQ(",\"format\":\"gptq_p\""), "format \"gptq_p\" is not honoured" },
	{ GPTQSET, GPTQ(",\"checkpoint_format\":\"gptq\",\"format\":\"gptq_v2\""), "checkpoint_format and format differ" },
	{ GPTQSET, GPTQ(",\"pack_dtype\":\"int16\""), "pack_dtype \"int16\" is not honoured" },
	{ GPTQSET, GPTQ(",\"rotation\":\"hadamard\""), "key \"rotation\" is not honoured" },
	{ GPTQSET, GPTQ(",\"adapter\":{\"rank\":8}"), "key \"adapter\" is not honoured" },
	{ GPTQSET, GPTQ(",\"desc_act\":\"yes\""), "\"desc_act\" is not true or false" },
	{ GPTQSET, GPTQ(",\"rotation\":null,\"adapter\":{},\"damp_percent\":0.1"), NULL },
	{ GPTQSET, GPTQ(",\"iters\":200,\"autoround_version\":\"0.3\",\"data_type\":\"int\""), NULL },
	{ GPTQSET, GPTQ(",\"data_type\":\"mx_fp\""), "data_type \"mx_fp\" is not honoured" },
	{ GPTQSET, GPTQ(",\"group_size\":64"), "duplicate key" },
	{ AWQSET, CONFIG("\"quant_method\":\"awq\",\"bits\":8,\"group_size\":32"), "8 bits are not honoured (4)" },
	{ AWQSET, CONFIG("\"quant_method\":\"awq\",\"bits\":4,\"group_size\":32,\"version\":\"gemv\""), "version \"gemv\" is not honoured" },
	{ AWQSET, CONFIG("\"quant_method\":\"awq\",\"bits\":4,\"group_size\":64,\"version\":\"GEMM\""), "m.scales is not 1 x 32 scales" },
	{ AWQSET, CONFIG("\"quant_method\":\"awq\",\"w_bit\":4,\"q_group_size\":32,\"zero_point\":true"), NULL },
	{ CTSET, NULL, "m.weight_packed is packed, and no quantization_config of compressed-tensors says how" },
	{ CTSET, CT(CTGROUP ",\"symmetric\":false"), NULL },
	{ CTSET, CT("\"num_bits\":8,\"strategy\":\"group\",\"group_size\":32"), "m.weight_packed is not 32 rows of words" },
	{ CTSET, CT("\"num_bits\":4,\"strategy\":\"group\",\"group_size\":16"), "m.weight_scale fits no block size" },
	{ CTSET, CT("\"num_bits\":4,\"strategy\":\"group\""), "config_groups: g: weights: group_size is missing" },
	{ CTSET, CT("\"num_bits\":5"), "weights: 5 bits of type int are not honoured" },
	{ CTSET, CT("\"num_bits\":4,\"type\":\"float\""), "4 bits of type float are not honoured" },
	{ CTSET, CT("\"num_bits\":4,\"strategy\":\"tensor_group\""), "strategy \"tensor_group\" is not honoured" },
	{ CTSET, CT("\"num_bits\":8,\"strategy\":\"block\""), "block_structure is missing" },
	{ CTSET, CT("\"num_bits\":8,\"strategy\":\"block\",\"block_structure\":[128]"), "block_structure is not two sizes" },
	{ CTSET, CT(CTGROUP ",\"dynamic\":true"), "weights: key \"dynamic\" is not honoured" },
	{ CTSET, CT(CTGROUP "},\"output_activations\":{\"num_bits\":8"), "g: key \"output_activations\" is not honoured" },
	{ CTSET, CT(CTGROUP "},\"format\":\"nvfp4-pack-quantized\",\"targets\":[],\"x\":{"), "duplicate key" },
	{ CTSET, CT(CTGROUP "},\"format\":\"marlin-24\",\"y\":{"), "format \"marlin-24\" is not honoured" },
	{ CTSET, CONFIG("\"quant_method\":\"compressed-tensors\",\"config_groups\":[]"), "config_groups is not an object" },
	{ CTSET, CONFIG("\"quant_method\":\"compressed-tensors\",\"kv_cache_scheme\":{\"num_bits\":8},\"config_groups\":{}"), "key \"kv_cache_scheme\" is not honoured" },
	{ CTSET, CONFIG("\"quant_method\":\"compressed-tensors\",\"transform_config\":{\"a\":1},\"config_groups\":{}"), "key \"transform_config\" is not honoured" },
	{ CTSET, CONFIG("\"quant_method\":\"compressed-tensors\",\"sparsity_config\":{\"format\":\"sparse-24-bitmask\"},\"config_groups\":{}"), "key \"sparsity_config\" is not honoured" },
	{ FP8SET, NULL, "m.weight_scale_inv fits no block size" },
	{ FP8SET, CONFIG("\"quant_method\":\"fp8\",\"weight_block_size\":[32]"), "weight_block_size is not two sizes" },
	{ FP8SET, CONFIG("\"quant_method\":\"fp8\",\"weight_block_size\":[32,0]"), "weight_block_size is not two sizes" },
	{ FP8SET, CONFIG("\"quant_method\":\"fp8\",\"weight_block_size\":[32,31]"), "m.weight_scale_inv fits no block size" },
	{ FP8SET, FP8(",\"fmt\":\"e3m4\""), "fmt \"e3m4\" is not honoured" },
	{ FP8SET, FP8(",\"expert_dtype\":\"fp4\""), "expert_dtype \"fp4\" is not honoured" },
	{ FP8SET, FP8(",\"activation_scheme\":\"other\""), "activation_scheme \"other\" is not honoured" },
};

static void
test_configs(void)
{
	static const struct item plain[] = {
		{ "w", PEFT_F32, 4, 0, ones },
		{ "peft.file/config.json", PEFT_U8, 0, 0, NULL }, { 0 } };
	struct item items[3];
	size_t i;

	for (i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		put_set(said[i].set, 0, NULL, said[i].config);
		if (said[i].why == NULL)
			taken(said[i].config == NULL ? "no config" :
			    said[i].config);
		else
			refused("f", PEFT_INPUT, said[i].why);
	}
	memcpy(items, plain, sizeof(items));
	items[1].data = FP8("");
	items[1].n = strlen(items[1].data);
	put_st("f", items);
	refused("f", PEFT_INPUT, "quantization_config says fp8, and no weight "
	    "is quantised");
}

/* compressed-tensors' weight_g_idx: codes 0 .. 15 in each row, zeros of 8. */
static void
test_order(void)
{
	static int32_t alternate[64];
	static uint8_t codes[32 * 32];
	static float scale[64];
	const struct item its = { "m.weight_g_idx", PEFT_I32, 64, 0,
	    alternate };
	struct item items[] = { { "peft.file/config.json", PEFT_U8,
	    strlen(configs[CTSET]), 0, configs[CTSET] },
	    { "m.weight_packed", PEFT_I32, 32, 8, codes },
	    { "m.weight_scale", PEFT_F32, 32, 2, scale },
	    { "m.weight_shape", PEFT_I64, 2, 0, dims }, its, { 0 } };
	struct peft_err err = { 0 };
	struct peft_source *s;
	struct peft_weight w;
	float x[32 * 64];
	bool good = true;
	size_t i;

	for (i = 0; i < 64; i++) {
		alternate[i] = i % 3 == 0;
		scale[i] = (float)(i + 1);
	}
	for (i = 0; i < sizeof(codes); i++)
		codes[i] = (uint8_t)(2 * i % 16 | (2 * i + 1) % 16 << 4);
	put_st("f", items);
	s = peft_source_open("f", &err);
	need(s != NULL && peft_source_load(s, 0, &w, &err) == 0, &err);
	peft_decode(&w, 0, w.nelem, x);
	for (i = 0; i < w.nelem; i++)
		good = good && x[i] == ((float)(i % 16) - 8) *
		    scale[i / 64 * 2 + (i % 64 % 3 == 0)];
	ok(good, "weight_g_idx tells the group of a column");
	peft_source_close(s);
}

#define MX(more)	CONFIG("\"quant_method\":\"mxfp4\"" more)

static const struct {
	const char	*config;
	enum peft_dtype	 type, scale_type;
	size_t		 blocks[4], scales[3];	/* no scales: absent */
	const void	*exponents;
	enum peft_exit	 status;
	const char	*why;			/* NULL: taken */
} mx[] = {
	{ MX(""), PEFT_U8, PEFT_U8, { 2, 3, 2, 16 }, { 2, 3, 2 }, nothing, PEFT_OK, NULL },
	{ NULL, PEFT_U8, PEFT_U8, { 2, 3, 2, 16 }, { 2, 3, 2 }, nothing, PEFT_OK, NULL },
	{ MX(",\"swizzled\":true"), PEFT_U8, PEFT_U8, { 2, 3, 2, 16 }, { 2, 3, 2 }, nothing, PEFT_INPUT, "key \"swizzled\" is not honoured" },
	{ FP8(""), PEFT_U8, PEFT_U8, { 2, 3, 2, 16 }, { 2, 3, 2 }, nothing, PEFT_INPUT, "m_blocks is not of quant_method fp8" },
	{ MX(""), PEFT_U8, PEFT_U8, { 2, 3, 2, 15 }, { 2, 3, 2 }, nothing, PEFT_INPUT, "m_blocks is not experts x rows x blocks of 16 u8" },
	{ MX(""), PEFT_U8, PEFT_U8, { 2, 3, 32, 0 }, { 2, 3, 2 }, nothing, PEFT_INPUT, "m_blocks is not experts x rows x blocks of 16 u8" },
	{ MX(""), PEFT_U8, PEFT_U8, { 2, 0, 2, 16 }, { 2, 0, 2 }, nothing, PEFT_INPUT, "m_blocks is not experts x rows x blocks of 16 u8" },
	{ MX(""), PEFT_I8, PEFT_U8, { 2, 3, 2, 16 }, { 2, 3, 2 }, nothing, PEFT_INPUT, "tensor m_scales belongs to no weight" },
	{ MX(""), PEFT_U8, PEFT_U8, { 2, 3, 2, 16 }, { 2, 2, 2 }, nothing, PEFT_INPUT, "m_scales is not an u8 for each block of m_blocks" },
	{ MX(""), PEFT_U8, PEFT_I8, { 2, 3, 2, 16 }, { 2, 3, 2 }, nothing, PEFT_INPUT, "m_scales is not an u8 for each block of m_blocks" },
	{ MX(""), PEFT_U8, PEFT_U8, { 2, 3, 2, 16 }, { 0 }, nothing, PEFT_INPUT, "m_scales is missing" },
	{ MX(""), PEFT_U8, PEFT_U8, { 2, 3, 2, 16 }, { 2, 3, 2 }, nan8, PEFT_INPUT, "the scales of m are not finite" },
};

static void
test_mx_parts(void)
{
	size_t i;

	for (i = 0; i < sizeof(mx) / sizeof(mx[0]); i++) {
		const char *config = mx[i].config == NULL ? "{}" :
		    mx[i].config;
		struct item items[] = {
			{ "peft.file/config.json", PEFT_U8, strlen(config), 0,
			    config },
			{ "m_blocks", mx[i].type, mx[i].blocks[0],
			    mx[i].blocks[1], bytes },
			{ mx[i].scales[0] > 0 ? "m_scales" : NULL,
			    mx[i].scale_type, mx[i].scales[0],
			    mx[i].scales[1], mx[i].exponents },
			{ 0 } };
		const size_t more[][2] = { { 0, 0 },
			{ mx[i].blocks[2], mx[i].blocks[3] },
			{ mx[i].scales[2], 0 } };

		put_st_deep("f", items, more);
		if (mx[i].why == NULL)
			taken("mxfp4");
		else
			refused("f", mx[i].status, mx[i].why);
	}
}

int
main(void)
{
	test_parts();
	test_configs();
	test_mx_parts();
	test_order();
	return tap_end();
}
