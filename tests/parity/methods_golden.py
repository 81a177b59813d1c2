#!/usr/bin/env python3
"""Adapters of all methods over one very small llama, with what PEFT computes;
those of --tied, over one that has biases and whose head is the embedding; and
those of --norms, over models of families.py, which norm queries and keys, or
what is so in some families alone.

usage: methods_golden.py [--tied | --norms] OUT [METHOD...]

OUT/base/                    the model
OUT/METHOD/                  adapter_config.json, adapter_model.safetensors
OUT/METHOD/golden.safetensors   input_ids, labels, logits, loss,
                             grad.NAME of every trained tensor,
                             merged.NAME of what merging changes in layer 0
"""
import os
import sys
import warnings

import torch
import peft
import families
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM
from transformers import StableLmConfig, StableLmForCausalLM

C = dict(task_type="CAUSAL_LM")
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj",
       "down_proj"]
QV = ["q_proj", "v_proj"]
P = dict(num_virtual_tokens=3, **C)
L = peft.LoraConfig
METHODS = {
    # the first of the two records has it in its middle, the other not
    "alora": lambda: L(r=2, alora_invocation_tokens=batch()[0, 4:6].tolist(),
                       target_modules=ALL, **C),
    "lora_dora": lambda: L(r=2, lora_alpha=3, use_dora=True, use_rslora=True,
                           target_modules=ALL, **C),
    "lora_dora_drop": lambda: L(r=2, lora_alpha=3, use_dora=True,
                                lora_dropout=0.3, target_modules=ALL,
                                modules_to_save=["embed_tokens"], **C),
    "lora_dora_embed": lambda: L(
        r=2, lora_alpha=3, use_dora=True,
        target_modules=["embed_tokens", "v_proj"], **C),
    "dora_pissa": lambda: L(r=2, lora_alpha=3, use_dora=True,
                            init_lora_weights="pissa", target_modules=ALL,
                            **C),
    "dora_olora": lambda: L(r=2, lora_alpha=3, use_dora=True, use_rslora=True,
                            init_lora_weights="olora", target_modules=ALL,
                            **C),
    "dora_pissa_drop": lambda: L(r=2, lora_alpha=3, use_dora=True,
                                 lora_dropout=0.3, init_lora_weights="pissa",
                                 target_modules=["v_proj", "down_proj"], **C),
    # beside it PEFT writes what is left of the head
    "dora_pissa_head": lambda: L(r=2, use_dora=True,
                                 init_lora_weights="pissa",
                                 target_modules=["lm_head"], **C),
    "lora_embed": lambda: L(r=2, target_modules=["q_proj", "embed_tokens"],
                            **C),
    "lora_head": lambda: L(r=2, target_modules=["q_proj", "lm_head"],
                           modules_to_save=["embed_tokens", "norm"], **C),
    "loha_head": lambda: peft.LoHaConfig(
        r=2, alpha=3, target_modules=["q_proj", "lm_head"], **C),
    "lora_orthogonal": lambda: L(r=2, init_lora_weights="orthogonal",
                                 target_modules=QV, **C),
    "lora_tokens": lambda: L(r=2, target_modules=QV,
                             trainable_token_indices=[5, 9, 30], **C),
    "lora_tokens_two": lambda: L(
        r=2, target_modules=QV, trainable_token_indices={
            "embed_tokens": [5, 9], "lm_head": [7]}, **C),
    "olora": lambda: L(r=2, init_lora_weights="olora", target_modules=ALL,
                       **C),
    "pissa": lambda: L(r=2, init_lora_weights="pissa", target_modules=ALL,
                       **C),
    "adalora": lambda: peft.AdaLoraConfig(init_r=4, target_r=2,
                                          total_step=100, tinit=10,
                                          tfinal=20, target_modules=QV, **C),
    "adaption_prompt": lambda: peft.AdaptionPromptConfig(
        adapter_len=3, adapter_layers=1, **C),
    "adaption_prompt_all": lambda: peft.AdaptionPromptConfig(
        adapter_len=2, adapter_layers=2, **C),
    "boft": lambda: peft.BOFTConfig(boft_block_size=4, target_modules=QV,
                                    **C),
    "c3a": lambda: peft.C3AConfig(block_size=8, target_modules=QV, **C),
    "cpt": lambda: peft.CPTConfig(
        cpt_token_ids=[4, 5, 6], cpt_mask=[1, 1, 1],
        cpt_tokens_type_mask=[1, 2, 3], **P),
    "cpt_answers": lambda: peft.CPTConfig(
        cpt_token_ids=[4, 5, 6, 7, 9, 11, 6, 8],
        cpt_tokens_type_mask=[1, 2, 3, 4, 5, 6, 8, 8],
        opt_weighted_loss_type="decay", opt_loss_decay_factor=0.7, **C),
    "delora": lambda: peft.DeloraConfig(r=2, target_modules=ALL, **C),
    "fourierft": lambda: peft.FourierFTConfig(
        n_frequency=20, scaling=20.0, target_modules=ALL, **C),
    "hira": lambda: peft.HiraConfig(r=2, target_modules=ALL, **C),
    "hira_embed": lambda: peft.HiraConfig(
        r=2, target_modules=["embed_tokens", "k_proj"], **C),
    "hra": lambda: peft.HRAConfig(r=3, target_modules=QV, **C),
    "hra_gs": lambda: peft.HRAConfig(r=3, apply_GS=True, target_modules=ALL,
                                     **C),
    "hra_head": lambda: peft.HRAConfig(
        r=3, target_modules=["q_proj", "lm_head"], **C),
    "ia3_head": lambda: peft.IA3Config(
        target_modules=["k_proj", "lm_head"],
        feedforward_modules=["lm_head"], **C),
    "ia3": lambda: peft.IA3Config(
        target_modules=["k_proj", "v_proj", "down_proj"],
        feedforward_modules=["down_proj"], **C),
    "ln_tuning": lambda: peft.LNTuningConfig(
        target_modules=["input_layernorm", "post_attention_layernorm",
                        "norm"], **C),
    "loha": lambda: peft.LoHaConfig(r=2, alpha=3, target_modules=ALL, **C),
    "lokr": lambda: peft.LoKrConfig(r=1, alpha=3, decompose_both=True,
                                    target_modules=ALL, **C),
    "miss": lambda: peft.MissConfig(r=3, target_modules=QV, **C),
    "miss_bat": lambda: peft.MissConfig(r=4, init_weights="bat",
                                        target_modules=QV, **C),
    "miss_mini": lambda: peft.MissConfig(r=4, mini_r=4, init_weights="mini",
                                         target_modules=QV, **C),
    "multitask": lambda: peft.MultitaskPromptTuningConfig(num_ranks=2, **P),
    "multitask_3": lambda: peft.MultitaskPromptTuningConfig(
        num_ranks=2, num_tasks=3, **P),
    "oft": lambda: peft.OFTConfig(oft_block_size=4, r=0, target_modules=ALL,
                                  use_cayley_neumann=False, **C),
    "oft_constrained": lambda: peft.OFTConfig(
        oft_block_size=4, r=0, target_modules=QV, coft=True, eps=0.5,
        use_cayley_neumann=False, **C),
    "oft_series": lambda: peft.OFTConfig(oft_block_size=0, r=2,
                                         block_share=True,
                                         target_modules=QV, **C),
    "p_tuning": lambda: peft.PromptEncoderConfig(encoder_hidden_size=8, **P),
    "prefix_tuning": lambda: peft.PrefixTuningConfig(**P),
    "prefix_projection": lambda: peft.PrefixTuningConfig(
        prefix_projection=True, encoder_hidden_size=8, **P),
    "poly": lambda: peft.PolyConfig(r=2, n_tasks=3, n_skills=3, n_splits=2,
                                    target_modules=ALL, **C),
    "prompt_tuning": lambda: peft.PromptTuningConfig(**P),
    "randlora": lambda: peft.RandLoraConfig(
        r=4, randlora_alpha=8, target_modules=["q_proj", "down_proj"], **C),
    "randlora_key": lambda: peft.RandLoraConfig(
        r=3, randlora_alpha=1, target_modules=QV, save_projection=False,
        projection_prng_key=5, **C),
    "randlora_sparse": lambda: peft.RandLoraConfig(
        r=4, randlora_alpha=1, target_modules=ALL, very_sparse=True,
        save_projection=False, **C),
    "road": lambda: peft.RoadConfig(group_size=4, target_modules=QV, **C),
    "road_2": lambda: peft.RoadConfig(variant="road_2", group_size=4,
                                      target_modules=QV, **C),
    "road_4": lambda: peft.RoadConfig(variant="road_4", group_size=4,
                                      target_modules=QV, **C),
    "shira": lambda: peft.ShiraConfig(r=2, target_modules=QV, **C),
    "trainable_tokens": lambda: peft.TrainableTokensConfig(
        token_indices=[5, 9, 30], target_modules=["embed_tokens"], **C),
    "vblora": lambda: peft.VBLoRAConfig(
        r=2, num_vectors=6, vector_length=8, topk=2, target_modules=QV, **C),
    "vblora_topk": lambda: peft.VBLoRAConfig(
        r=2, num_vectors=6, vector_length=8, topk=3, target_modules=QV,
        save_only_topk_weights=True, **C),
    "vera": lambda: peft.VeraConfig(r=3, target_modules=ALL,
                                    save_projection=False, **C),
}
TIED = {
    "bias_all": lambda: L(r=2, target_modules=QV, bias="all", lora_bias=True,
                          **C),
    "tying": lambda: L(r=2, target_modules=QV, bias="all",
                       ensure_weight_tying=True,
                       modules_to_save=["norm", "up_proj"],
                       trainable_token_indices={"embed_tokens": [5, 9],
                                                "lm_head": [5, 9]}, **C),
    "tied_target": lambda: L(r=2, lora_alpha=3, ensure_weight_tying=True,
                             target_modules=["q_proj", "embed_tokens"], **C),
    "tied_head": lambda: L(r=2, use_rslora=True, lora_dropout=0.2,
                           ensure_weight_tying=True,
                           target_modules=["q_proj", "lm_head"], **C),
    "tied_saved": lambda: L(r=2, ensure_weight_tying=True,
                            target_modules=["q_proj"],
                            modules_to_save=["lm_head"], **C),
    "bias_dora": lambda: L(r=2, target_modules=["q_proj", "down_proj"],
                           use_dora=True, bias="all", **C),
    "bias_only": lambda: peft.OFTConfig(
        oft_block_size=4, r=0, target_modules=["k_proj", "o_proj"],
        bias="oft_only", **C),
    "lora_tokens": lambda: L(r=2, target_modules=QV,
                             trainable_token_indices=[5, 9, 30], **C),
    "trainable_tokens": lambda: peft.TrainableTokensConfig(
        token_indices=[5, 9, 30], **C),
    "tokens_own": lambda: L(r=2, target_modules=QV,
                            trainable_token_indices={"embed_tokens": [5, 9],
                                                     "lm_head": [9, 30, 7]},
                            **C),
    "tokens_head": lambda: peft.TrainableTokensConfig(
        token_indices=[5, 9, 30], target_modules=["lm_head"], **C),
}
N = ["q_norm", "k_norm"]
NORMS = {       # by family, and what else is so there alone
    "qwen3": lambda: peft.LNTuningConfig(target_modules=N, **C),
    "olmo2": lambda: L(r=2, target_modules=QV, modules_to_save=["norm"], **C),
    "gpt_neox": lambda: L(r=2, target_modules=["query_key_value", "lm_head"],
                          **C),
    "gptj": lambda: peft.LoHaConfig(
        r=2, target_modules=["v_proj", "lm_head"], **C),
    "phi": lambda: L(r=2, target_modules=["q_proj"], bias="all", **C),
    "gpt2": lambda: L(r=2, target_modules=["c_attn"],
                      modules_to_save=["h.0.mlp.c_fc"], **C),
    "cohere": lambda: peft.LNTuningConfig(target_modules=N, **C),
    "deepseek_v2": lambda: peft.LNTuningConfig(
        target_modules=["kv_a_layernorm", "norm"], **C),
    # PEFT takes it for one with four key heads, and fails, if not told
    "falcon_7b": lambda: peft.PrefixTuningConfig(
        token_dim=8, num_attention_heads=1, **P),
    "falcon_serial": lambda: peft.PrefixTuningConfig(**P),
}
# what X-LoRA mixes, and how: classifiers of one layer and of two
X = dict(hidden_size=16, **C)
MIXED = {
    "xlora": (dict(layerwise_scalings=True, **X),
              [dict(r=2, target_modules=ALL), dict(r=3, use_rslora=True,
                                                  target_modules=QV)]),
    "xlora_top": (dict(xlora_depth=3, xlora_size=6, xlora_dropout_p=0.0,
                       top_k_lora=2, enable_softmax_topk=True,
                       softmax_temperature=0.7, global_scaling_weight=1.5,
                       **X),
                  [dict(r=2, target_modules=["q_proj", "down_proj"]),
                   dict(r=2, target_modules=QV),
                   dict(r=1, target_modules=["down_proj"])]),
    "xlora_pass": (dict(scaling_pass_value=0.4, enable_softmax=False, **X),
                   [dict(r=2, target_modules=QV),
                    dict(r=2, target_modules=QV)]),
}


