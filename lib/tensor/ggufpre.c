/* SPDX-License-Identifier: Apache-2.0 */
/* Pre-tokenizers by GGUF's names. */

#include <string.h>

#include "tensor/ggufpre.h"

#define BYTELEVEL(trim, regex) \
	"{\"type\":\"ByteLevel\",\"add_prefix_space\":false," \
	"\"trim_offsets\":" trim ",\"use_regex\":" regex "}"
#define SPLIT(pattern, trim) \
	"{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\"," \
	"\"pattern\":{\"Regex\":\"" pattern "\"}," \
	"\"behavior\":\"Isolated\",\"invert\":false}," \
	BYTELEVEL(trim, "false") "]}"
#define CL100K(digits) \
	"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?" \
	"\\\\p{L}+|" digits "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|" \
	"\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"

/* The first row of a kind is the one it is written as. */
static const struct peft_pre pres[] = {
	{ "smollm", "{\"type\":\"Sequence\",\"pretokenizers\":["
	    "{\"type\":\"Digits\",\"individual_digits\":true},"
	    BYTELEVEL("true", "true") "]}", "null", false, false },
	{ "llama-bpe", SPLIT(CL100K("\\\\p{N}{1,3}"), "true"), "null", true,
	    true },
	{ "qwen2", SPLIT(CL100K("\\\\p{N}"), "false"),
	    "{\"type\":\"NFC\"}", false, false },
	{ "gpt-2", BYTELEVEL("true", "true"), "null", false, false },
	{ "llama3", SPLIT(CL100K("\\\\p{N}{1,3}"), "true"), "null", true,
	    true },
	{ "llama-v3", SPLIT(CL100K("\\\\p{N}{1,3}"), "true"), "null", true,
	    true },
};

enum { NPRE = sizeof(pres) / sizeof(pres[0]) };

const struct peft_pre *
peft_pre_of_gguf(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < NPRE; i++)
		if (strlen(pres[i].name) == len &&
		    memcmp(pres[i].name, name, len) == 0)
			return &pres[i];
	return NULL;
}

/* Offsets are not GGUF's business: rows differ in trim_offsets alone from
 * what a tokenizer.json may say. */
static bool
same_but_trim(const char *a, const char *b)
{
	static const char key[] = "\"trim_offsets\":";

	while (*a != '\0' && *a == *b) {
		if (strncmp(a, key, sizeof(key) - 1) == 0 &&
		    strncmp(b, key, sizeof(key) - 1) == 0) {
			a += sizeof(key) - 1;
			b += sizeof(key) - 1;
			a += strcspn(a, ",}");
			b += strcspn(b, ",}");
			continue;
		}
		a++;
		b++;
	}
	return *a == *b;
}

const struct peft_pre *
peft_pre_of_json(const char *json)
{
	size_t i;

	for (i = 0; i < NPRE; i++)
		if (same_but_trim(pres[i].json, json))
			return &pres[i];
	return NULL;
}
