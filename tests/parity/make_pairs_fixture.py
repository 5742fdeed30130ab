"""Makes tests/parity/pairs: compositions of two families that have little in common (checkpoints of make_family_fixtures.py), one connection each,
from the augment's last block to the anchor's embedding output, so that its gradient comes through the whole anchor; and what PyTorch computes:
logits, and the gradient of every parameter of the connection. Run by hand; what it writes is committed. Two tokenizers: make_two_tokenizers.py.

Both models are transformers' own, in double from the stored weights; the operator, cross_attention_normed, is written here. W_O is not zero."""
import json, os
import torch, torch.nn as nn, torch.nn.functional as F
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

PARITY = os.path.dirname(os.path.abspath(__file__))
HERE = os.path.join(PARITY, "pairs")
HEADS = 2
# anchor, augment
PAIRS = [("bloom_b", "qwen3_b"),      # linear biases, the head is its own; linear RoPE
         ("falcon_d", "bloom_a"),     # RoPE, one key for a group, tied; linear biases
         ("gptj_a", "gemma2_a"),      # pairs turned in part, a head with a bias; soft caps, windows
         ("opt_b", "phi3_b"),         # learned positions, tables of another width; longrope
         ("gemma2_a", "neox_a"),      # soft caps in attention and head, tied; one product for q, k and v, parallel
         ("olmo3_a", "phi_a"),        # norms behind, windows, yarn; norms over heads, partial RoPE, parallel
         ("qwen3_moe_b", "gpt2_a")]   # experts in one block of two; dense, learned positions


def blocks(m):
    inner = next(getattr(m, k) for k in ("transformer", "gpt_neox", "model") if hasattr(m, k))
    inner = getattr(inner, "decoder", inner)
    return inner.h if hasattr(inner, "h") else inner.layers


def even(x):
    usual = (x.abs() + 1e-6).log().mean(-1, keepdim=True).exp().detach()
    y = x * (x.pow(2) + 25 * usual.pow(2)).rsqrt()
    return y * (y.pow(2).mean(-1, keepdim=True) + 1e-6).rsqrt()


class Cross(nn.Module):
    def __init__(self, D, E):
        super().__init__()
        r = lambda o, i, s: nn.Parameter((torch.randn(o, i) * s / i ** 0.5).double())
        self.proj, self.wq, self.wk, self.wv, self.wo = r(D, E, 1), r(D, D, 1), r(D, D, 1), r(D, D, 1), r(D, D, 0.6 * D / 64)
    def forward(self, b, a):
        T, D = b.shape
        split = lambda x: x.view(T, HEADS, D // HEADS).transpose(0, 1)
        p, q = even(a) @ self.proj.T, even(b)
        o = F.scaled_dot_product_attention(split(q @ self.wq.T), split(p @ self.wk.T), split(p @ self.wv.T), is_causal=True)
        return 256 / D * (o.transpose(0, 1).reshape(T, D) @ self.wo.T)


def last_state(m, ids):
    out = {}
    hook = blocks(m)[-1].register_forward_hook(lambda mod, i, o: out.__setitem__(0, (o[0] if isinstance(o, tuple) else o)[0]))
    with torch.no_grad(): m(ids[None], use_cache=False)
    hook.remove()
    return out[0]


def composed(base, aug, cross, ids):
    a = last_state(aug, ids)
    def enter(mod, args, kwargs):
        x = args[0] if args else kwargs["hidden_states"]
        x = x + cross(x[0], a)
        return ((x, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": x})
    hook = blocks(base)[0].register_forward_pre_hook(enter, with_kwargs=True)
    logits = base(ids[None], use_cache=False).logits[0]
    hook.remove()
    return logits


def tensors(cross, name, of):
    shape = lambda n, t: t.reshape(HEADS, t.shape[0] // HEADS, t.shape[1]) if n in ("wq", "wk", "wv") else t
    return {f"{name}.{n}": shape(n, of(p)).float().clone().contiguous() for n, p in cross.named_parameters()}


def main():
    os.makedirs(HERE, exist_ok=True)
    load = lambda d: AutoModelForCausalLM.from_pretrained(os.path.join(PARITY, "families", d), dtype=torch.float64,
                                                          attn_implementation="sdpa" if "falcon" in d else "eager",
                                                          **({"experts_implementation": "eager"} if "moe" in d else {})).eval().requires_grad_(False)
    for seed, (b, a) in enumerate(PAIRS):
        torch.manual_seed(seed)
        base, aug = load(b), load(a)
        cross = Cross(base.config.hidden_size, aug.config.hidden_size)
        for p in cross.parameters(): p.data = p.data.float().double()
        name, gold = f"aug.{len(blocks(aug))}->base.0", {}
        save_file(tensors(cross, name, lambda p: p.detach()), os.path.join(HERE, f"{b}.theta.safetensors"))
        for i, line in enumerate(open(os.path.join(PARITY, "families", "rows.jsonl"))):
            row = json.loads(line)
            ids, labels = torch.tensor(row["input_ids"]), torch.tensor(row["labels"])
            logits = composed(base, aug, cross, ids)
            gold[f"{i}.logits"] = logits.detach().float().contiguous()
            F.cross_entropy(logits[:-1], labels[1:], ignore_index=-100, reduction="sum").backward()
        gold.update({f"grad.{n}": g for n, g in tensors(cross, name, lambda p: p.grad).items()})
        save_file(gold, os.path.join(HERE, f"{b}.golden.safetensors"))
        with open(os.path.join(HERE, f"{b}.calm"), "w") as f:
            f.write(f'anchor base = "{b}"\naugment aug = "{a}"\nconnect aug[last] -> base[0] with cross_attention_normed(heads = {HEADS})\n')
        print(b, a, {k: round(float(v.abs().max()), 3) for k, v in gold.items()})


main()