def batch():
    torch.manual_seed(1)
    return torch.randint(3, 40, (2, 9))


SIZES = dict(vocab_size=40, hidden_size=16, intermediate_size=24,
             num_hidden_layers=2, num_attention_heads=2,
             num_key_value_heads=1, max_position_embeddings=64,
             use_cache=False, attn_implementation="eager")


def base(tied=False):
    torch.manual_seed(0)
    m = StableLmForCausalLM(StableLmConfig(
        use_qkv_bias=True, tie_word_embeddings=True, **SIZES)) if tied else \
        LlamaForCausalLM(LlamaConfig(head_dim=8, tie_word_embeddings=False,
                                     **SIZES))
    m = m.float().eval()
    with torch.no_grad():
        for n, q in m.named_parameters():
            q.copy_(1 + 0.2 * torch.randn_like(q) if "norm" in n
                    else 0.3 * torch.randn_like(q))
    return m


def shake(p, much=0.1):
    with torch.no_grad():
        for n, q in p.named_parameters():
            if q.requires_grad and q.is_floating_point() and \
                    "ranknum" not in n:
                q.add_(much * torch.randn_like(q))


def mixture(d, name):
    """PEFT saves the experts beside; of the classifier it loses the layers
    whose number is an expert's name, so that is saved here."""
    config, experts = MIXED[name]
    for i, e in enumerate(experts):
        torch.manual_seed(10 + i)
        p = peft.get_peft_model(base(), L(lora_alpha=3, **e, **C))
        shake(p, 0.3)
        p.save_pretrained(os.path.join(d, str(i)))
        os.remove(os.path.join(d, str(i), "README.md"))
    paths = {str(i): os.path.join(d, str(i)) for i in range(len(experts))}
    torch.manual_seed(3)
    p = peft.get_peft_model(base(), peft.XLoraConfig(adapters=paths,
                                                     **config)).eval()
    shake(p, 0.3)
    p.peft_config["default"].adapters = {k: k for k in paths}
    p.peft_config["default"].inference_mode = True
    p.peft_config["default"].save_pretrained(d)
    save_file({k: v.contiguous() for k, v in p.state_dict().items()
               if "xlora_classifier" in k},
              os.path.join(d, "adapter_model.safetensors"))
    return p


