/* SPDX-License-Identifier: Apache-2.0 */
/* Curves of losses, in characters and as SVG. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/in.h"
#include "base/json.h"
#include "train/plot.h"

enum { COLS = 64, ROWS = 16 };		/* of the text */
enum { WIDTH = 640, HEIGHT = 360, MARGIN = 48 };	/* of the drawing */

/* What is drawn lies between these. */
struct frame {
	double	step0, step1, low, high;
};

static int
add(struct peft_curve *c, double step, double loss, struct peft_err *err)
{
	struct peft_point *more;

	if (!isfinite(step) || !isfinite(loss))
		return peft_seterr(err, "a step or a loss is not finite");
	if (c->n == c->room) {
		c->room = c->room == 0 ? 256 : 2 * c->room;
		more = realloc(c->at, c->room * sizeof(*more));
		if (more == NULL)
			return peft_seterr(err, "no memory for a curve");
		c->at = more;
	}
	c->at[c->n++] = (struct peft_point){ step, loss };
	return 0;
}

static int
take_line(struct peft_plot *p, const char *line, size_t n,
    struct peft_err *err)
{
	cJSON *j = peft_json(line, n, err);
	const cJSON *step, *loss, *eval;
	int r = 0;

	if (j == NULL)
		return -1;
	step = peft_json_get(j, "step");
	loss = peft_json_get(j, "loss");
	eval = peft_json_get(j, "eval_loss");
	if (cJSON_IsNumber(step) && cJSON_IsNumber(loss))
		r = add(&p->train, step->valuedouble, loss->valuedouble, err);
	else if (cJSON_IsNumber(step) && cJSON_IsNumber(eval) &&
	    peft_json_get(j, "best") != NULL)
		r = add(&p->eval, step->valuedouble, eval->valuedouble, err);
	cJSON_Delete(j);
	return r;
}

int
peft_plot_read(struct peft_plot *p, const char *path, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	size_t at = 0, n, line = 0;
	int r;

	memset(p, 0, sizeof(*p));
	r = peft_in_slurp(path, (size_t)1 << 30, &b, err);
	for (; r == 0 && at < b.len; at += n + 1) {
		const char *nl = memchr(b.data + at, '\n', b.len - at);

		line++;
		n = nl == NULL ? b.len - at : (size_t)(nl - b.data) - at;
		if ((r = take_line(p, b.data + at, n, err)) == -1)
			peft_errprefix(err, "%s:%zu", path, line);
	}
	peft_buf_free(&b);
	if (r == 0 && p->train.n == 0)
		r = peft_seterr(err, "%s: no step is in this log", path);
	if (r == -1)
		peft_plot_free(p);
	return r;
}

void
peft_plot_free(struct peft_plot *p)
{
	free(p->train.at);
	free(p->eval.at);
	memset(p, 0, sizeof(*p));
}

static void
stretch(struct frame *f, const struct peft_curve *c)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		f->step0 = fmin(f->step0, c->at[i].step);
		f->step1 = fmax(f->step1, c->at[i].step);
		f->low = fmin(f->low, c->at[i].loss);
		f->high = fmax(f->high, c->at[i].loss);
	}
}

static struct frame
frame_of(const struct peft_plot *p)
{
	struct frame f = { INFINITY, -INFINITY, INFINITY, -INFINITY };

	stretch(&f, &p->train);
	stretch(&f, &p->eval);
	if (f.step1 <= f.step0)
		f.step1 = f.step0 + 1;
	if (f.high <= f.low)
		f.high = f.low + 1;
	return f;
}

/* Where a value lies between two, from 0 to 1: logs may hold any numbers. */
static double
share(double v, double from, double to)
{
	double x = (v / 2 - from / 2) / (to / 2 - from / 2);

	return !(x > 0) ? 0 : x < 1 ? x : 1;
}

/* The same, from 0 to n - 1. */
static size_t
place(double v, double from, double to, size_t n)
{
	return (size_t)lround(share(v, from, to) * (double)(n - 1));
}

static void
mark(char grid[ROWS][COLS + 1], const struct frame *f, size_t col, double loss,
    char what)
{
	grid[place(loss, f->high, f->low, ROWS)][col] = what;
}

