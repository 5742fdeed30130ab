"""Makes tests/parity/families: per family two small random checkpoints that differ in every option, and what Hugging Face transformers
computes for them: hidden states after every block, logits, the gradient of the summed loss by the embedding output. Run by hand; what it
writes is committed, so tests need no Python.

Scaled so that every option that enters the arithmetic matters: weights about 1.5 / sqrt(fan_in), random norms and biases, eps 0.1, window 5,
16 original positions. Weights are rounded to the stored type first and everything is computed in double from there, by a model that
transformers itself loads from the directory written (config.json in its old spelling where OLD says so), so that reading is proved too."""
import json, os, shutil, sys
import torch, torch.nn.functional as F
from safetensors.torch import load_file, save_file
import transformers as tf
from transformers import AutoModelForCausalLM, Gemma3TextConfig, GPT2Config, Qwen3Config

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "families")
VOCAB, ROWS = 59, [23, 9, 2]
COMMON = dict(vocab_size=VOCAB, hidden_size=30, intermediate_size=42, num_attention_heads=6, num_key_value_heads=2, head_dim=10, rms_norm_eps=0.1,
              max_position_embeddings=64, bos_token_id=1, eos_token_id=2, pad_token_id=None)
GPT2 = dict(vocab_size=VOCAB, n_positions=24, layer_norm_epsilon=0.1, bos_token_id=1, eos_token_id=2)

MODELS = {
    "qwen3_a": (torch.bfloat16, Qwen3Config(**COMMON, num_hidden_layers=3, tie_word_embeddings=True, attention_bias=True, use_sliding_window=True,
                sliding_window=5, max_window_layers=1, rope_parameters=dict(rope_type="yarn", rope_theta=50.0, factor=4.0, beta_fast=2.0,
                beta_slow=0.25, original_max_position_embeddings=16))),
    "qwen3_b": (torch.float16, Qwen3Config(**COMMON, num_hidden_layers=2, tie_word_embeddings=False, attention_bias=False, use_sliding_window=True,
                sliding_window=4, layer_types=["sliding_attention", "full_attention"],
                rope_parameters=dict(rope_type="linear", rope_theta=100.0, factor=2.0))),
    "gemma3_a": (torch.bfloat16, Gemma3TextConfig(**COMMON, num_hidden_layers=3, tie_word_embeddings=True, query_pre_attn_scalar=7, sliding_window=5,
                 final_logit_softcapping=6.0, layer_types=["sliding_attention", "full_attention", "sliding_attention"], rope_parameters=dict(
                 full_attention=dict(rope_type="linear", rope_theta=200.0, factor=3.0), sliding_attention=dict(rope_type="default", rope_theta=20.0)))),
    "gemma3_b": (torch.bfloat16, Gemma3TextConfig(**COMMON, num_hidden_layers=3, tie_word_embeddings=False, attention_bias=True, query_pre_attn_scalar=15,
                 sliding_window=4, layer_types=["sliding_attention", "full_attention", "sliding_attention"], rope_parameters=dict(
                 full_attention=dict(rope_type="linear", rope_theta=300.0, factor=2.0), sliding_attention=dict(rope_type="default", rope_theta=30.0)))),
    "gpt2_a": (torch.bfloat16, GPT2Config(**GPT2, n_embd=30, n_layer=3, n_head=3, n_inner=50, activation_function="gelu_new",
               scale_attn_by_inverse_layer_idx=True)),
    "gpt2_b": (torch.float32, GPT2Config(**GPT2, n_embd=20, n_layer=2, n_head=2, n_inner=None, activation_function="gelu", scale_attn_weights=False,
               tie_word_embeddings=False)),
    # the exact GELU against its tanh form: both see their inputs near -3, where they differ by a tenth of what they give
    "gpt2_c": (torch.float32, GPT2Config(**GPT2, n_embd=20, n_layer=1, n_head=2, n_inner=40, activation_function="gelu")),
}
# The further families, smaller: their options, with what they share. Two where one cannot hold every option.
LLAMA = dict(vocab_size=VOCAB, hidden_size=12, intermediate_size=14, num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=2,
             rms_norm_eps=0.1, max_position_embeddings=64, bos_token_id=1, eos_token_id=2, pad_token_id=None, tie_word_embeddings=False)
