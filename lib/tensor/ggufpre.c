/* SPDX-License-Identifier: Apache-2.0 */
/* Pre-tokenizers by GGUF's names. */

#include <string.h>

#include "tensor/ggufpre.h"

#define BYTELEVEL(trim, regex) \
	"{\"type\":\"ByteLevel\",\"add_prefix_space\":false," \
	"\"trim_offsets\":" trim ",\"use_regex\":" regex "}"
#define CUT(pattern) \
	"{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" pattern "\"}," \
	"\"behavior\":\"Isolated\",\"invert\":false},"
/* What the cuts leave is not cut further. */
#define CUTS(cuts, trim) \
	"{\"type\":\"Sequence\",\"pretokenizers\":[" cuts \
	BYTELEVEL(trim, "false") "]}"
#define SPLIT(pattern, trim)	CUTS(CUT(pattern), trim)

#define SHORT		"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define BLANKS		"\\\\s+(?!\\\\S)|\\\\s+"
#define LINES		"\\\\s*[\\\\r\\\\n]+|" BLANKS
#define BEFORE		"[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?"
#define MARKS		" ?[^\\\\s\\\\p{L}\\\\p{N}]+"
#define CL100K(digits) \
	SHORT "|" BEFORE "\\\\p{L}+|" digits "|" MARKS \
	"[\\\\r\\\\n]*|" LINES
#define LARGE		"[\\\\p{Lu}\\\\p{Lt}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]"
#define SMALL		"[\\\\p{Ll}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]"
#define O200K(short, digits) \
	BEFORE LARGE "*" SMALL "+" short "|" BEFORE LARGE "+" SMALL "*" short \
	"|" digits "|" MARKS "[\\\\r\\\\n/]*|" LINES
#define GPT2		"'s|'t|'re|'ve|'m|'ll|'d| ?\\\\p{L}+| ?\\\\p{N}+|" \
	MARKS "|" BLANKS
#define PUNCTUATED \
	"[!\\\"#$%&'()*+,\\\\-./:;<=>?@\\\\[\\\\\\\\\\\\]^_`{|}~]" \
	"[A-Za-z]+|[^\\\\r\\\\n\\\\p{L}\\\\p{P}\\\\p{S}]?" \
	"[\\\\p{L}\\\\p{M}]+| ?[\\\\p{P}\\\\p{S}]+[\\\\r\\\\n]*|" LINES
#define DEEPSEEK3	CUT("\\\\p{N}{1,3}") CUT("[一-龥぀-ゟ゠-ヿ]+") \
	CUT(PUNCTUATED)
/* Digits in threes from the right. */
#define THREES(digit, end) \
	CUT(digit "{1,3}(?=(?:" digit "{3})*" end ")")
#define AFMOE		THREES("\\\\p{N}", "(?!\\\\p{N})") \
	CUT("[一-鿿㐀-䶿豈-﫿぀-ゟ゠-ヿ･-ﾟ⼀-⿟เ-๿຀-໿ក-៿က-႟ꩠ-ꩿꧠ-꧿가-힯ᄀ-ᇿ]+") \
	CUT(PUNCTUATED)
#define WORDS		CUT(" ?[^(\\\\s|.,!?…。，、।۔،)]+")

#define DEEPSEEK1 \
	CUT("[\\r\\n]") CUT("\\\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆ" \
	"Έ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅ" \
	"ὐ-ὗὙὛὝ\u1f5f-\u1f7dᾀ-ᾴᾶ-ᾼ\u1fbeῂ-ῄῆ-ῌ\u1fd0-\u1fd3\u1fd6-\u1fdbῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212a-ℭℯ-ℴℹ" \
	"ℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ" \
	"𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+") \
	CUT("\\\\s?[!-/:-~！-／：-～‘-‟　-。]+") CUT("\\\\s+$") \
	CUT("[一-龥ࠀ-一가-퟿]+") CUT("\\\\p{N}+")
#define NOT_HAN(class)	"(?:(?!\\\\p{Han})" class ")"
#define KIMI(short) \
	"\\\\p{Han}+|" BEFORE NOT_HAN(LARGE) "*" NOT_HAN(SMALL) "+" short "|" \
	BEFORE NOT_HAN(LARGE) "+" NOT_HAN(SMALL) "*" short "|" \
	"\\\\p{N}{1,3}|" MARKS "[\\\\r\\\\n]*|" LINES
#define YOUTU		CUT("[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|" \
	"[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+") CUT(O200K(SHORT "?", "\\\\p{N}"))
