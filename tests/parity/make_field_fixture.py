"""Makes tests/parity/field: the operators of dsl/std/field.calm as PyTorch computes them, on random models that are here already. Run by hand; what it
writes is committed. In double, from the stored weights; logits, and the gradient of the summed loss by every parameter.

same.calm    models that share their tokens (fixture): gated_addition, flamingo, and cross_attention_released by torch's MultiheadAttention and
             transformers' GemmaRMSNorm themselves, under a causal mask
two.calm     two tokenizers (two_tokenizers): gated_addition, where a row may see none of the augment's"""
import json, os
import torch, torch.nn as nn, torch.nn.functional as F
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM
from transformers.models.gemma.modeling_gemma import GemmaRMSNorm

PARITY = os.path.dirname(os.path.abspath(__file__))
HERE = os.path.join(PARITY, "field")
HEADS = {"flamingo": 3, "cross_attention_released": 3}
SPECS = {
    "same": ("fixture/base", "fixture/aug", [(1, 1, "gated_addition"), (2, 2, "flamingo"), (3, 4, "cross_attention_released")]),
    "two": ("two_tokenizers/gemma", "two_tokenizers/llama", [(1, 2, "gated_addition"), (3, 3, "gated_addition")]),
}


def noise(*shape, s=1.0): return nn.Parameter((torch.randn(*shape) * s / (shape[-1] ** 0.5 if len(shape) > 1 else 1)).float().double())


class Gated(nn.Module):
    def __init__(self, D, E, heads):
        super().__init__()
        self.proj, self.gate = noise(D, E), noise(1, s=0.5)
    def forward(self, b, a, last):
        y = a @ self.proj.T
        seen = torch.stack([y[k] if k >= 0 else torch.zeros_like(b[0]) for k in last])
        return torch.tanh(self.gate) * seen
    def named(self): return dict(self.named_parameters())


class Flamingo(nn.Module):
    def __init__(self, D, E, heads):
        super().__init__()
        self.heads, self.wq, self.wk, self.wv, self.wo = heads, noise(D, D), noise(D, E), noise(D, E), noise(D, D)
        self.norm, self.norm_bias, self.attn_gate = nn.Parameter(1 + noise(D, s=0.3).data), noise(D, s=0.3), noise(1, s=0.5)
        self.up, self.down, self.ff_gate = noise(4 * D, D), noise(D, 4 * D), noise(1, s=0.5)
        self.ff_norm, self.ff_norm_bias = nn.Parameter(1 + noise(D, s=0.3).data), noise(D, s=0.3)
    def forward(self, b, a, last):
        D = b.shape[1:]
        split = lambda x: x.view(x.shape[0], self.heads, -1).transpose(0, 1)
        q = split(F.layer_norm(b, D, self.norm, self.norm_bias) @ self.wq.T)
        o = F.scaled_dot_product_attention(q, split(a @ self.wk.T), split(a @ self.wv.T), is_causal=True)
        h = b + torch.tanh(self.attn_gate) * (o.transpose(0, 1).reshape(b.shape) @ self.wo.T)
        return h + torch.tanh(self.ff_gate) * (F.gelu(F.layer_norm(h, D, self.ff_norm, self.ff_norm_bias) @ self.up.T) @ self.down.T) - b
    def named(self): return {n: p.view(self.heads, -1, p.shape[1]) if n in ("wq", "wk", "wv") else p for n, p in self.named_parameters()}


class Released(nn.Module):
    def __init__(self, D, E, heads):
        super().__init__()
        self.heads, self.proj, self.mha, self.norm = heads, nn.Linear(E, D), nn.MultiheadAttention(D, heads, batch_first=True), GemmaRMSNorm(D, eps=1e-6)
        for p in self.parameters(): p.data = noise(*p.shape, s=0.3 if p.dim() == 1 else 1.0).data
        self.double()
        self.norm.weight = noise(D, s=0.3)
    def forward(self, b, a, last):
        p = self.proj(a)[None]
        later = torch.ones(len(b), len(a), dtype=torch.bool).triu(1)
        return self.norm(self.mha(b[None], p, p, attn_mask=later, need_weights=True)[0])[0]
    def named(self, of=lambda p: p):
        w, bias = of(self.mha.in_proj_weight).chunk(3), of(self.mha.in_proj_bias).chunk(3)
        out = {"proj": of(self.proj.weight), "proj_bias": of(self.proj.bias), "wo": of(self.mha.out_proj.weight), "bo": of(self.mha.out_proj.bias), "norm": of(self.norm.weight)}
        for k, x, y in zip("qkv", w, bias): out.update({"w" + k: x.reshape(self.heads, -1, x.shape[1]), "b" + k: y.reshape(self.heads, -1)})
        return out


