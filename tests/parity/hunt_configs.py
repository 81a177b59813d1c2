# SPDX-License-Identifier: Apache-2.0
"""Configurations of PEFT's methods at random: what hunt.py tries."""
import types

import peft
import torch
from transformers.pytorch_utils import Conv1D

MAKERS = {}


def facts(m):
    """What configurations can name of a model."""
    f = types.SimpleNamespace(linear=[], dims={}, norms=[], experts=[])
    out = m.get_output_embeddings()
    into = m.get_input_embeddings()
    for n, x in m.named_modules():
        if x is out:
            f.head = n
        elif x is into:
            f.embed = n
        elif isinstance(x, (torch.nn.Linear, Conv1D)):
            f.linear.append(n)
            f.dims[n] = tuple(x.weight.shape) if isinstance(x, Conv1D) \
                else (x.weight.shape[1], x.weight.shape[0])
        elif "norm" in type(x).__name__.lower():
            f.norms.append(n)
        elif type(x).__name__.lower().endswith("experts"):
            f.experts += [n + "." + k for k, v in x.named_parameters()
                          if v.dim() == 3]
    f.layers = m.config.num_hidden_layers
    f.vocab = m.config.vocab_size
    f.tied = getattr(m.config, "tie_word_embeddings", False)
    f.hidden = into.weight.shape[1]
    f.kind = m.config.model_type
    f.conv1d = any(isinstance(x, Conv1D) for x in m.modules())
    f.list = f.linear[0].split(".")[-4 if "." in f.linear[0] else 0]
    for n in f.linear:
        parts = n.split(".")
        for i, p in enumerate(parts):
            if p.isdigit():
                f.list = parts[i - 1]
                break
    f.ends = sorted({tail(f, n) for n in f.linear})
    f.last = sorted({n.split(".")[-1] for n in f.linear})
    return f


def tail(f, n):
    """What a module is called in its layer."""
    parts = n.split(".")
    for i, p in enumerate(parts):
        if p.isdigit():
            return ".".join(parts[i + 1:])
    return n


def some(rng, what, most=None):
    what = list(what)
    return rng.sample(what, rng.randint(1, min(len(what), most or len(what))))


def square(f, n):
    return f.dims[n][0] == f.dims[n][1]


def targets(rng, f, only=None, layers=True, exclude=True):
    """target_modules and what goes with it; only: of these paths."""
    kw = {}
    paths = [n for n in f.linear if only is None or only(n)]
    ends = sorted({tail(f, n) for n in paths}) if only else \
        rng.choice([f.ends, f.last])
    if only:
        ends = [e for e in ends if all(only(n) for n in f.linear
                                       if n.endswith("." + e))]
    how = rng.randrange(6)
    if how == 0 and only is None:
        kw["target_modules"] = "all-linear"
    elif how == 1 and paths:
        kw["target_modules"] = some(rng, paths, 4)
    elif how == 2 and ends:
        alt = "|".join(e.replace(".", r"\.") for e in some(rng, ends, 3))
        kw["target_modules"] = rng.choice([
            r".*\.(%s)", r".*%s\.\d+\..*(%s)" % (f.list, "%s"),
            r".*\.[0]\..*\b(%s)$", r"^.*\.1\.(?:.*\.)?(?:%s)"]) % alt
    elif ends:
        kw["target_modules"] = some(rng, ends)
    else:
        kw["target_modules"] = some(rng, paths or f.linear, 3)
    if isinstance(kw["target_modules"], list) and rng.random() < 0.15 and \
            only is None:
        kw["target_modules"] = kw["target_modules"] + [f.head]
        layers = False
    if isinstance(kw["target_modules"], list) and layers and \
            rng.random() < 0.3 and how != 1:
        kw["layers_to_transform"] = rng.choice(
            [0, f.layers - 1, [0], [1], list(range(f.layers))])
        if rng.random() < 0.5:
            kw["layers_pattern"] = rng.choice([f.list, [f.list],
                                               [f.list, "blocks"]])
    if exclude and rng.random() < 0.25:
        kw["exclude_modules"] = rng.choice([
            r".*\.0\..*", [rng.choice(f.ends)], [rng.choice(f.linear)],
            r".*(%s)$" % rng.choice(f.last)])
    return kw


