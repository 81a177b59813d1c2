/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_GGUF_H
#define PEFT_TENSOR_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "tensor/weight.h"

/*
 * GGUF, versions 2 and 3, little-endian (ggml's gguf.h): metadata pairs,
 * tensor descriptions, aligned data.  Values are read where they lie; what
 * was parsed points into the file's bytes, which must outlive it.
 */
enum peft_gguf_type {
	PEFT_GGUF_U8, PEFT_GGUF_I8, PEFT_GGUF_U16, PEFT_GGUF_I16,
	PEFT_GGUF_U32, PEFT_GGUF_I32, PEFT_GGUF_F32, PEFT_GGUF_BOOL,
	PEFT_GGUF_STRING, PEFT_GGUF_ARRAY, PEFT_GGUF_U64, PEFT_GGUF_I64,
	PEFT_GGUF_F64, PEFT_GGUF_NTYPE
};

struct peft_gguf_kv {
	char		*key;
	uint32_t	 type;
	uint32_t	 elem;		/* of an array */
	uint64_t	 count;		/* of an array; 1 otherwise */
	const uint8_t	*value;		/* first element */
	size_t		 nbytes;	/* of all elements */
};

struct peft_gguf_tensor {
	char		*name;
	enum peft_dtype	 dtype;
	int		 ndim;
	size_t		 shape[PEFT_MAXDIM];	/* torch's order: ne reversed */
	size_t		 begin, nbytes;		/* begin: within the file */
};

struct peft_gguf {
	struct peft_gguf_kv	*kv;
	size_t			 nkv;
	struct peft_gguf_tensor	*tensors;
	size_t			 n;
};

int	peft_gguf_parse(struct peft_gguf *, const uint8_t *, size_t len,
	    struct peft_err *) PEFT_MUSTCHECK;
void	peft_gguf_free(struct peft_gguf *);

const struct peft_gguf_kv *peft_gguf_find(const struct peft_gguf *,
	    const char *key);
/* Scalars of any integer or float type as what is asked for; false if there
 * is none or it does not fit. */
bool	peft_gguf_real(const struct peft_gguf *, const char *key, double *);
bool	peft_gguf_uint(const struct peft_gguf *, const char *key, uint64_t *);
/* A token's id, of n tokens; what no key tells is `usual', or SIZE_MAX if it is
 * no token. */
int	peft_gguf_token(const struct peft_gguf *, const char *key, size_t usual,
	    size_t n, size_t *id, struct peft_err *) PEFT_MUSTCHECK;
/* A string's bytes (not NUL-terminated). */
bool	peft_gguf_string(const struct peft_gguf *, const char *key,
	    const char **s, size_t *len);
/* Walk an array of strings: *p starts at kv->value; checked at parse. */
void	peft_gguf_next_string(const uint8_t **p, const char **s, size_t *len);
/* Element i of an array of integers. */
int64_t	peft_gguf_int_at(const struct peft_gguf_kv *, uint64_t i);
/* A value as text; long arrays are cut short.  Appended. */
void	peft_gguf_print(const struct peft_gguf_kv *, struct peft_buf *);

/* Writing: pairs are collected, then the head is written with the tensors'
 * descriptions; data follows in their order, each tensor from a multiple of
 * PEFT_GGUF_ALIGN on (padding is the caller's, peft_gguf_pad). */
enum { PEFT_GGUF_ALIGN = 32 };

struct peft_gguf_out {
	struct peft_buf	kv;
	uint64_t	nkv;
};
void	peft_gguf_put_u32(struct peft_gguf_out *, const char *, uint32_t);
void	peft_gguf_put_f32(struct peft_gguf_out *, const char *, float);
void	peft_gguf_put_bool(struct peft_gguf_out *, const char *, bool);
void	peft_gguf_put_string(struct peft_gguf_out *, const char *,
	    const char *, size_t len);
/* A pair that was read. */
void	peft_gguf_put_pair(struct peft_gguf_out *, const struct peft_gguf_kv *);
/* An array's head; the elements are then put by the two below (strings), or
 * by peft_buf_put(&out->kv, ...) in little-endian. */
void	peft_gguf_put_array(struct peft_gguf_out *, const char *,
	    enum peft_gguf_type elem, uint64_t count);
void	peft_gguf_put_element(struct peft_gguf_out *, const char *, size_t len);
void	peft_gguf_put_i32(struct peft_gguf_out *, int32_t);	/* element */
int	peft_gguf_write(FILE *, const char *label, struct peft_gguf_out *,
	    const struct peft_gguf_tensor *, size_t n, struct peft_err *)
	    PEFT_MUSTCHECK;
int	peft_gguf_pad(FILE *, const char *label, size_t nbytes,
	    struct peft_err *) PEFT_MUSTCHECK;

#endif
