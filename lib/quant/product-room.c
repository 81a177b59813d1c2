/* SPDX-License-Identifier: Apache-2.0 */
/* How much scratch products with frozen weights take, and what is where. */

#include "quant/product-impl.h"

static size_t
rooms(const struct peft_cpu *cpu, const struct peft_expander *e)
{
	size_t few = peft_product_few_room();

	return (size_t)peft_cpu_threads(cpu) * (few > e->room ? few : e->room);
}

static size_t
tiles(const struct peft_cpu *cpu, const struct peft_expander *dense, size_t T)
{
	return (size_t)peft_cpu_threads(cpu) * peft_product_tile(dense, T);
}

/* What adapters beside are made of. */
static struct peft_expander
dense_of(const struct peft_cpu *cpu, enum peft_compute compute)
{
	return peft_expander_of(cpu, compute == PEFT_COMPUTE_INT8 ?
	    peft_cpu_computes_dense(cpu) : compute);
}

static size_t
slab(const struct peft_expander *e, const struct peft_expander *dense)
{
	size_t n = peft_product_slab(e), m = peft_product_slab(dense);

	return n > m ? n : m;
}

/* Bytes of a row of the left-hand side, and of an adapter's behind it;
 * segments are padded each on its own. */
static size_t
left(const struct peft_expander *e, size_t k, size_t low)
{
	return (peft_left_stride(e, k) + peft_left_stride(e, low) +
	    4 * PEFT_MOSTNP * e->step) * e->size;
}

/* The same of T rows, and their scales. */
static size_t
lefts(const struct peft_expander *e, const struct peft_expander *dense,
    size_t k, size_t low, size_t T)
{
	size_t n = left(e, k, low);

	if (!peft_is_rounded(e))
		return 0;
	if (e->int8 != NULL)
		n = left(e, k, 0) + left(dense, 0, low) + sizeof(float) *
		    (peft_product_scales(e, k) + PEFT_MOSTNP);
	return T * n / sizeof(float);
}

static size_t
scratch_of(const struct peft_cpu *cpu, enum peft_compute compute, size_t rows,
    size_t cols, size_t low, size_t T)
{
	struct peft_expander e = peft_expander_of(cpu, compute);
	struct peft_expander dense = dense_of(cpu, compute);
	size_t n = slab(&e, &dense), few = peft_product_few_shared(cpu, cols,
	    T), k = rows > cols ? rows : cols;

	T = peft_pieces(peft_least(PEFT_AT_ONCE, T), PEFT_LEFTROWS) *
	    PEFT_LEFTROWS;
	n += lefts(&e, &dense, k, low, T) + tiles(cpu, &dense, T);
	if (e.int8 != NULL && low > 0)
		n += lefts(&dense, &dense, k, 0, T);
	return rooms(cpu, &e) + (few > n ? few : n);
}

size_t
peft_product_scratch(const struct peft_cpu *cpu, size_t rows, size_t cols,
    size_t low, size_t T)
{
	size_t frozen = scratch_of(cpu, peft_cpu_computes(cpu), rows, cols,
	    low, T);
	size_t dense = scratch_of(cpu, peft_cpu_computes_dense(cpu), rows,
	    cols, low, T);

	return frozen > dense ? frozen : dense;
}

struct peft_products
peft_product_begin(struct peft_cpu *cpu, enum peft_compute compute, size_t T,
    const struct peft_product *p, size_t np, float *scratch)
{
	struct peft_products j = { .cpu = cpu, .e = peft_expander_of(cpu,
	    compute), .dense = dense_of(cpu, compute), .p = p, .np = np,
	    .nw = np, .T = T, .room = scratch };

	j.tiles = scratch + rooms(cpu, &j.e);
	j.slab = j.tiles + tiles(cpu, &j.dense, T);
	if (peft_is_rounded(&j.e))
		j.left = (float *)j.slab + slab(&j.e, &j.dense);
	return j;
}

size_t
peft_product_copy(const struct peft_cpu *cpu, bool over)
{
	struct peft_expander e = peft_expander_of(cpu, peft_cpu_computes(cpu));

	return peft_is_rounded(&e) && !(e.trim && over) ? e.size : 0;
}

size_t
peft_product_halves(const struct peft_cpu *cpu, size_t k)
{
	struct peft_expander e = dense_of(cpu, peft_cpu_computes(cpu));

	return e.bf16 == NULL ? 0 : peft_left_stride(&e, k);
}