def saves(rng, f, kw, head=True):
    """modules_to_save, sometimes."""
    if rng.random() > 0.2:
        return
    pool = [f.norms[-1].split(".")[-1], f.norms[0], f.embed.split(".")[-1],
            rng.choice(f.linear)]
    if head:
        pool.append(f.head)
    kw["modules_to_save"] = some(rng, pool, 2)


def maker(name, kind):
    def deco(fn):
        def make(rng, f):
            kw = dict(task_type="CAUSAL_LM", _class=kind)
            kw.update(fn(rng, f))
            return kw
        MAKERS[name] = make
        return make
    return deco


def patterns(rng, f, values):
    keys = [rng.choice(f.last), rng.choice(f.ends), rng.choice(f.linear),
            r"%s\.1\..*" % f.list, ".*" + rng.choice(f.last),
            r".*\.0\.%s" % rng.choice(f.ends), "^" + rng.choice(f.linear)]
    # on disk they are sorted, and the first that matches counts
    return {k: rng.choice(values) for k in sorted(some(rng, keys, 3))}


def lora_common(rng, f):
    kw = targets(rng, f)
    kw.update(r=rng.choice([1, 2, 3, 4, 6, 8]),
              lora_alpha=rng.choice([1, 4, 8, 16, 0.5, 7]))
    if rng.random() < 0.3:
        kw["use_rslora"] = True
    if rng.random() < 0.3:
        kw["rank_pattern"] = patterns(rng, f, [1, 2, 5, 7])
    if rng.random() < 0.3:
        kw["alpha_pattern"] = patterns(rng, f, [1, 3, 32, 0.25])
    if f.conv1d and rng.random() < 0.5:
        kw["fan_in_fan_out"] = True
    if rng.random() < 0.2:
        kw["lora_dropout"] = 0.1
    return kw


@maker("lora", peft.LoraConfig)
def _(rng, f):
    kw = lora_common(rng, f)
    saves(rng, f, kw)
    if rng.random() < 0.15:
        kw["bias"] = rng.choice(["all", "lora_only"])
    if rng.random() < 0.2:
        # of keys that are not turned a bias changes nothing: no gradient
        kw["lora_bias"] = f.kind not in ("gpt2", "opt", "bloom", "mpt")
    if rng.random() < 0.2:
        kw["init_lora_weights"] = rng.choice(
            [False, "gaussian", "orthogonal", "pissa", "olora", "mica"])
    return kw


@maker("lora_embed", peft.LoraConfig)
def _(rng, f):
    kw = lora_common(rng, f)
    kw.pop("layers_pattern", 0)
    kw.pop("layers_to_transform", 0)
    kw["target_modules"] = some(rng, [f.embed.split(".")[-1], f.embed, f.head,
                                      rng.choice(f.last)])
    if rng.random() < 0.2:
        kw["use_dora"] = True
    elif rng.random() < 0.2:
        # of keys that are not turned a bias changes nothing: no gradient
        kw["lora_bias"] = f.kind not in ("gpt2", "opt", "bloom", "mpt")
    if rng.random() < 0.3:
        kw["ensure_weight_tying"] = True
    if rng.random() < 0.2:
        kw["bias"] = rng.choice(["all", "lora_only"])
    return kw


@maker("lora_tokens", peft.LoraConfig)
def _(rng, f):
    kw = lora_common(rng, f)
    ids = sorted(some(rng, range(f.vocab), 6))
    if rng.random() < 0.3:
        rng.shuffle(ids)
    kw["trainable_token_indices"] = ids
    if rng.random() < 0.5:
        kw["trainable_token_indices"] = {f.embed.split(".")[-1]: ids}
        if rng.random() < 0.5:
            kw["trainable_token_indices"][f.head] = rng.choice(
                [ids, sorted(some(rng, range(f.vocab), 3))])
    if rng.random() < 0.3:
        kw["ensure_weight_tying"] = True
    if rng.random() < 0.2:
        kw["target_modules"] = [f.embed.split(".")[-1]] + some(rng, f.last)
        kw.pop("layers_pattern", 0)
        kw.pop("layers_to_transform", 0)
    return kw