WIDE = dict(LLAMA, head_dim=4)
def rope(theta=50.0, **more): return dict(rope_type="default", rope_theta=theta, **more)
YARN = dict(rope_type="yarn", rope_theta=50.0, factor=4.0, beta_fast=2.0, beta_slow=0.25, original_max_position_embeddings=16)
LLAMA3 = dict(rope_type="llama3", rope_theta=50.0, factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16)
def but(d, *keys): return {k: v for k, v in d.items() if k not in keys}
SLIDES, FULL = "sliding_attention", "full_attention"
TINY = {
    "mistral_a": tf.MistralConfig(**WIDE, sliding_window=5, hidden_act="gelu", rope_parameters=dict(YARN, mscale=1.5, mscale_all_dim=0.5)),
    "mistral_b": tf.MistralConfig(**dict(WIDE, head_dim=6), sliding_window=None, rope_parameters=rope(30.0)),
    "qwen2_a": tf.Qwen2Config(**dict(LLAMA, hidden_size=24), use_sliding_window=True, sliding_window=4, max_window_layers=1, rope_parameters=YARN),
    "qwen2_b": tf.Qwen2Config(**dict(LLAMA, hidden_size=24, tie_word_embeddings=True), use_sliding_window=False, sliding_window=4, rope_parameters=rope()),
    "smollm3_a": tf.SmolLM3Config(**dict(LLAMA, hidden_size=24), attention_bias=True, mlp_bias=True, use_sliding_window=False, sliding_window=4,
                                  layer_types=[SLIDES, FULL], no_rope_layers=[0, 1], hidden_act="relu2", rope_parameters=YARN),
    "granite_a": tf.GraniteConfig(**dict(LLAMA, hidden_size=24), attention_bias=True, mlp_bias=True, embedding_multiplier=3.0, logits_scaling=1.7,
                                  residual_multiplier=0.6, attention_multiplier=0.31, rope_parameters=LLAMA3),
    "olmo2_a": tf.Olmo2Config(**dict(LLAMA, hidden_size=24), attention_bias=True, hidden_act="mish", rope_parameters=LLAMA3),
    "olmo3_a": tf.Olmo3Config(**dict(LLAMA, hidden_size=24), attention_bias=True, sliding_window=4, layer_types=[FULL, SLIDES],
                              rope_parameters={FULL: YARN, SLIDES: rope(20.0)}),
    "exaone4_a": tf.Exaone4Config(**WIDE, sliding_window=4, layer_types=[FULL, SLIDES], rope_parameters=LLAMA3),
    "exaone4_b": tf.Exaone4Config(**WIDE, sliding_window=None, layer_types=[FULL, FULL], rope_parameters=rope()),
    "apertus_a": tf.ApertusConfig(**dict(LLAMA, hidden_size=24), attention_bias=True, rope_parameters=LLAMA3),
    "gemma_a": tf.GemmaConfig(**WIDE, attention_bias=True, rope_parameters=rope()),
    "gemma2_a": tf.Gemma2Config(**WIDE, attention_bias=True, query_pre_attn_scalar=7, sliding_window=4, layer_types=[FULL, SLIDES],
                                final_logit_softcapping=3.0, attn_logit_softcapping=2.0, rope_parameters=rope()),
    "phi3_a": tf.Phi3Config(**dict(LLAMA, hidden_size=48), hidden_act="gelu", sliding_window=5, rope_parameters=rope(partial_rotary_factor=0.5)),
    "glm_a": tf.GlmConfig(**WIDE, attention_bias=True, rope_parameters=rope(partial_rotary_factor=1.0)),
    "glm4_a": tf.Glm4Config(**dict(WIDE, head_dim=8), attention_bias=True, rope_parameters=rope(partial_rotary_factor=0.5)),
    "starcoder2_a": tf.Starcoder2Config(**but(dict(LLAMA, hidden_size=24), "rms_norm_eps"), norm_epsilon=0.1, use_bias=True, sliding_window=5, rope_parameters=rope()),
    "stablelm_a": tf.StableLmConfig(**but(dict(LLAMA, hidden_size=48), "rms_norm_eps"), layer_norm_eps=0.1, use_qkv_bias=True, qk_layernorm=True,
                                    use_parallel_residual=False, rope_parameters=rope(partial_rotary_factor=0.5)),
    "stablelm_b": tf.StableLmConfig(**but(dict(LLAMA, hidden_size=24), "rms_norm_eps"), layer_norm_eps=0.1, use_qkv_bias=False, qk_layernorm=False,
                                    use_parallel_residual=True, rope_parameters=rope(partial_rotary_factor=1.0)),
    "cohere_a": tf.CohereConfig(**but(dict(LLAMA, hidden_size=24), "rms_norm_eps"), layer_norm_eps=0.1, attention_bias=True, use_qk_norm=True,
                                logit_scale=0.7, rope_parameters=rope()),
    "neox_a": tf.GPTNeoXConfig(**but(dict(LLAMA, hidden_size=48), "rms_norm_eps", "num_key_value_heads"), layer_norm_eps=0.1, use_parallel_residual=True,
                               attention_bias=True, rope_parameters=rope(partial_rotary_factor=0.5)),
    "neox_b": tf.GPTNeoXConfig(**but(dict(LLAMA, hidden_size=24), "rms_norm_eps", "num_key_value_heads"), layer_norm_eps=0.1, use_parallel_residual=False,
                               attention_bias=False, hidden_act="gelu_new", rope_parameters=rope(partial_rotary_factor=1.0)),
    "neo_a": tf.GPTNeoConfig(vocab_size=VOCAB, max_position_embeddings=32, hidden_size=12, num_layers=2, num_heads=3, window_size=4, layer_norm_epsilon=0.1,
                             attention_types=[[["global", "local"], 1]], bos_token_id=1, eos_token_id=2),
}
GPTJ = dict(vocab_size=VOCAB, n_positions=32, n_embd=24, n_layer=2, n_head=3, layer_norm_epsilon=0.1, bos_token_id=1, eos_token_id=2)
OPT = dict(vocab_size=VOCAB, max_position_embeddings=32, hidden_size=12, num_hidden_layers=2, num_attention_heads=3, ffn_dim=14, bos_token_id=1, eos_token_id=2, pad_token_id=None)
BLOOM = dict(vocab_size=VOCAB, hidden_size=24, n_layer=2, layer_norm_epsilon=0.1, bos_token_id=1, eos_token_id=2)
FALCON = dict(vocab_size=VOCAB, hidden_size=24, num_hidden_layers=2, num_attention_heads=6, layer_norm_epsilon=0.1, max_position_embeddings=64,
              bos_token_id=1, eos_token_id=2, rope_parameters=rope())