KINDS = {"gated_addition": Gated, "flamingo": Flamingo, "cross_attention_released": Released}


def numbers(ops, grads):
    of = (lambda p: p.grad) if grads else (lambda p: p)
    out = {}
    for (i, j, kind), m in ops.items():
        if kind == "cross_attention_released": named = m.named(of)
        else: named = {n: of(p).reshape(m.named()[n].shape) for n, p in m.named_parameters()}
        out.update({f"aug.{i}->base.{j}.{n}": t.detach().float().clone().contiguous() for n, t in named.items()})
    return out


def states(m, ids):
    out, hooks = {}, []
    for k, layer in enumerate(m.model.layers): hooks.append(layer.register_forward_hook(lambda mod, i, o, k=k: out.__setitem__(k + 1, (o[0] if isinstance(o, tuple) else o)[0])))
    if len(ids): m(ids[None], use_cache=False)
    for h in hooks: h.remove()
    return out


def run(base, aug, ops, ids, aug_ids, last):
    with torch.no_grad(): taps = states(aug, aug_ids)
    def add(k, x): return x + sum(m(x[0], taps[i], last) for (i, j, _), m in ops.items() if j == k)
    hooks = [l.register_forward_hook(lambda mod, i, o, k=k: (add(k + 1, o[0]), *o[1:]) if isinstance(o, tuple) else add(k + 1, o)) for k, l in enumerate(base.model.layers)]
    logits = base(ids[None], use_cache=False).logits[0]
    for h in hooks: h.remove()
    return logits


def rows_of(name):
    """ids and labels of the anchor, ids of the augment, and by row of the anchor the last one of the augment that it sees (-1: none)."""
    if name == "same":
        for line in open(os.path.join(PARITY, "fixture", "rows.jsonl")):
            r = json.loads(line)
            ids = torch.tensor(r["input_ids"])
            yield ids, torch.tensor(r["labels"]), ids, list(range(len(ids)))
        return
    tok = Tokenizer.from_file(os.path.join(PARITY, "tokenizer", "synthetic", "fallback_prepend.json"))
    for r in json.load(open(os.path.join(PARITY, "two_tokenizers", "visible.json")))["back"]:
        ids = torch.tensor(r["input_ids"])
        labels = ids.clone()
        labels[:len(tok.encode("").ids) if "text" in r else len(tok.encode(r["prompt"]).ids)] = -100
        yield ids, labels, torch.tensor(r["input_ids.aug"]), [v - 1 for v in r["visible.aug"]]


def main():
    os.makedirs(HERE, exist_ok=True)
    for name, (anchor, augment, lines) in SPECS.items():
        torch.manual_seed(11)
        base, aug = (AutoModelForCausalLM.from_pretrained(os.path.join(PARITY, d), dtype=torch.float64, attn_implementation="eager").eval().requires_grad_(False) for d in (anchor, augment))
        ops = {l: KINDS[l[2]](base.config.hidden_size, aug.config.hidden_size, HEADS.get(l[2])) for l in lines}
        save_file(numbers(ops, False), os.path.join(HERE, f"{name}.theta.safetensors"))
        gold, nothing = {}, 0
        for i, (ids, labels, aug_ids, last) in enumerate(rows_of(name)):
            nothing += sum(k < 0 for k in last)
            logits = run(base, aug, ops, ids, aug_ids, last)
            gold[f"{i}.logits"] = logits.detach().float().contiguous()
            F.cross_entropy(logits[:-1], labels[1:], ignore_index=-100, reduction="sum").backward()
        gold.update({f"grad.{n}": t for n, t in numbers(ops, True).items() if not n.endswith(".bk")})      # what is added to all keys alike changes nothing: its gradient is 0 and rounding
        save_file(gold, os.path.join(HERE, f"{name}.golden.safetensors"))
        with open(os.path.join(HERE, f"{name}.calm"), "w") as f:
            f.write(f'anchor base = "{os.path.basename(anchor)}"\naugment aug = "{os.path.basename(augment)}"\n')
            for i, j, kind in lines: f.write(f"connect aug[{i}] -> base[{j}] with {kind}({f'heads = {HEADS[kind]}' if kind in HEADS else ''})\n")
        print(name, "rows that see nothing:", nothing, {k: round(float(v.abs().max()), 3) for k, v in gold.items()})


if __name__ == "__main__": main()