@maker("lora_save", peft.LoraConfig)
def _(rng, f):
    kw = lora_common(rng, f)
    pool = [f.norms[-1].split(".")[-1], f.norms[0], f.embed.split(".")[-1],
            f.embed, f.head, rng.choice(f.linear), rng.choice(f.last)]
    kw["modules_to_save"] = some(rng, pool, 3)
    if rng.random() < 0.3:
        kw["ensure_weight_tying"] = True
    if rng.random() < 0.3:
        kw["bias"] = rng.choice(["all", "lora_only"])
    return kw


@maker("dora", peft.LoraConfig)
def _(rng, f):
    kw = lora_common(rng, f)
    kw["use_dora"] = True
    saves(rng, f, kw)
    if rng.random() < 0.1:
        kw["bias"] = rng.choice(["all", "lora_only"])
    if rng.random() < 0.3:
        kw["init_lora_weights"] = rng.choice(
            [False, "gaussian", "orthogonal", "pissa", "olora"])
    return kw


@maker("alora", peft.LoraConfig)
def _(rng, f):
    kw = lora_common(rng, f)
    kw.pop("lora_dropout", 0)
    kw["alora_invocation_tokens"] = [rng.randrange(3, f.vocab)
                                     for _ in range(rng.choice([1, 1, 2]))]
    if rng.random() < 0.2:
        # of keys that are not turned a bias changes nothing: no gradient
        kw["lora_bias"] = f.kind not in ("gpt2", "opt", "bloom", "mpt")
    return kw


@maker("lora_experts", peft.LoraConfig)
def _(rng, f):
    kw = lora_common(rng, f)
    kw.pop("lora_dropout", 0)
    kw.pop("layers_pattern", 0)
    kw.pop("layers_to_transform", 0)
    if not f.experts:
        kw["use_dora"] = True
        return kw
    pool = sorted({n.split(".")[-1] for n in f.experts}) + \
        sorted({tail(f, n) for n in f.experts}) + f.experts
    kw["target_parameters"] = some(rng, pool, 3)
    if rng.random() < 0.4:
        kw["target_modules"] = []
        kw.pop("exclude_modules", 0)
    if rng.random() < 0.2:
        kw["target_parameters"].append(rng.choice(f.linear) + ".weight")
    return kw


@maker("adalora", peft.AdaLoraConfig)
def _(rng, f):
    kw = targets(rng, f)
    a, b = rng.choice([(4, 2), (3, 1), (6, 3), (5, 5)])
    kw.update(init_r=a, target_r=b, total_step=8, tinit=1, tfinal=2,
              lora_alpha=rng.choice([1, 8, 16]), deltaT=rng.choice([1, 2]),
              orth_reg_weight=rng.choice([0.5, 0.1]),
              _prune=rng.random() < 0.6)
    saves(rng, f, kw)
    return kw


@maker("ia3", peft.IA3Config)
def _(rng, f):
    kw = targets(rng, f, layers=False)
    t = kw["target_modules"]
    if t == "all-linear":
        kw["feedforward_modules"] = []
    elif isinstance(t, list):
        kw["feedforward_modules"] = rng.choice([[], some(rng, t), some(rng,
                                                                       t)])
    else:
        kw["feedforward_modules"] = rng.choice([
            t, r".*\.0\..*", [rng.choice(f.last)]])
    if f.conv1d and rng.random() < 0.5:
        kw["fan_in_fan_out"] = True
    saves(rng, f, kw)
    return kw


def lycoris(rng, f):
    kw = targets(rng, f)
    kw.update(r=rng.choice([1, 2, 3, 4, 8, 20]),
              alpha=rng.choice([1, 4, 8, 5]))
    if rng.random() < 0.3:
        kw["rank_pattern"] = patterns(rng, f, [1, 2, 5])
    if rng.random() < 0.3:
        kw["alpha_pattern"] = patterns(rng, f, [1, 3, 32])
    if rng.random() < 0.2:
        kw["rank_dropout"] = 0.2
    if rng.random() < 0.2:
        kw["module_dropout"] = 0.2
    if rng.random() < 0.2:
        kw["init_weights"] = False
    saves(rng, f, kw)
    return kw


@maker("loha", peft.LoHaConfig)
def _(rng, f):
    kw = lycoris(rng, f)
    if rng.random() < 0.2:
        kw["use_effective_conv2d"] = True
    return kw