def model_of(name, how):
    if how != "--norms":
        return base(how == "--tied")
    return families.fresh(*families.FAMILIES[name], 0)


def one_of_two(g, was, config):
    """PEFT has an adapter at the embedding and one at the head, in the same
    memory, and adds both to the weight when it merges: of what is one the
    gradient is the sum, and the change is added once."""
    e = "base_model.model.model.embed_tokens.lora_embedding_"
    h = "base_model.model.lm_head.lora_"
    g["grad.%sA" % e] = g["grad.%sA" % e] + g.pop("grad.%sB.weight" % h).T
    g["grad.%sB" % e] = g["grad.%sB" % e] + g.pop("grad.%sA.weight" % h).T
    twice = g["merged.model.embed_tokens.weight"]
    once = was["model.embed_tokens.weight"]
    g["merged.model.embed_tokens.weight"] = (twice + once) / 2


def write(out, name, how, configs):
    d = os.path.join(out, name)
    ids = batch()
    labels = ids.clone()
    labels[:, :2] = -100
    if name in MIXED:
        p = mixture(d, name)
    else:
        p = peft.get_peft_model(model_of(name, how), configs[name]()).eval()
        torch.manual_seed(2)
        shake(p)
        p.save_pretrained(d)
    for f in ("README.md",):
        if os.path.exists(os.path.join(d, f)):
            os.remove(os.path.join(d, f))
    more = {"task_ids": torch.tensor([0, 0])} if name == "multitask" else {}
    if name in ("poly", "multitask_3"):
        more = {"task_ids": torch.tensor([2, 0])}
    if name == "cpt":       # without an answer it predicts nothing
        labels = None
    o = p(input_ids=ids, labels=labels, **more)
    g = {"input_ids": ids, "logits": o.logits.detach(),
         "labels": ids if labels is None else labels}
    if name in ("poly", "multitask_3"):
        g["task_ids"] = more["task_ids"]
    if labels is not None:
        o.loss.backward()
        g["loss"] = o.loss.detach().reshape(1)
    for n, q in p.named_parameters():
        if q.requires_grad and q.grad is not None:
            g["grad." + n.replace(".default", "")] = q.grad
    was = dict(model_of(name, how).named_parameters())
    try:
        if name in MIXED:       # to be merged, its experts would all act
            raise ValueError
        for n, q in p.merge_and_unload().named_parameters():
            if ".layers.1." not in n and not torch.equal(q, was[n]):
                g["merged." + n] = q.detach()
    except (AttributeError, TypeError, ValueError, RuntimeError):
        pass
    if name in ("tokens_own", "tokens_head"):   # it has one weight for both
        g.pop("merged.model.embed_tokens.weight")
    if name in ("tied_target", "tied_head"):
        one_of_two(g, was, p.peft_config["default"])
    save_file({k: v.detach().clone().contiguous() for k, v in g.items()},
              os.path.join(d, "golden.safetensors"))
    print(name, "loss %s, %d tensors" % (g.get("loss"), len(g)))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    args = sys.argv[1:]
    flag = args.pop(0) if args[0].startswith("--") else ""
    named = {"": METHODS, "--tied": TIED, "--norms": NORMS}[flag]
    if flag != "--norms":
        base(flag == "--tied").save_pretrained(os.path.join(args[0], "base"))
    for each in args[1:] or ([*METHODS, *MIXED] if flag == "" else named):
        write(args[0], each, flag, named)