TINY |= {
    "phi_a": tf.PhiConfig(**but(dict(LLAMA, hidden_size=48), "rms_norm_eps"), layer_norm_eps=0.1, qk_layernorm=True, rope_parameters=rope(partial_rotary_factor=0.5)),
    "phi_b": tf.PhiConfig(**but(dict(LLAMA, hidden_size=24, num_key_value_heads=6), "rms_norm_eps"), layer_norm_eps=0.1, qk_layernorm=False, hidden_act="gelu",
                          rope_parameters=rope(partial_rotary_factor=1.0)),
    "gptj_a": tf.GPTJConfig(**GPTJ, rotary_dim=4, n_inner=14),
    "gptj_b": tf.GPTJConfig(**GPTJ, rotary_dim=8, activation_function="silu"),
    "opt_a": tf.OPTConfig(**OPT),
    "opt_b": tf.OPTConfig(**OPT, do_layer_norm_before=False, word_embed_proj_dim=7, activation_function="gelu", enable_bias=False,
                          layer_norm_elementwise_affine=False, tie_word_embeddings=False),
    "opt_c": tf.OPTConfig(**OPT, _remove_final_layer_norm=True),
    "bloom_a": tf.BloomConfig(**BLOOM, n_head=6),
    "bloom_b": tf.BloomConfig(**BLOOM, n_head=3, apply_residual_connection_post_layernorm=True, tie_word_embeddings=False),
    "falcon_a": tf.FalconConfig(**FALCON, multi_query=True, parallel_attn=True, bias=True),
    "falcon_b": tf.FalconConfig(**FALCON, new_decoder_architecture=True, num_kv_heads=2, activation="relu", ffn_hidden_size=14),
    "falcon_c": tf.FalconConfig(**FALCON, alibi=True, multi_query=False, parallel_attn=False, bias=True),
    "falcon_d": tf.FalconConfig(**FALCON, new_decoder_architecture=True, num_ln_in_parallel_attn=1, num_kv_heads=3),
}
LONG = dict(LLAMA, hidden_size=48)
def longrope(original, **more): return dict(rope_type="longrope", rope_theta=50.0, original_max_position_embeddings=original, partial_rotary_factor=0.5,
                                            short_factor=[1.1, 1.7], long_factor=[2.3, 5.1], **more)