@maker("lokr", peft.LoKrConfig)
def _(rng, f):
    kw = lycoris(rng, f)
    kw["decompose_both"] = rng.random() < 0.4
    kw["decompose_factor"] = rng.choice([-1, -1, 2, 4, 3, 8, 16, 5])
    if rng.random() < 0.2:
        kw["use_effective_conv2d"] = True
    if rng.random() < 0.2:
        kw["init_weights"] = rng.choice([False, "lycoris"])
    if rng.random() < 0.2:
        kw["rank_dropout_scale"] = True
    return kw


@maker("oft", peft.OFTConfig)
def _(rng, f):
    kw = targets(rng, f)
    if rng.random() < 0.6:
        kw.update(r=0, oft_block_size=rng.choice([2, 4, 8, 5, 16, 32]))
    else:
        kw.update(r=rng.choice([1, 2, 4, 3]), oft_block_size=0)
    kw.update(coft=rng.random() < 0.2, eps=rng.choice([6e-5, 0.1, 0.5]),
              block_share=rng.random() < 0.3,
              use_cayley_neumann=rng.random() < 0.6,
              num_cayley_neumann_terms=rng.choice([5, 5, 3, 2, 7]))
    if rng.random() < 0.2:
        kw["module_dropout"] = 0.2
    if rng.random() < 0.15:
        kw["bias"] = rng.choice(["all", "oft_only"])
    if f.conv1d and rng.random() < 0.5:
        kw["fan_in_fan_out"] = True
    saves(rng, f, kw)
    return kw


@maker("boft", peft.BOFTConfig)
def _(rng, f):
    kw = targets(rng, f)
    if rng.random() < 0.5:
        kw.update(boft_block_size=rng.choice([2, 4, 8]))
    else:
        kw.update(boft_block_size=0, boft_block_num=rng.choice([1, 2, 4, 8]))
    kw["boft_n_butterfly_factor"] = rng.choice([1, 1, 2])
    if rng.random() < 0.2:
        kw["boft_dropout"] = 0.1
    if rng.random() < 0.15:
        kw["bias"] = rng.choice(["all", "boft_only"])
    if f.conv1d and rng.random() < 0.5:
        kw["fan_in_fan_out"] = True
    saves(rng, f, kw)
    return kw


@maker("hra", peft.HRAConfig)
def _(rng, f):
    kw = targets(rng, f)
    kw.update(r=rng.choice([1, 2, 3, 4, 5, 8]), apply_GS=rng.random() < 0.4)
    if rng.random() < 0.15:
        kw["bias"] = rng.choice(["all", "hra_only"])
    saves(rng, f, kw)
    return kw


@maker("vera", peft.VeraConfig)
def _(rng, f):
    kw = targets(rng, f, exclude=False)
    kw.update(r=rng.choice([1, 3, 8, 40]), d_initial=rng.choice([0.1, 1.0]),
              projection_prng_key=rng.choice([0, 1, 12345, 2 ** 31 + 5]),
              save_projection=rng.random() < 0.5)
    if rng.random() < 0.15:
        kw["bias"] = rng.choice(["all", "vera_only"])
    if f.conv1d and rng.random() < 0.5:
        kw["fan_in_fan_out"] = True
    saves(rng, f, kw)
    return kw


@maker("randlora", peft.RandLoraConfig)
def _(rng, f):
    kw = targets(rng, f, exclude=False)
    sparse = rng.randrange(4)
    kw.update(r=rng.choice([1, 3, 4, 8, 40]),
              randlora_alpha=rng.choice([1, 8]),
              projection_prng_key=rng.choice([0, 1, 12345]),
              save_projection=rng.random() < 0.5, sparse=sparse == 1,
              very_sparse=sparse == 2)
    if isinstance(kw.get("layers_pattern"), list):
        kw["layers_pattern"] = f.list
    if rng.random() < 0.15:
        kw["bias"] = rng.choice(["all", "randlora_only"])
    if f.conv1d and rng.random() < 0.5:
        kw["fan_in_fan_out"] = True
    saves(rng, f, kw)
    return kw


