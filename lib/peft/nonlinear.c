/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of one number, and their derivatives, by name. */

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "peft/nonlinear.h"

static const float sqrt_half = 0.70710678f, sqrt_2_pi = 0.79788456f;
static const float density = 0.39894228f;	/* 1 / sqrt(2 pi) */

static void
put(float *d, float v)
{
	if (d != NULL)
		*d = v;
}

static float
identity(float x, float *d)
{
	put(d, 1);
	return x;
}

static float
relu(float x, float *d)
{
	put(d, x > 0);
	return x > 0 ? x : 0;
}

static float
relu2(float x, float *d)
{
	put(d, x > 0 ? 2 * x : 0);
	return x > 0 ? x * x : 0;
}

static float
relu6(float x, float *d)
{
	put(d, x > 0 && x < 6);
	return x > 6 ? 6 : x > 0 ? x : 0;
}

static float
leaky(float x, float *d)
{
	put(d, x > 0 ? 1 : 0.01f);
	return x > 0 ? x : 0.01f * x;
}

static float
sigmoid(float x, float *d)
{
	float s = 1 / (1 + expf(-x));

	put(d, s * (1 - s));
	return s;
}

static float
silu(float x, float *d)
{
	float s = sigmoid(x, NULL);

	put(d, s * (1 + x * (1 - s)));
	return x * s;
}

static float
quick_gelu(float x, float *d)
{
	float s = sigmoid(1.702f * x, NULL);

	put(d, s * (1 + 1.702f * x * (1 - s)));
	return x * s;
}

float
peft_nonlinear_tanh(float x, float *d)
{
	float t = tanhf(x);

	put(d, 1 - t * t);
	return t;
}

static float
gelu(float x, float *d)
{
	float s = 0.5f * (1 + erff(x * sqrt_half));

	put(d, s + x * density * expf(-0.5f * x * x));
	return x * s;
}

static float
gelu_10(float x, float *d)
{
	float y = gelu(x, d);

	if (y > 10)
		put(d, 0);
	return y > 10 ? 10 : y;
}

static float
gelu_tanh(float x, float *d)
{
	float t = tanhf(sqrt_2_pi * (x + 0.044715f * x * x * x));

	put(d, 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * sqrt_2_pi *
	    (1 + 3 * 0.044715f * x * x));
	return 0.5f * x * (1 + t);
}

static float
mish(float x, float *d)
{
	float t = tanhf(x > 20 ? x : log1pf(expf(x)));

	put(d, t + x * (1 - t * t) * sigmoid(x, NULL));
	return x * t;
}

/* 0.5 (1 + erf((x - mu) / (sigma sqrt 2))), as transformers has it. */
static float
laplace(float x, float *d)
{
	const float sigma = 0.282095f;
	float z = (x - 0.707107f) / sigma;

	put(d, density / sigma * expf(-0.5f * z * z));
	return 0.5f * (1 + erff(z * sqrt_half));
}

static const struct {
	const char	*name;
	peft_nonlinear	*f;
} known[] = {
	{ "relu", relu }, { "gelu", gelu }, { "gelu_new", gelu_tanh },
	{ "swish", silu }, { "silu", silu }, { "tanh", peft_nonlinear_tanh },
	{ "sigmoid", sigmoid }, { "leakyrelu", leaky },
	{ "leaky_relu", leaky }, { "relu2", relu2 }, { "relu6", relu6 },
	{ "quick_gelu", quick_gelu }, { "gelu_10", gelu_10 },
	{ "gelu_python", gelu }, { "gelu_fast", gelu_tanh },
	{ "gelu_accurate", gelu_tanh }, { "gelu_pytorch_tanh", gelu_tanh },
	{ "mish", mish }, { "laplace", laplace }, { "linear", identity },
};

/* Letters' case is ignored. */
static peft_nonlinear *
find(const char *name, struct peft_err *err)
{
	char names[400] = "";
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcasecmp(known[i].name, name) == 0)
			return known[i].f;
		snprintf(names + strlen(names), sizeof(names) -
		    strlen(names), "%s%s", i > 0 ? ", " : "", known[i].name);
	}
	peft_seterr(err, "non_linearity \"%s\" is none of %s", name, names);
	return NULL;
}

int
peft_set_nonlinear(const struct peft_setting *s, const cJSON *config,
    void *at, struct peft_err *err)
{
	peft_nonlinear **f = at;
	const char *name = "";

	if (peft_json_str(config, s->key, &name, err) == -1)
		return -1;
	return (*f = find(name, err)) == NULL ? -1 : 0;
}
