#!/usr/bin/env python3
"""Golden values of the model families, made by transformers: tests/golden/families.

For development only; neither the build nor a test runs it. Needs torch, transformers, safetensors.

    python3 tools/goldens/make_families.py tests/golden/families [NAME ...]

Each folder is a tiny random model directory (bfloat16 weights) and expected.safetensors, computed in float32 from these
weights: ids [1, T], logits [1, T, V], logp [1, T - 1], greedy [1, 30] (10 given, 20 arg-max tokens; end tokens are not
special) and grad.<parameter> of the mean of -logp. Norm weights and biases are random, so that a forgotten one shows.
"""
import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

T, GIVEN, NEW = 40, 10, 20
MARGIN = 1e-2  # between the best and the second token of a greedy step

# name: model type, configuration, {"older": write rope_theta, rope_scaling, torch_dtype; "drop": keys not written}
CASES = {
    "mistral": ("mistral", dict(sliding_window=8), {}),
    "mistral-full": ("mistral", dict(sliding_window=None, rope_theta=1e5), {"older": True}),
    "smollm3": ("smollm3", dict(no_rope_layers=[1, 0, 1]), {}),
    "smollm3-window": ("smollm3", dict(use_sliding_window=True, sliding_window=7, no_rope_layer_interval=2),
                       {"older": True, "drop": ["no_rope_layers", "layer_types"]}),
    "qwen2-window": ("qwen2", dict(use_sliding_window=True, sliding_window=12, max_window_layers=1),
                     {"older": True, "drop": ["layer_types"]}),
    "qwen3-window": ("qwen3", dict(use_sliding_window=True, sliding_window=5, head_dim=8,
                                   layer_types=["sliding_attention", "full_attention", "sliding_attention"]), {}),
    "qwen3-yarn": ("qwen3", dict(head_dim=12, num_hidden_layers=2, max_position_embeddings=64,
                                 rope_parameters=dict(rope_type="yarn", rope_theta=1e4, factor=4.0, beta_fast=4.0,
                                                      beta_slow=0.5, mscale=1.0, mscale_all_dim=0.5, truncate=False,
                                                      original_max_position_embeddings=16)), {}),
    "llama-linear": ("llama", dict(attention_bias=True, rope_parameters=dict(rope_type="linear", rope_theta=1e4, factor=2.5)),
                     {"older": True}),
    "llama-yarn": ("llama", dict(head_dim=16, num_hidden_layers=2, max_position_embeddings=64,
                                 rope_parameters=dict(rope_type="yarn", rope_theta=1e4, factor=4.0,
                                                      original_max_position_embeddings=16)), {"older": True}),
    "llama-dynamic": ("llama", dict(max_position_embeddings=16,
                                    rope_parameters=dict(rope_type="dynamic", rope_theta=1e4, factor=2.0)), {}),
    "llama1": ("llama", dict(num_key_value_heads=2, tie_word_embeddings=False, num_hidden_layers=2),
               {"older": True, "drop": ["num_key_value_heads", "head_dim"]}),
}


def make_model(kind, options, seed):
    base = dict(vocab_size=48, hidden_size=16, intermediate_size=24, num_hidden_layers=3, num_attention_heads=2,
                num_key_value_heads=1, max_position_embeddings=128, initializer_range=0.25, tie_word_embeddings=True,
                rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2, pad_token_id=0)
    config = AutoConfig.for_model(kind, **{**base, **options})
    config._attn_implementation = "eager"
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config).float().eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "norm" in name:
                p.copy_(1 + 0.3 * torch.randn_like(p))
            elif name.endswith("bias"):
                p.copy_(0.3 * torch.randn_like(p))
            p.copy_(p.bfloat16().float())
    if config.rope_parameters["rope_type"] == "dynamic":
        # one base for the whole run, that of T positions: rein's rule, see src/model/rope.h
        rotary = model.model.rotary_emb
        rotary.inv_freq, _ = ROPE_INIT_FUNCTIONS["dynamic"](config, "cpu", seq_len=T)
        rotary.max_seq_len_cached, rotary.original_max_seq_len = T, 0
    return model


def greedy(model, ids):
    margin = float("inf")
    for _ in range(NEW):
        with torch.no_grad():
            best = model(ids, use_cache=False).logits[0, -1].topk(2)
        margin = min(margin, float(best.values[0] - best.values[1]))
        ids = torch.cat([ids, best.indices[:1][None]], dim=1)
    return ids, margin


def config_text(model, form):
    c = json.loads(model.config.to_json_string(use_diff=False))
    full = json.loads(type(model.config)(**{k: v for k, v in c.items() if k != "model_type"}).to_json_string())
    keep = set(full) | {"num_key_value_heads", "head_dim", "vocab_size", "hidden_size", "intermediate_size"}
    c = {k: v for k, v in c.items() if k in keep and k not in ("_attn_implementation", "transformers_version")}
    c["architectures"] = [type(model).__name__]
    c["dtype"] = "bfloat16"
    if form.get("older"):
        rope = c.pop("rope_parameters")
        c["rope_theta"] = rope.pop("rope_theta")
        c["rope_scaling"] = None if rope["rope_type"] == "default" else rope
        c["torch_dtype"] = c.pop("dtype")
    for key in form.get("drop", []):
        c.pop(key, None)
    return json.dumps(c, indent=1, sort_keys=True) + "\n"


def make(folder, kind, options, form):
    for seed in range(1, 400):
        model = make_model(kind, options, seed)
        ids = torch.randint(3, model.config.vocab_size, (1, T))
        tokens, margin = greedy(model, ids[:, :GIVEN])
        if margin > MARGIN:
            break
    else:
        raise SystemExit(f"{folder.name}: no seed with a greedy margin above {MARGIN}")
    logits = model(ids, use_cache=False).logits
    logp = torch.log_softmax(logits[:, :-1], -1).gather(-1, ids[:, 1:, None])[..., 0]
    loss = -logp.mean()
    loss.backward()
    expected = {f"grad.{n}": p.grad for n, p in model.named_parameters()}
    expected |= {"ids": ids.int(), "logits": logits.detach(), "logp": logp.detach(), "greedy": tokens.int()}
    folder.mkdir(parents=True, exist_ok=True)
    weights = {n: p.detach().bfloat16().contiguous() for n, p in model.named_parameters()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    save_file({k: v.contiguous() for k, v in expected.items()}, folder / "expected.safetensors")
    (folder / "config.json").write_text(config_text(model, form))
    (folder / "expected.json").write_text(json.dumps(
        {"loss": float(loss), "greedy_min_margin": margin, "seed": seed,
         "made_by": {"torch": torch.__version__, "transformers": transformers.__version__}}, indent=1) + "\n")
    # what was written is the model that was computed
    again = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    if model.config.rope_parameters["rope_type"] != "dynamic":
        assert torch.equal(again(ids, use_cache=False).logits, logits), folder


def main():
    out, names = pathlib.Path(sys.argv[1]), sys.argv[2:] or list(CASES)
    torch.set_num_threads(1)
    for name in names:
        make(out / name, *CASES[name])
        print(name, sum(f.stat().st_size for f in (out / name).iterdir()))


main()