@maker("vblora", peft.VBLoRAConfig)
def _(rng, f):
    n = rng.choice([2, 4, 8])
    kw = targets(rng, f, lambda x: all(d % n == 0 for d in f.dims[x]))
    kw.update(r=rng.choice([1, 2, 4]), vector_length=n,
              num_vectors=rng.choice([4, 8, 100, 300]),
              topk=rng.choice([1, 2, 3]),
              save_only_topk_weights=rng.random() < 0.4)
    if rng.random() < 0.15:
        kw["bias"] = rng.choice(["all", "vblora_only"])
    if f.conv1d and rng.random() < 0.5:
        kw["fan_in_fan_out"] = True
    saves(rng, f, kw)
    return kw


@maker("fourierft", peft.FourierFTConfig)
def _(rng, f):
    kw = targets(rng, f)
    kw.update(n_frequency=rng.choice([1, 10, 100]),
              scaling=rng.choice([20.0, 150.0, 1]),
              random_loc_seed=rng.choice([777, 0, 42]),
              init_weights=rng.random() < 0.5)
    if rng.random() < 0.4:
        kw["n_frequency_pattern"] = patterns(rng, f, [2, 20, 50])
    if rng.random() < 0.15:
        kw["bias"] = rng.choice(["all", "fourier_only"])
    if f.conv1d and rng.random() < 0.5:
        kw["fan_in_fan_out"] = True
    saves(rng, f, kw)
    return kw


@maker("c3a", peft.C3AConfig)
def _(rng, f):
    n = rng.choice([2, 4, 8])
    kw = targets(rng, f, lambda x: all(d % n == 0 for d in f.dims[x]),
                 exclude=False)
    kw.update(block_size=n, init_weights=rng.choice(
        [True, False, "gaussian", "kaiming_uniform", "xavier_uniform"]))
    if rng.random() < 0.4:
        kw["block_size_pattern"] = patterns(rng, f, [1, 2, n])
    if rng.random() < 0.15:
        kw["bias"] = rng.choice(["all", "c3a_only"])
    saves(rng, f, kw)
    return kw


@maker("hira", peft.HiraConfig)
def _(rng, f):
    kw = targets(rng, f)
    kw.update(r=rng.choice([1, 3, 8]))
    if rng.random() < 0.4:
        kw["rank_pattern"] = patterns(rng, f, [1, 2, 5])
    if f.conv1d and rng.random() < 0.5:
        kw["fan_in_fan_out"] = True
    if rng.random() < 0.3:
        kw["init_weights"] = rng.choice([False, "gaussian"])
    saves(rng, f, kw)
    if rng.random() < 0.2 and isinstance(kw["target_modules"], list):
        kw["target_modules"] = kw["target_modules"] + [f.embed.split(".")[-1]]
        kw.pop("layers_to_transform", 0)
        kw.pop("layers_pattern", 0)
    return kw


@maker("delora", peft.DeloraConfig)
def _(rng, f):
    kw = targets(rng, f)
    kw.update(r=rng.choice([1, 3, 8]), delora_lambda=rng.choice([15, 3, 1]))
    if rng.random() < 0.4:
        kw["rank_pattern"] = patterns(rng, f, [1, 2, 5])
    if rng.random() < 0.4:
        kw["lambda_pattern"] = patterns(rng, f, [1, 2, 20])
    if rng.random() < 0.2:
        kw["module_dropout"] = 0.2
    if rng.random() < 0.15:
        kw["bias"] = rng.choice(["all", "delora_only"])
    if rng.random() < 0.2:
        kw["init_weights"] = False
    saves(rng, f, kw)
    return kw


@maker("miss", peft.MissConfig)
def _(rng, f):
    how = rng.choice([True, True, "bat", "mini", False])
    r = rng.choice([1, 2, 4, 3, 8])
    kw = targets(rng, f, (lambda x: all(d % r == 0 for d in f.dims[x]))
                 if how == "bat" else None)
    kw.update(r=r, init_weights=how)
    if isinstance(kw.get("layers_pattern"), list):
        kw["layers_pattern"] = f.list
    if how == "mini":
        kw["mini_r"] = rng.choice([1, 2, 4, 8])
    if rng.random() < 0.15:
        kw["bias"] = rng.choice(["all", "MiSS_only"])
    saves(rng, f, kw)
    return kw


@maker("shira", peft.ShiraConfig)
def _(rng, f):
    kw = targets(rng, f, layers=False, exclude=False)
    kw.update(r=rng.choice([1, 2, 4]), random_seed=rng.choice([None, 5]),
              init_weights=rng.random() < 0.7)
    if f.conv1d and rng.random() < 0.5:
        kw["fan_in_fan_out"] = True
    saves(rng, f, kw)
    return kw