TINY |= {
    "phi3_b": tf.Phi3Config(**dict(LONG, max_position_embeddings=24), original_max_position_embeddings=32, rope_parameters=longrope(32, factor=4.0)),
    "phi3_c": tf.Phi3Config(**LONG, original_max_position_embeddings=1, rope_parameters=longrope(1, attention_factor=1.3)),
    "ministral3_a": tf.Ministral3Config(**WIDE, sliding_window=5, rope_parameters=dict(YARN, mscale=1.5, mscale_all_dim=0.5, llama_4_scaling_beta=0.4,
                                        max_position_embeddings=64)),
    "mistral_c": tf.MistralConfig(**WIDE, sliding_window=None, hidden_act="prelu", rope_parameters=dict(rope_type="dynamic", rope_theta=30.0, factor=2.0)),
}
MOE = dict(num_experts=5, moe_intermediate_size=11)
TINY |= {
    "qwen3_moe_a": tf.Qwen3MoeConfig(**dict(WIDE, num_hidden_layers=3), **MOE, num_experts_per_tok=2, norm_topk_prob=True, decoder_sparse_step=1, mlp_only_layers=[1],
                                     attention_bias=True, use_sliding_window=True, sliding_window=4, rope_parameters=YARN),
    "qwen3_moe_b": tf.Qwen3MoeConfig(**dict(LLAMA, hidden_size=24), **MOE, num_experts_per_tok=3, norm_topk_prob=False, decoder_sparse_step=2, hidden_act="gelu",
                                     use_sliding_window=False, rope_parameters=rope()),
}
TINY |= {
    "mixtral_moe_a": tf.MixtralConfig(**WIDE, num_local_experts=5, num_experts_per_tok=2, sliding_window=5, hidden_act="gelu", rope_parameters=YARN),
    "olmoe_a": tf.OlmoeConfig(**dict(LLAMA, hidden_size=24), num_experts=5, num_experts_per_tok=3, norm_topk_prob=False, clip_qkv=1.1, attention_bias=True, rope_parameters=rope()),
    "olmoe_b": tf.OlmoeConfig(**dict(LLAMA, hidden_size=24), num_experts=4, num_experts_per_tok=2, norm_topk_prob=True, rope_parameters=rope()),
    "qwen2_moe_a": tf.Qwen2MoeConfig(**dict(LLAMA, hidden_size=24), **MOE, num_experts_per_tok=2, norm_topk_prob=True, shared_expert_intermediate_size=9, qkv_bias=True,
                                     use_sliding_window=True, sliding_window=4, max_window_layers=1, rope_parameters=rope()),
    "qwen2_moe_b": tf.Qwen2MoeConfig(**dict(LLAMA, hidden_size=24), **MOE, num_experts_per_tok=3, norm_topk_prob=False, shared_expert_intermediate_size=9, qkv_bias=False,
                                     mlp_only_layers=[0], use_sliding_window=False, rope_parameters=YARN),
}
# families that were built around one activation, with another
TINY |= {
    "gpt2_d": tf.GPT2Config(**GPT2, n_embd=12, n_layer=2, n_head=2, n_inner=14, activation_function="relu2"),
    "apertus_b": tf.ApertusConfig(**dict(LLAMA, hidden_size=24, num_hidden_layers=1), hidden_act="gelu", rope_parameters=rope()),
}
TINY |= {
    "granite_moe_a": tf.GraniteMoeConfig(**dict(LLAMA, hidden_size=24), num_local_experts=5, num_experts_per_tok=2, attention_bias=True, embedding_multiplier=3.0,
                                         logits_scaling=1.7, residual_multiplier=0.6, attention_multiplier=0.31, hidden_act="gelu", rope_parameters=LLAMA3),
    "gpt_oss_moe_a": tf.GptOssConfig(**WIDE, num_local_experts=5, num_experts_per_tok=2, attention_bias=True, sliding_window=4, layer_types=[FULL, SLIDES],
                                     swiglu_alpha=1.3, swiglu_limit=0.8, rope_parameters=dict(YARN, truncate=False)),
    "gpt_oss_moe_b": tf.GptOssConfig(**dict(WIDE, tie_word_embeddings=True), num_local_experts=4, num_experts_per_tok=3, attention_bias=False, sliding_window=5,
                                     rope_parameters=rope()),
}
TINY |= {"mistral_d": tf.MistralConfig(**dict(WIDE, num_hidden_layers=1), sliding_window=5, hidden_act="xielu", rope_parameters=rope())}
# an activation with weights, of the experts' own and of the feed-forward beside them
TINY |= {"qwen2_moe_c": tf.Qwen2MoeConfig(**dict(LLAMA, hidden_size=24, num_hidden_layers=1), **MOE, num_experts_per_tok=2, norm_topk_prob=True, shared_expert_intermediate_size=9,
                                          qkv_bias=False, hidden_act="prelu", use_sliding_window=False, rope_parameters=rope())}