#define QWEN35		SHORT "|" BEFORE "[\\\\p{L}\\\\p{M}]+|\\\\p{N}|" \
	" ?[^\\\\s\\\\p{L}\\\\p{M}\\\\p{N}]+[\\\\r\\\\n]*|" LINES
#define EXAONE_MOE	SHORT "|" BEFORE "(?:\\\\p{L}\\\\p{M}*(?: \\\\p{L}" \
	"\\\\p{M}*)*)+|\\\\p{N}|" MARKS "[\\\\r\\\\n/]?|\\\\s*[\\\\r\\\\n]|" BLANKS

#define AS_GPT2		BYTELEVEL("true", "true"), "null", false, false
#define AS_SMOLLM	"{\"type\":\"Sequence\",\"pretokenizers\":[" \
	"{\"type\":\"Digits\",\"individual_digits\":true}," \
	BYTELEVEL("true", "true") "]}", "null", false, false
#define AS_LLAMA3	SPLIT(CL100K("\\\\p{N}{1,3}"), "true"), "null", true, true
#define AS_DBRX		SPLIT(CL100K("\\\\p{N}{1,3}"), "true"), "null", false, \
	false
#define AS_QWEN2	SPLIT(CL100K("\\\\p{N}"), "false"), "null", false, false
#define AS_GPT4O	SPLIT(O200K(SHORT "?", "\\\\p{N}{1,3}"), "true"), \
	"null", false, false
#define AS_TINY_AYA	CUTS(THREES("\\\\d", "\\\\b") \
	CUT(O200K(SHORT "?", "\\\\p{N}{1,3}")), "true"), "null", false, false
#define AS_DEEPSEEK3	CUTS(DEEPSEEK3, "true"), "null", false, false
#define AS_BLOOM	CUTS(WORDS, "true"), "null", false, false
#define AS_BAILING	SPLIT("'(?i:[sdmt]|ll|ve|re)|" BEFORE "\\\\p{L}+|" \
	"\\\\p{N}|" MARKS "[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]|" BLANKS, \
	"true"), "null", false, false