@maker("road", peft.RoadConfig)
def _(rng, f):
    g = rng.choice([2, 4, 8])
    kw = targets(rng, f, lambda x: f.dims[x][1] % g == 0, layers=False,
                 exclude=False)
    kw.update(variant=rng.choice(["road_1", "road_2", "road_4"]),
              group_size=g, init_weights=rng.random() < 0.7)
    saves(rng, f, kw)
    return kw


@maker("ln_tuning", peft.LNTuningConfig)
def _(rng, f):
    ends = sorted({tail(f, n) for n in f.norms})
    kw = dict(target_modules=rng.choice([
        some(rng, ends), some(rng, f.norms, 3),
        r".*\.0\..*(%s)" % "|".join(some(rng, ends))]))
    saves(rng, f, kw)
    return kw


@maker("trainable_tokens", peft.TrainableTokensConfig)
def _(rng, f):
    ids = some(rng, range(f.vocab), 6)
    kw = dict(token_indices=ids, init_weights=rng.random() < 0.7)
    if rng.random() < 0.6:
        kw["target_modules"] = rng.choice([
            [f.embed.split(".")[-1]], f.embed.split(".")[-1],
            [f.embed.split(".")[-1], f.head]])
    return kw


def virtual(rng):
    return dict(num_virtual_tokens=rng.choice([1, 3, 8]))


@maker("prompt", peft.PromptTuningConfig)
def _(rng, f):
    kw = virtual(rng)
    kw["prompt_tuning_init"] = rng.choice(["RANDOM", "SAMPLE_VOCAB"])
    return kw


@maker("p_tuning", peft.PromptEncoderConfig)
def _(rng, f):
    return dict(virtual(rng), encoder_reparameterization_type=rng.choice(
        ["MLP", "LSTM"]), encoder_hidden_size=rng.choice([4, 8, None, 12]),
        encoder_num_layers=rng.choice([1, 2, 3]),
        encoder_dropout=rng.choice([0.0, 0.1]))


@maker("prefix", peft.PrefixTuningConfig)
def _(rng, f):
    return dict(virtual(rng), prefix_projection=rng.random() < 0.4,
                encoder_hidden_size=rng.choice([4, 8, 12]),
                init_weights=rng.choice([None, None, "zero"]))


@maker("multitask", peft.MultitaskPromptTuningConfig)
def _(rng, f):
    n = rng.choice([1, 2, 4])
    return dict(virtual(rng), num_tasks=n, num_ranks=rng.choice([1, 2, 3]),
                _tasks=n)


@maker("cpt", peft.CPTConfig)
def _(rng, f):
    n = rng.choice([2, 4, 6, 9])
    types = sorted(rng.choices(range(rng.randint(0, 1), 13), k=n))
    if rng.random() < 0.8:          # ends with an answer
        types[-1] += -types[-1] % 4 or 4
    return dict(cpt_token_ids=[rng.randrange(3, f.vocab) for _ in range(n)],
                cpt_mask=[1] * n, cpt_tokens_type_mask=types,
                opt_weighted_loss_type=rng.choice(["none", "decay"]),
                opt_loss_decay_factor=rng.choice([1.0, 0.5, 0.9]),
                opt_projection_epsilon=rng.choice([0.1, 1.0, 0.0]),
                opt_projection_format_epsilon=rng.choice([0.1, 3.0]))


@maker("adaption", peft.AdaptionPromptConfig)
def _(rng, f):
    kw = dict(adapter_len=rng.choice([1, 3, 6]),
              adapter_layers=rng.choice([1, f.layers]))
    if rng.random() < 0.3:
        kw["target_modules"] = "attn" if f.kind == "gpt2" else "self_attn"
    return kw


@maker("poly", peft.PolyConfig)
def _(rng, f):
    n = rng.choice([1, 2, 4])
    t = rng.choice([1, 2, 3])
    kw = targets(rng, f, lambda x: all(d % n == 0 for d in f.dims[x]),
                 layers=False)
    kw.update(r=rng.choice([1, 2, 4]), n_tasks=t,
              n_skills=rng.choice([2, 3]), n_splits=n, _tasks=t)
    saves(rng, f, kw)
    return kw