MODELS |= {k: (torch.bfloat16, v) for k, v in TINY.items()}
# Keys as files of older versions of transformers write them: key -> value, None = the key goes.
OLD = {
    "qwen3_b": dict(rope_parameters=None, dtype=None, torch_dtype="float16", rope_theta=100.0, rope_scaling=dict(type="linear", factor=2.0),
                    eos_token_id=[2, 3]),
    "gemma3_b": dict(rope_parameters=None, layer_types=None, dtype=None, torch_dtype="bfloat16", sliding_window_pattern=2, rope_theta=300.0,
                     rope_local_base_freq=30.0, rope_scaling=dict(rope_type="linear", factor=2.0)),
    "qwen3_a": dict(layer_types=None),
}


def write(name, dtype, cfg, seed):
    """The checkpoint's directory: random weights of the stored type, config.json, transformed by OLD."""
    d = os.path.join(HERE, name)
    shutil.rmtree(d, ignore_errors=True)
    torch.manual_seed(seed)
    m = AutoModelForCausalLM.from_config(cfg)
    with torch.no_grad():
        for n, p in m.named_parameters():
            norm = "norm" in n or "ln_" in n or "layer_norm" in n or "alpha" in n
            if norm and p.dim() == 1: p.copy_((0 if "gemma" in name or "bias" in n else 1) + 0.3 * torch.randn_like(p))
            elif p.dim() == 1: p.copy_(0.3 * torch.randn_like(p))
            elif p.dim() == 3 or "mlp.gate.weight" in n or "moe.gate.weight" in n: p.copy_(torch.randn_like(p) * 1.5 / p.shape[-1] ** 0.5)      # of experts, [E, out, in]; a router
            elif "embed" in n or "wte" in n or "wpe" in n: p.copy_(0.5 * torch.randn_like(p))
            else: p.copy_(torch.randn_like(p) * 1.5 / p.shape[0 if "gpt2" in name and "lm_head" not in n else 1] ** 0.5)
            if name == "gpt2_c" and "mlp.c_fc.bias" in n: p.sub_(3)
            if name == "gpt2_c" and "mlp.c_fc.weight" in n: p.mul_(0.2)
            if name == "gpt2_c" and "mlp.c_proj.weight" in n: p.mul_(150)
    m.to(dtype).save_pretrained(d)
    os.remove(os.path.join(d, "generation_config.json")) if os.path.exists(os.path.join(d, "generation_config.json")) else None
    path = os.path.join(d, "config.json")
    config = json.load(open(path))
    for k, v in OLD.get(name, {}).items():
        if v is None: config.pop(k, None)
        else: config[k] = v
    json.dump(config, open(path, "w"), indent=1)
    if name == "gpt2_b":        # the published file's names: no prefix, and the causal mask as a tensor
        w = {k.removeprefix("transformer."): v for k, v in load_file(os.path.join(d, "model.safetensors")).items()}
        w["h.0.attn.bias"] = torch.tril(torch.ones(24, 24)).view(1, 1, 24, 24)
        save_file(w, os.path.join(d, "model.safetensors"), metadata={"format": "pt"})
    return d


