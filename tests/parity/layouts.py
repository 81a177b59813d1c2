#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Adapters in the layouts of LyCORIS, diffusers, mlx-lm and torchtune, made
and read by these programs themselves.

usage: layouts.py make MODEL DIR [WHAT ...]
       layouts.py read MODEL WHAT ADAPTER LOGITS
       layouts.py tiny FAMILY DIR
       layouts.py list

make: for each WHAT, DIR/WHAT/adapter (a folder, or adapter.safetensors) with
random factors, written by the program it is of, and DIR/WHAT/logits, what its
own model computes with it of IDS (f32 in the machine's order).
read: the program loads ADAPTER; its logits go to the file LOGITS.
list: those whose programs are there.
TORCHAO: a folder with a release of it that torchtune goes with, if the one
beside PEFT is none.
MODEL: a llama's folder, in f32.
"""
import json
import os
import sys

import numpy

IDS = [1, 85, 91, 311, 71, 79, 201, 48]
RANK, ALPHA = 2, 5


def torch_model(path):
    import torch
    from transformers import AutoModelForCausalLM
    m = AutoModelForCausalLM.from_pretrained(
        path, dtype=torch.float32, attn_implementation="eager").eval()
    m.requires_grad_(False)
    return m


def torch_logits(m):
    import torch
    with torch.no_grad():
        r = m(torch.tensor([IDS]))
    return getattr(r, "logits", r)[0].float().numpy()


def shake(params):
    """Values that no program begins with, the same on every run."""
    import torch
    g = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, p in sorted(params):
            if p.ndim == 2 and min(p.shape) > 1:
                p.copy_(torch.randn(p.shape, generator=g) * 0.1)
            elif p.ndim > 0:
                p.mul_(1 + 0.2 * torch.randn(p.shape, generator=g))


class Lycoris:
    module = "lycoris"

    def __init__(self, dora, algo="lora", **settings):
        self.dora, self.algo, self.settings = dora, algo, settings

    def make(self, model, out):
        import torch
        from lycoris import create_lycoris
        from lycoris.config import PRESET
        PRESET["these"] = {"target_module": [], "target_name": [
            r"model\.layers\.\d+\.(self_attn\.[qk]|mlp\.down)_proj"]}
        m = torch_model(model)
        net = create_lycoris(m, 1.0, linear_dim=RANK, linear_alpha=ALPHA,
                             algo=self.algo, preset="these",
                             dora_wd=self.dora, **self.settings)
        assert net.loras
        net.apply_to()
        shake([(k, p) for k, p in net.named_parameters()])
        net.save_weights(out + ".safetensors", torch.float32,
                         {"ss_network_module": "lycoris.kohya"})
        return torch_logits(m)

    def read(self, model, adapter):
        import safetensors.torch
        from lycoris import create_lycoris_from_weights, LycorisNetwork
        LycorisNetwork.LORA_PREFIX = "lora_te"
        m = torch_model(model)
        net, sd = create_lycoris_from_weights(1.0, adapter, m)
        names = {k.split(".")[0] for k in safetensors.torch.load_file(adapter)}
        assert len(net.loras) == len(names), (len(net.loras), len(names))
        net.apply_to()
        return torch_logits(m)


class Diffusers:
    """Its tensors are PEFT's, renamed; the logits are PEFT's."""
    module = "diffusers"

    def __init__(self, old):
        self.old = old

    def make(self, model, out):
        import peft
        import safetensors.torch
        from diffusers.utils.state_dict_utils import (
            convert_state_dict_to_diffusers)
        import diffusers.loaders.lora_base as base
        c = peft.LoraConfig(r=RANK, lora_alpha=RANK if self.old else ALPHA,
                            target_modules=["q_proj", "v_proj"])
        m = peft.get_peft_model(torch_model(model), c)
        shake([(k, p) for k, p in m.named_parameters() if "lora_" in k])
        sd = peft.get_peft_model_state_dict(m)
        meta = {"format": "pt"}
        if self.old:
            sd = convert_state_dict_to_diffusers(sd)
        else:
            meta[base.LORA_ADAPTER_METADATA_KEY] = json.dumps(
                base._pack_dict_with_prefix(
                    {**c.to_dict(), "target_modules":
                     sorted(c.target_modules), "peft_type": "LORA",
                     "task_type": None}, "text_encoder"), default=str)
        sd = {"text_encoder." + k.removeprefix("base_model.model."):
              v.contiguous() for k, v in sd.items()}
        safetensors.torch.save_file(sd, out + ".safetensors", meta)
        return torch_logits(m)

    def read(self, model, adapter):
        """As its loader does: a component's tensors and metadata to PEFT."""
        import peft
        import safetensors
        from diffusers.utils.peft_utils import get_peft_kwargs
        import diffusers.loaders.lora_base as base
        with safetensors.safe_open(adapter, "pt") as f:
            meta = json.loads(f.metadata()[base.LORA_ADAPTER_METADATA_KEY])
            sd = {k.removeprefix("text_encoder."): f.get_tensor(k)
                  for k in f.keys()}
        meta = {k.removeprefix("text_encoder."): v for k, v in meta.items()}
        c = peft.LoraConfig(**get_peft_kwargs(
            {k: v.shape[1] for k, v in sd.items() if "lora_B" in k}, None,
            sd, is_unet=False) | meta)
        m = peft.get_peft_model(torch_model(model), c)
        r = peft.set_peft_model_state_dict(
            m, {"base_model.model." + k: v for k, v in sd.items()})
        assert not r.unexpected_keys, r.unexpected_keys
        return torch_logits(m)


class Mlx:
    module = "mlx_lm"

    def __init__(self, dora):
        self.dora = dora

    def model(self, path):
        import mlx.core as mx
        from mlx_lm.utils import load_model
        from pathlib import Path
        mx.set_default_device(mx.cpu)
        with open(path + "/config.json") as f:
            c = json.load(f)
        theta = c["rope_parameters"]["rope_theta"]  # it looks elsewhere
        return load_model(Path(path), lazy=False,
                          model_config={"rope_theta": theta})[0]

    def logits(self, m):
        import mlx.core as mx
        return numpy.array(m(mx.array([IDS]))[0].astype(mx.float32))

    def make(self, model, out):
        import mlx.core as mx
        from mlx.utils import tree_flatten
        from mlx_lm.tuner.utils import linear_to_lora_layers
        m = self.model(model)
        m.freeze()
        c = {"rank": RANK, "scale": 2.5, "dropout": 0.0,
             "keys": ["self_attn.q_proj", "self_attn.k_proj",
                      "mlp.down_proj"] if self.dora else
             ["self_attn.q_proj", "mlp.up_proj", "model.embed_tokens"]}
        linear_to_lora_layers(m, 1, c, use_dora=self.dora)
        mx.random.seed(3)
        new = [(k, v * (1 + 0.2 * mx.random.normal(v.shape))
                if k.endswith(".m") else 0.1 * mx.random.normal(v.shape))
               for k, v in tree_flatten(m.trainable_parameters())]
        m.load_weights(new, strict=False)
        os.makedirs(out, exist_ok=True)
        mx.save_safetensors(out + "/adapters.safetensors", dict(new))
        with open(out + "/adapter_config.json", "w") as f:
            json.dump({"fine_tune_type": "dora" if self.dora else "lora",
                       "num_layers": 1, "lora_parameters": c}, f, indent=4)
        return self.logits(m)

    def read(self, model, adapter):
        from mlx_lm.tuner.utils import load_adapters
        m = self.model(model)
        load_adapters(m, adapter)
        m.eval()
        return self.logits(m)


class Torchtune:
    module = "torchtune"

    def __init__(self, dora):
        self.dora = dora

    def model(self, path, rank, alpha):
        import safetensors.torch
        from torchtune.models import convert_weights
        from torchtune.models.llama3._component_builders import lora_llama3
        with open(path + "/config.json") as f:
            c = json.load(f)
        m = lora_llama3(
            ["q_proj", "k_proj", "v_proj", "output_proj"], True,
            vocab_size=c["vocab_size"], num_layers=c["num_hidden_layers"],
            num_heads=c["num_attention_heads"],
            num_kv_heads=c["num_key_value_heads"],
            embed_dim=c["hidden_size"],
            max_seq_len=c["max_position_embeddings"],
            intermediate_dim=c["intermediate_size"],
            norm_eps=c["rms_norm_eps"],
            rope_base=int(c["rope_parameters"]["rope_theta"]),
            lora_rank=rank, lora_alpha=alpha, use_dora=self.dora)
        # the rows of its _FROM_HF name the norms of Gemma 2
        names = {"post_attention_layernorm": "mlp_norm.scale"}
        sd = safetensors.torch.load_file(path + "/model.safetensors")
        rest = {k: v for k, v in sd.items() if
                "post_attention_layernorm" not in k}
        tune = convert_weights.hf_to_tune(
            rest, c["num_attention_heads"], c["num_key_value_heads"],
            c["hidden_size"], c.get("head_dim"))
        for k, v in sd.items():
            for hf, own in names.items():
                if hf in k:
                    tune[f"layers.{k.split('.')[2]}.{own}"] = v
        tune.setdefault("output.weight", tune["tok_embeddings.weight"])
        r = m.load_state_dict(tune, strict=False)
        assert not r.unexpected_keys, r.unexpected_keys
        assert all("lora_" in k or "magnitude" in k for k in r.missing_keys)
        if self.dora:
            for x in m.modules():
                if hasattr(x, "initialize_dora_magnitude"):
                    x.initialize_dora_magnitude()
        return m.eval()

    def make(self, model, out):
        import safetensors.torch
        from torchtune.modules.peft import get_adapter_params
        from torchtune.modules.peft._utils import get_lora_module_names
        m = self.model(model, RANK, ALPHA)
        params = get_adapter_params(m)
        shake(list(params.items()))
        os.makedirs(out, exist_ok=True)
        safetensors.torch.save_file(
            {k: v.detach() for k, v in params.items()},
            out + "/adapter_model.safetensors")
        with open(out + "/adapter_config.json", "w") as f:
            json.dump({"r": RANK, "lora_alpha": ALPHA, "target_modules":
                       get_lora_module_names(
                           ["q_proj", "k_proj", "v_proj", "output_proj"],
                           True, False), "peft_type": "LORA"}, f)
        return torch_logits(m)

    def read(self, model, adapter):
        """By the reader of its checkpoints."""
        from torchtune.training.checkpointing._utils import safe_torch_load
        with open(adapter + "/adapter_config.json") as f:
            c = json.load(f)
        m = self.model(model, c["r"], c["lora_alpha"])
        sd = safe_torch_load(adapter + "/adapter_model.safetensors")
        r = m.load_state_dict(sd, strict=False)
        assert not r.unexpected_keys, r.unexpected_keys
        assert not [k for k in r.missing_keys if "lora_" in k]
        return torch_logits(m)


class TorchtuneOf(Torchtune):
    """Other families, over a small model of one's own (tiny).  Not gemma2:
    torchtune 0.6's computes something else than transformers's without any
    adapter (it caps what the last norm gives, not the logits)."""

    def __init__(self, family):
        super().__init__(False)
        self.family = family

    def model(self, path, rank, alpha):
        import importlib
        import safetensors.torch
        from torchtune.models import convert_weights
        with open(path + "/config.json") as f:
            c = json.load(f)
        heads = {"num_heads": c["num_attention_heads"],
                 "num_kv_heads": c["num_key_value_heads"]}
        kw = {"vocab_size": c["vocab_size"], **heads,
              "num_layers": c["num_hidden_layers"],
              "embed_dim": c["hidden_size"],
              "max_seq_len": c["max_position_embeddings"],
              "intermediate_dim": c["intermediate_size"],
              "norm_eps": c["rms_norm_eps"],
              "rope_base": int(c["rope_parameters"]["rope_theta"])}
        top = "torchtune.models." + self.family
        if self.family == "gemma":
            kw["head_dim"] = c["head_dim"]
        build = getattr(importlib.import_module(
            top + "._component_builders"), "lora_" + self.family)
        m = build(["q_proj", "k_proj", "v_proj", "output_proj"], True,
                  lora_rank=rank, lora_alpha=alpha, **kw)
        to = convert_weights.hf_to_tune
        if self.family == "qwen2":
            to = getattr(importlib.import_module(top + "._convert_weights"),
                         self.family + "_hf_to_tune")
        sd = to(safetensors.torch.load_file(path + "/model.safetensors"),
                dim=c["hidden_size"], head_dim=c.get("head_dim"), **heads)
        r = m.load_state_dict(sd, strict=False)
        assert not r.unexpected_keys, r.unexpected_keys
        assert all("lora_" in k for k in r.missing_keys), r.missing_keys
        return m.eval()


def tiny(family, out):
    """Two layers with random weights."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    torch.manual_seed(11)
    more = {"gemma": {"head_dim": 16},
            "mistral": {"sliding_window": None}}.get(family, {})
    c = AutoConfig.for_model(
        family, vocab_size=320, hidden_size=32, intermediate_size=40,
        num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=64, initializer_range=0.2, bos_token_id=1,
        eos_token_id=2, pad_token_id=0, **more)
    m = AutoModelForCausalLM.from_config(c, dtype=torch.float32)
    for n, p in m.named_parameters():
        if "norm" in n or n.endswith("bias"):
            p.data.add_(0.2 * torch.randn(p.shape))
    m.save_pretrained(out)


WHAT = {"kohya": Lycoris(False), "kohya-dora": Lycoris(True),
        "kohya-loha": Lycoris(False, "loha"),
        "kohya-lokr": Lycoris(False, "lokr"),
        "kohya-lokr8": Lycoris(False, "lokr", factor=8),
        "kohya-lokrboth": Lycoris(False, "lokr", factor=8,
                                  decompose_both=True),
        "kohya-lokrfull": Lycoris(False, "lokr", full_matrix=True),
        "diffusers": Diffusers(False), "diffusers-old": Diffusers(True),
        "mlx": Mlx(False), "mlx-dora": Mlx(True),
        "torchtune": Torchtune(False), "torchtune-dora": Torchtune(True),
        **{"torchtune-" + f: TorchtuneOf(f)
           for f in ("qwen2", "gemma", "mistral")}}


def of_torchtune():
    """It goes with another torchao than PEFT."""
    if "TORCHAO" in os.environ:
        sys.path.insert(0, os.environ["TORCHAO"])


def there(what):
    if WHAT[what].module == "torchtune":
        of_torchtune()
    try:
        __import__(WHAT[what].module)
        return True
    except Exception:
        return False


def main():
    if sys.argv[1] == "list":
        print("\n".join(w for w in WHAT if there(w)))
    elif sys.argv[1] == "tiny":
        tiny(*sys.argv[2:])
    elif sys.argv[1] == "make":
        model, top = sys.argv[2:4]
        for what in sys.argv[4:] or WHAT:
            if WHAT[what].module == "torchtune":
                of_torchtune()
            os.makedirs(f"{top}/{what}", exist_ok=True)
            logits = WHAT[what].make(model, f"{top}/{what}/adapter")
            logits.astype("<f4").tofile(f"{top}/{what}/logits")
    else:
        model, what, adapter = sys.argv[2:5]
        if WHAT[what].module == "torchtune":
            of_torchtune()
        logits = WHAT[what].read(model, adapter)
        logits.astype("<f4").tofile(sys.argv[5])


main()