/* llama.cpp's names.  The first row of a kind is the one it is written as. */
static const struct peft_pre pres[] = {
	{ "smollm", AS_SMOLLM },
	{ "llama-bpe", AS_LLAMA3 },
	{ "qwen2", SPLIT(CL100K("\\\\p{N}"), "false"),
	    "{\"type\":\"NFC\"}", false, false },
	{ "gpt-2", AS_GPT2 },
	{ "smaug-bpe", AS_DBRX },
	{ "gpt-4o", AS_GPT4O },
	{ "tekken", SPLIT(O200K("", "\\\\p{N}"), "true"), "null", true, true },
	{ "deepseek-v3", AS_DEEPSEEK3 },
	{ "deepseek-coder", CUTS(CUT("[\\\\r\\\\n]") CUT("\\\\s?\\\\p{L}+")
	    CUT("\\\\s?\\\\p{P}+") CUT("[一-龥ࠀ-一가-퟿]+") CUT("\\\\p{N}"),
	    "true"), "null", false, false },
	{ "deepseek-llm", CUTS(DEEPSEEK1, "true"), "null", false, false },
	{ "kimi-k2", SPLIT(KIMI(SHORT "?"), "true"), "null", false, false },
	{ "qwen35", SPLIT(QWEN35, "false"), "{\"type\":\"NFC\"}", false,
	    false },
	{ "youtu", CUTS(YOUTU, "true"), "null", true, false },
	{ "exaone-moe", SPLIT(EXAONE_MOE, "true"), "null", false, false },
	{ "laguna", CUTS(CUT("[^\\\\n]+|[\\\\n]+") CUT(CL100K("\\\\p{N}")),
	    "true"), "null", false, false },
	{ "superbpe", CUTS(CUT("\\\\p{N}+") CUT("(?=(\\\\d{3})+(?!\\\\d))"),
	    "true"), "null", false, false },
	{ "afmoe", CUTS(AFMOE, "true"), "null", false, false },
	{ "tiny_aya", AS_TINY_AYA },
	{ "cohere2moe", AS_TINY_AYA },
	{ "stablelm2", AS_QWEN2 },
	{ "llama3", AS_LLAMA3 },
	{ "llama-v3", AS_LLAMA3 },
	{ "falcon3", AS_LLAMA3 },
	{ "falcon-h1", AS_LLAMA3 },
	{ "pixtral", AS_LLAMA3 },
	{ "midm-2.0", AS_LLAMA3 },
	{ "lfm2", AS_LLAMA3 },
	{ "dbrx", AS_DBRX },
	{ "glm4", AS_DBRX },
	{ "chatglm-bpe", AS_DBRX },
	{ "deepseek-r1-qwen", AS_QWEN2 },
	{ "kormo", AS_QWEN2 },
	{ "megrez", AS_QWEN2 },
	{ "hunyuan", AS_QWEN2 },
	{ "f2llmv2", AS_QWEN2 },
	{ "solar-open", AS_QWEN2 },
	{ "grok-2", AS_QWEN2 },
	{ "phi-2", AS_GPT2 },
	{ "jina-v1-en", AS_GPT2 },
	{ "jina-v2-code", AS_GPT2 },
	{ "roberta-bpe", AS_GPT2 },
	{ "modern-bert", AS_GPT2 },
	{ "jina-es", AS_GPT2 },
	{ "jina-de", AS_GPT2 },
	{ "jina-v2-es", AS_GPT2 },
	{ "jina-v2-de", AS_GPT2 },
	{ "gigachat", AS_GPT2 },
	{ "a.x-4.0", AS_GPT2 },
	{ "mellum", AS_GPT2 },
	{ "exaone4", AS_GPT2 },
	{ "mpt", AS_GPT2 },
	{ "olmo", AS_GPT2 },
	{ "jais", AS_GPT2 },
	{ "trillion", AS_GPT2 },
	{ "granite-docling", AS_GPT2 },
	{ "starcoder", AS_SMOLLM },
	{ "refact", AS_SMOLLM },
	{ "command-r", AS_SMOLLM },
	{ "codeshell", AS_SMOLLM },
	{ "mellum2", AS_SMOLLM },
	{ "exaone", AS_SMOLLM },
	{ "minerva-7b", AS_SMOLLM },
	{ "llama4", AS_GPT4O },
	{ "kanana2", AS_GPT4O },
	{ "talkie", AS_GPT4O },
	{ "minimax-m2", AS_GPT4O },
	{ "hunyuan-dense", AS_DEEPSEEK3 },
	{ "joyai-llm", AS_DEEPSEEK3 },
	{ "bailingmoe", AS_BAILING },
	{ "bailingmoe2", AS_BAILING },
	{ "llada-moe", AS_BAILING },
	{ "seed-coder", SPLIT(SHORT "|" BEFORE "\\\\p{L}+|\\\\p{N}{1}|"
	    " ?[^\\\\s\\\\p{L}\\\\p{N}\\\\r\\\\n]+|" LINES, "true"), "null",
	    false, false },
	{ "bloom", AS_BLOOM },
	{ "gpt3-finnish", AS_BLOOM },
	{ "poro-chat", AS_BLOOM },
	{ "viking", CUTS(WORDS CUT("\\\\p{N}"), "true"), "null", false,
	    false },
	{ "falcon", CUTS(CUT("[\\\\p{P}\\\\$\\\\+<=>\\\\^~\\\\|`]+")
	    CUT(GPT2) CUT("[0-9][0-9][0-9]"), "true"), "null", false, false },
	{ "default", CUTS(CUT("[\\\\p{P}\\\\$\\\\+<=>\\\\^~\\\\|]+")
	    CUT(GPT2) CUT("\\\\p{N}+") CUT("[0-9][0-9][0-9]"), "true"),
	    "null", false, false },
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

/* Runs of newlines are apart; a text always begins with bos. */
const struct peft_pre *
peft_pre_of_chars(void)
{
	static const struct peft_pre chars = { "gemma4",
	    "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\n+\"},"
	    "\"behavior\":\"Isolated\",\"invert\":false}",
	    "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},"
	    "\"content\":\"\u2581\"}", false, true };

	return &chars;
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

/* llama.cpp does not know of normalisers: a form C that it does not make is
 * no other kind. */
const struct peft_pre *
peft_pre_of_json(const char *json, const char *normalizer, bool ignore_merges)
{
	const struct peft_pre *other = NULL;
	size_t i;

	if (strcmp(normalizer, "null") != 0 &&
	    strcmp(normalizer, "{\"type\":\"NFC\"}") != 0)
		return NULL;
	for (i = 0; i < NPRE; i++) {
		if (pres[i].ignore_merges != ignore_merges ||
		    !same_but_trim(pres[i].json, json))
			continue;
		if (strcmp(pres[i].normalizer, normalizer) == 0)
			return &pres[i];
		other = other == NULL ? &pres[i] : other;
	}
	return other;
}