def blocks(m):
    inner = next(getattr(m, k) for k in ("transformer", "gpt_neox", "model") if hasattr(m, k))
    inner = getattr(inner, "decoder", inner)
    return inner.h if hasattr(inner, "h") else inner.layers


def compute(m, ids, labels):
    """hidden.0 … hidden.L (before the final norm), logits, and d(summed loss)/d hidden.0."""
    out, first = {}, {}
    def enter(mod, args, kwargs):
        x = (args[0] if args else kwargs["hidden_states"]).detach().requires_grad_()
        first["x"] = out["hidden.0"] = x
        return (x, *args[1:]) if args else (), kwargs if args else {**kwargs, "hidden_states": x}
    hooks = [blocks(m)[0].register_forward_pre_hook(enter, with_kwargs=True)]
    for k, b in enumerate(blocks(m)):
        hooks.append(b.register_forward_hook(lambda mod, i, o, k=k: out.__setitem__(f"hidden.{k + 1}", o[0] if isinstance(o, tuple) else o)))
    logits = m(ids[None], use_cache=False).logits[0]
    for h in hooks: h.remove()
    F.cross_entropy(logits[:-1], labels[1:], ignore_index=-100, reduction="sum").backward()
    res = {k: v[0] if v.dim() == 3 else v for k, v in out.items()}
    return {**res, "logits": logits, "grad.hidden.0": first["x"].grad[0]}


def main():
    os.makedirs(HERE, exist_ok=True)
    g = torch.Generator().manual_seed(4)
    rows = [torch.randint(3, VOCAB, (n,), generator=g) for n in ROWS]
    labels = [torch.where(torch.rand(len(r), generator=g) < 0.7, r, -100) for r in rows]
    labels[2] = rows[2]
    with open(os.path.join(HERE, "rows.jsonl"), "w") as f:
        for r, l in zip(rows, labels): f.write(json.dumps({"input_ids": r.tolist(), "labels": l.tolist()}) + "\n")
    for seed, (name, (dtype, cfg)) in enumerate(MODELS.items(), 1):
        if len(sys.argv) > 1 and name not in sys.argv[1:]: continue
        d = write(name, dtype, cfg, seed)
        # eager Falcon adds its linear biases twice, in the mask and beside it; what transformers takes by default adds them once
        m = AutoModelForCausalLM.from_pretrained(d, dtype=torch.float64, attn_implementation="sdpa" if "falcon" in name else "eager", **({"experts_implementation": "eager"} if "moe" in name else {})).eval()
        gold = {}
        for i, (r, l) in enumerate(zip(rows, labels)):
            for k, v in compute(m, r, l).items():
                key = k.replace("hidden.", "hidden.base.")
                gold[f"{i}.{key}"] = v.detach().float().contiguous().clone()
        save_file(gold, os.path.join(d, "golden.safetensors.out"))
        os.rename(os.path.join(d, "golden.safetensors.out"), os.path.join(HERE, name + ".golden.safetensors"))
        size = sum(os.path.getsize(os.path.join(d, f)) for f in os.listdir(d)) + os.path.getsize(os.path.join(HERE, name + ".golden.safetensors"))
        print(name, size, "bytes", {k: round(float(v.abs().max()), 2) for k, v in gold.items() if k.startswith("0.")})


main()