void
peft_plot_text(const struct peft_plot *p, struct peft_buf *b)
{
	struct frame f = frame_of(p);
	double sum[COLS] = { 0 };
	size_t count[COLS] = { 0 }, i, col;
	char grid[ROWS][COLS + 1];

	for (i = 0; i < ROWS; i++) {
		memset(grid[i], ' ', COLS);
		grid[i][COLS] = '\0';
	}
	for (i = 0; i < p->train.n; i++) {
		col = place(p->train.at[i].step, f.step0, f.step1, COLS);
		sum[col] += p->train.at[i].loss;
		count[col]++;
	}
	for (col = 0; col < COLS; col++)
		if (count[col] > 0)
			mark(grid, &f, col, sum[col] / (double)count[col],
			    '.');
	for (i = 0; i < p->eval.n; i++)
		mark(grid, &f, place(p->eval.at[i].step, f.step0, f.step1,
		    COLS), p->eval.at[i].loss, 'o');
	for (i = 0; i < ROWS; i++) {
		double down = (double)i / (ROWS - 1);

		peft_buf_printf(b, "%9.4f |%s\n", f.high * (1 - down) +
		    f.low * down, grid[i]);
	}
	peft_buf_printf(b, "%9s +----------------------------------------"
	    "------------------------\n%9s  %-32.0f%32.0f\n", "", "step",
	    f.step0, f.step1);
}

/* The steps from the i-th on that lie within half a unit; their mean. */
static size_t
meet(const struct peft_curve *c, const struct frame *f, size_t i,
    struct peft_point *mean)
{
	const size_t columns = 2 * (WIDTH - 2 * MARGIN);
	size_t col = place(c->at[i].step, f->step0, f->step1, columns), n = 0;

	*mean = c->at[i];
	for (; i < c->n && place(c->at[i].step, f->step0, f->step1,
	    columns) == col; i++) {
		n++;
		mean->step += (c->at[i].step - mean->step) / (double)n;
		mean->loss += (c->at[i].loss - mean->loss) / (double)n;
	}
	return n;
}

static void
polyline(struct peft_buf *b, const struct peft_curve *c, const struct frame *f,
    const char *colour)
{
	struct peft_point p;
	size_t i, n;

	peft_buf_printf(b, "<polyline fill=\"none\" stroke=\"%s\" points=\"",
	    colour);
	for (i = 0; i < c->n; i += n) {
		n = meet(c, f, i, &p);
		peft_buf_printf(b, "%s%.1f,%.1f", i > 0 ? " " : "", MARGIN +
		    share(p.step, f->step0, f->step1) * (WIDTH - 2 * MARGIN),
		    MARGIN + share(p.loss, f->high, f->low) *
		    (HEIGHT - 2 * MARGIN));
	}
	peft_buf_puts(b, "\"/>\n");
}

void
peft_plot_svg(const struct peft_plot *p, struct peft_buf *b)
{
	struct frame f = frame_of(p);

	peft_buf_printf(b, "<svg xmlns=\"http://www.w3.org/2000/svg\" "
	    "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" "
	    "font-size=\"12\">\n<rect x=\"%d\" y=\"%d\" width=\"%d\" "
	    "height=\"%d\" fill=\"none\" stroke=\"#999\"/>\n", WIDTH, HEIGHT,
	    MARGIN, MARGIN, WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN);
	peft_buf_printf(b, "<text x=\"4\" y=\"%d\">%.4g</text>\n"
	    "<text x=\"4\" y=\"%d\">%.4g</text>\n", MARGIN + 4, f.high,
	    HEIGHT - MARGIN, f.low);
	peft_buf_printf(b, "<text x=\"%d\" y=\"%d\">%.0f</text>\n"
	    "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">step %.0f</text>\n",
	    MARGIN, HEIGHT - MARGIN + 16, f.step0, WIDTH - MARGIN,
	    HEIGHT - MARGIN + 16, f.step1);
	polyline(b, &p->train, &f, "#369");
	if (p->eval.n > 0)
		polyline(b, &p->eval, &f, "#c30");
	peft_buf_puts(b, "<text x=\"48\" y=\"30\" fill=\"#369\">loss</text>\n");
	if (p->eval.n > 0)
		peft_buf_puts(b, "<text x=\"88\" y=\"30\" fill=\"#c30\">"
		    "evaluation</text>\n");
	peft_buf_puts(b, "</svg>\n");
}
