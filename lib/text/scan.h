/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_SCAN_H
#define PEFT_TEXT_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "text/split.h"

/*
 * Pre-tokenizers: where a piece of text ends.  The regular expressions of
 * the known families have scanners of their own; all of them cover the text
 * without gaps, so that a scanner is one function: given the text, which
 * must be valid UTF-8, and a place in it, the end of the piece that begins
 * there.
 */
typedef size_t peft_scan(const char *s, size_t n, size_t at);

/* GPT-2's: 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|
 * \s+(?!\S)|\s+ */
peft_scan	peft_scan_gpt2;
/* Llama 3's (cl100k) with numbers of up to three digits, and Qwen 2's with
 * single ones; Qwen 3.5's, whose words have marks in them; tiktoken's cl100k,
 * where white space at the end of a text is one piece. */
peft_scan	peft_scan_llama3, peft_scan_qwen2, peft_scan_qwen35;
peft_scan	peft_scan_cl100k;
/* GPT-4o's (o200k), and Tekken's: words end where the case changes. */
peft_scan	peft_scan_o200k, peft_scan_tekken;
/* DeepSeek V3's: up to three digits from the rest; Han and kana from the
 * rest; words, signs and white space. */
peft_scan	peft_scan_thousands, peft_scan_cjk, peft_scan_deepseek;
/* Numbers from the rest, digit by digit or together. */
peft_scan	peft_scan_digits, peft_scan_numbers;
/* Everything up to and with a space (Split " " MergedWithPrevious). */
peft_scan	peft_scan_spaces;
/* Everything up to the next U+2581 (Metaspace). */
peft_scan	peft_scan_metaspace;

/* The i-th regular expression that has a scanner, and that; NULL behind the
 * last. */
const char	*peft_scan_known(size_t i, peft_scan **);
/* The scanner for a Split of tokenizer.json, by a regular expression or by a
 * string (the other is NULL), or NULL if there is none. */
peft_scan	*peft_scan_of_split(const char *regex, const char *string,
		    enum peft_behavior, bool invert);

#endif
