/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json: decoder. */

#include <string.h>

#include "base/buf.h"
#include "text/tokenizer-stage.h"

static struct peft_decoder *
add_decoder(struct peft_tokenizer *t, enum peft_decoder_kind kind,
    struct peft_err *err)
{
	if (t->ndecode == PEFT_MAXSTAGE) {
		peft_stage_full("decoding", err);
		return NULL;
	}
	t->decode[t->ndecode].kind = kind;
	return &t->decode[t->ndecode++];
}

static int
dec_bytelevel(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	(void)j;
	return add_decoder(t, PEFT_D_BYTELEVEL, err) == NULL ? -1 : 0;
}

static int
dec_fallback(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	(void)j;
	return add_decoder(t, PEFT_D_BYTEFALLBACK, err) == NULL ? -1 : 0;
}

static int
dec_fuse(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	(void)j;
	return add_decoder(t, PEFT_D_FUSE, err) == NULL ? -1 : 0;
}

static int
dec_replace(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	struct peft_decoder *d = add_decoder(t, PEFT_D_REPLACE, err);

	return d == NULL ? -1 : peft_stage_replace(j, &d->pattern,
	    &d->to, err);
}

static int
dec_strip(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	struct peft_decoder *d = add_decoder(t, PEFT_D_STRIP, err);
	int64_t start = 0, stop = 0;

	if (d == NULL || peft_stage_str(j, "content", &d->from, err) == -1)
		return -1;
	if (peft_utf8_len(d->from, strlen(d->from)) != strlen(d->from))
		return peft_seterr(err, "decoder Strip of '%.100s': not one "
		    "character", d->from);
	if (peft_json_int(j, "start", 0, 1 << 20, &start, err) == -1 ||
	    peft_json_int(j, "stop", 0, 1 << 20, &stop, err) == -1)
		return -1;
	d->start = (size_t)start;
	d->stop = (size_t)stop;
	return 0;
}

static int
dec_metaspace(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	struct peft_decoder *d = add_decoder(t, PEFT_D_METASPACE, err);
	const char *scheme = NULL;
	bool legacy = true;

	if (d == NULL)
		return -1;
	d->from = "\u2581";
	if (peft_json_str(j, "prepend_scheme", &scheme, err) == -1 ||
	    peft_json_str(j, "replacement", &d->from, err) == -1 ||
	    peft_json_bool(j, "add_prefix_space", &legacy, err) == -1)
		return -1;
	if (*d->from == '\0' || peft_utf8_len(d->from, strlen(d->from)) !=
	    strlen(d->from))
		return peft_seterr(err, "decoder Metaspace: replacement "
		    "'%.40s' is not one character", d->from);
	d->keep_first = scheme == NULL ? !legacy : strcmp(scheme,
	    "never") == 0;
	return 0;
}

/* Words of pieces that begin with a prefix if they go on. */
static int
dec_wordpiece(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	struct peft_decoder *d = add_decoder(t, PEFT_D_WORDPIECE, err);

	if (d == NULL)
		return -1;
	d->from = "##";
	d->clean = true;
	return peft_json_str(j, "prefix", &d->from, err) == -1 ||
	    peft_json_bool(j, "cleanup", &d->clean, err) == -1 ? -1 : 0;
}

static int
dec_bpe(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	struct peft_decoder *d = add_decoder(t, PEFT_D_BPE, err);

	if (d == NULL)
		return -1;
	d->from = "</w>";
	return peft_json_str(j, "suffix", &d->from, err) == -1 ? -1 : 0;
}

static int
dec_ctc(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	struct peft_decoder *d = add_decoder(t, PEFT_D_CTC, err);

	if (d == NULL)
		return -1;
	d->from = "<pad>";
	d->to = "|";
	d->clean = true;
	return peft_json_str(j, "pad_token", &d->from, err) == -1 ||
	    peft_json_str(j, "word_delimiter_token", &d->to, err) == -1 ||
	    peft_json_bool(j, "cleanup", &d->clean, err) == -1 ? -1 : 0;
}

static const struct peft_stage decoders[] = {
	{ "ByteLevel", "add_prefix_space trim_offsets use_regex",
	    dec_bytelevel },
	{ "ByteFallback", "", dec_fallback },
	{ "Fuse", "", dec_fuse },
	{ "Replace", "pattern content", dec_replace },
	{ "Strip", "content start stop", dec_strip },
	{ "WordPiece", "prefix cleanup", dec_wordpiece },
	{ "BPEDecoder", "suffix", dec_bpe },
	{ "CTC", "pad_token word_delimiter_token cleanup", dec_ctc },
	{ "Metaspace", "replacement prepend_scheme split add_prefix_space "
	    "str_rep", dec_metaspace },
	{ NULL, NULL, NULL }
};

int
peft_tokenizer_decoder(struct peft_tokenizer *t, struct peft_err *err)
{
	return peft_stage_read(t, "decoder", "decoders", decoders, err);
}
