/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_TOKENS_H
#define PEFT_DATA_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/in.h"
#include "base/json.h"
#include "data/labels.h"

/*
 * Token records, as peft-tokens(5) describes them: what peft-tokenize writes
 * and peft-train and peft-eval read.  labels[i] is ids[i] where the token is
 * supervised and PEFT_IGNORE elsewhere (the shift by one is the loss's).
 */
enum { PEFT_IGNORE = -100 };

/* Of records that are wanted or not, each for itself (KTO). */
enum peft_label { PEFT_UNLABELLED, PEFT_WANTED, PEFT_UNWANTED };

struct peft_record {
	int32_t	*ids, *labels;	/* [n] */
	size_t	 n;
	size_t	 supervised;	/* labels other than PEFT_IGNORE at i >= 1;
				 * or classes */
	double	 weight;	/* 1 */
	char	*id;		/* or NULL */
	char	*adapter;	/* or NULL */
	int	 task;		/* of an adapter for several; -1: none */
	/* Multiple choice: ids is the prompt, and these its continuations. */
	int32_t	**choices;
	size_t	*nchoice;	/* length of each */
	size_t	 nchoices;	/* 0: not multiple choice */
	size_t	 answer;	/* index of the right one */
	/* Preference: this record is the chosen one, and here is the other. */
	struct peft_record *rejected;	/* or NULL */
	enum peft_label	 label;
	/* Classes: labels are PEFT_IGNORE until peft_labels_apply(), which
	 * also makes the values, where there are some. */
	struct peft_class cls;
	float	*values;	/* [classes] or NULL */
	size_t	*words;		/* [nwords] their first tokens, or NULL */
	size_t	 nwords;
	size_t	 straddled;	/* answers that begin within a token, and */
	size_t	 unknown;	/* bytes of the text that the vocabulary does
				 * not have, when it was encoded here */
	size_t	 line;		/* where it stood, for messages, */
	const char *from;	/* and in which input: its caller's path; NULL:
				 * standard input */
};
void		 peft_record_free(struct peft_record *);

/* "record NUMBER (FILE:LINE)", for messages. */
struct peft_recordplace {
	char	 text[160];
};
struct peft_recordplace peft_record_place(const struct peft_record *,
		    size_t number);

/* What the {"peft":{...}} line says; strings "" where absent. */
struct peft_tokens_info {
	char	 tokenizer[80];	/* "sha256:<hex>" of tokenizer.json */
	char	 tmpl[80];	/* of the chat template */
	bool	 seen;		/* there was such a line */
};

/* One record, one {"peft":...} object (*end: -1, or what an end line
 * says), parsed from a line's JSON. */
int		 peft_record_parse(const cJSON *, size_t vocab,
		    struct peft_record *, struct peft_err *) PEFT_MUSTCHECK;
int		 peft_tokens_parse_info(const cJSON *,
		    struct peft_tokens_info *, int64_t *end, struct peft_err *)
		    PEFT_MUSTCHECK;

/* Where a reader is in an input: streams may follow each other.  A line
 * {"peft":...} is taken by _info, the end of the input by _end, and both
 * refuse a stream that was cut short, unless `partial'. */
struct peft_tokens_stream {
	struct peft_tokens_info	 info;
	bool			 ended;
	size_t			 records;	/* of the stream so far */
};
int		 peft_stream_info(struct peft_tokens_stream *, const cJSON *,
		    bool partial, struct peft_err *) PEFT_MUSTCHECK;
int		 peft_stream_end(const struct peft_tokens_stream *,
		    bool partial, struct peft_err *) PEFT_MUSTCHECK;

struct peft_tokens_reader;

/* path NULL or "-": standard input.  partial: accept a stream that was cut
 * short.  Every record is checked (lengths, ids in [0, vocab), labels equal
 * to ids or PEFT_IGNORE); errors name file and line. */
struct peft_tokens_reader *peft_tokens_open(const char *path, size_t vocab,
		    bool partial, struct peft_err *) PEFT_MUSTCHECK;
int		 peft_tokens_next(struct peft_tokens_reader *,
		    struct peft_record *, struct peft_err *) PEFT_MUSTCHECK;
const struct peft_tokens_info *peft_tokens_info(
		    const struct peft_tokens_reader *);
void		 peft_tokens_close(struct peft_tokens_reader *);

/* One line of the format (with its newline), appended. */
void		 peft_record_put(struct peft_buf *, const struct peft_record *);
void		 peft_tokens_putinfo(struct peft_buf *,
		    const struct peft_tokens_info *);
void		 peft_tokens_putend(struct peft_buf *, size_t nrecords);

/* All records of several inputs in memory, as training wants them. */
struct peft_records {
	struct peft_record	*at;
	size_t			 n, cap;
	struct peft_tokens_info	 info;	/* of the first that had one; inputs
					 * that disagree are refused */
};
int		 peft_records_read(struct peft_records *, char *const *paths,
		    size_t npaths, size_t vocab, bool partial,
		    struct peft_err *) PEFT_MUSTCHECK;
/* For programs that know likelihoods (or, by the task, classes) only: an
 * error (PEFT_INPUT) that names the first preference or label among the
 * records, or class where the task has none, if there is one. */
int		 peft_records_plain(const struct peft_records *,
		    enum peft_task, struct peft_err *) PEFT_MUSTCHECK;
void		 peft_records_free(struct peft_records *);

#endif
