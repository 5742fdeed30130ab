"""Makes tests/parity/taps: a composition whose augments, one of each family of the library (the checkpoints of make_family_fixtures.py and
make_fixture.py), are tapped after their own next norm and joined by the operators of dsl/std/calm.calm that normalise and scale; and what
PyTorch computes for it: logits, and the gradient of every parameter of the composition. Run by hand; what it writes is committed.

The norm is the module of transformers itself, the operator is written here; all of it in double, from the stored weights. W_O is not zero."""
import json, os
import torch, torch.nn as nn, torch.nn.functional as F
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

PARITY = os.path.dirname(os.path.abspath(__file__))
HERE = os.path.join(PARITY, "taps")
MODELS = dict(base="families/gpt2_b", gemma="families/gemma3_a", gpt="families/gpt2_a", qwen="families/qwen3_b", llama="fixture/aug")
HEADS, WIDTH = 2, 10
# augment, layers, anchor's layers, operator; a layer in the middle and the last of each, one of them read twice
LINES = [("gemma", [1, 3], [1, 2], "scaled"), ("gpt", [2, 3], [1, 2], "scaled"), ("qwen", [1, 2], [0, 1], "scaled"),
         ("llama", [1, 4], [1, 2], "normed"), ("gemma", [3], [1], "scaled"), ("llama", [2, 3], [0, 2], "and_last"), ("gpt", [1, 3], [2, 1], "joint"),
         ("gemma", [2], [2], "linear_last"), ("qwen", [2], [2], "gated")]


def blocks(m): return m.transformer.h if hasattr(m, "transformer") else m.model.layers
def next_norm(m, k):
    b = blocks(m)
    if k < len(b): return b[k].ln_1 if hasattr(m, "transformer") else b[k].input_layernorm
    return m.transformer.ln_f if hasattr(m, "transformer") else m.model.norm


def usual(x): return (x.abs() + 1e-6).log().mean(-1, keepdim=True).exp()
def even(x):
    y = x * (x.pow(2) + 25 * usual(x).detach().pow(2)).rsqrt()
    return y * (y.pow(2).mean(-1, keepdim=True) + 1e-6).rsqrt()


class Cross(nn.Module):
    def __init__(self, D, E, op):
        super().__init__()
        r = lambda o, i, s: nn.Parameter((torch.randn(o, i) * s / i ** 0.5).double())
        self.op, keys = op, E if op == "and_last" else D
        if op != "and_last": self.proj = r(D, E, 1)
        self.wq, self.wk, self.wv, self.wo = r(D, D, 1), r(D, keys, 1), r(D, keys, 1), r(D, D, 0.6 * D / 64)
        if op == "and_last": self.last = r(D, E, 0.6 * D / 64)
    def forward(self, b, a):
        T, D = b.shape
        split = lambda x: x.view(T, HEADS, D // HEADS).transpose(0, 1)
        e, q = even(a), even(b)
        p = e if self.op == "and_last" else e @ self.proj.T
        o = F.scaled_dot_product_attention(split(q @ self.wq.T), split(p @ self.wk.T), split(p @ self.wv.T), is_causal=True)
        y = 256 / D * (o.transpose(0, 1).reshape(T, D) @ self.wo.T)
        if self.op == "and_last": y = y + 256 / e.shape[1] * (e @ self.last.T)         # with shared tokens the last row that is seen is a position's own
        return y if self.op == "normed" else usual(b).detach() * y


class Linear(nn.Module):
    def __init__(self, D, E):
        super().__init__()
        self.last = nn.Parameter((torch.randn(D, E) * 0.6 * D / 64 / E ** 0.5).double())
    def forward(self, b, a):
        return usual(b).detach() * 256 / a.shape[1] * (even(a) @ self.last.T)


class Joint(nn.Module):
    def __init__(self, D, E, gated=False):
        super().__init__()
        r = lambda o, i, s: nn.Parameter((torch.randn(o, i) * s / i ** 0.5).double())
        self.gated = gated             # with a smaller wo: a third update of ten times the state would make bf16 a matter of chance
        self.wb, self.wa, self.wo, self.last = r(WIDTH, D, 1), r(WIDTH, E, 1), r(D, WIDTH, (0.12 if gated else 0.6) * D / 64), r(D, E, 0.6 * D / 64)
        if gated: self.gate_b, self.gate_a = r(1, D, 0.15 * D / 64), r(1, E, 0.15 * E / 64)
    def forward(self, b, a):
        e, s = even(b), even(a)
        h = F.silu(e @ self.wb.T + s @ self.wa.T)
        y = usual(b).detach() * 256 * (h @ self.wo.T / WIDTH + s @ self.last.T / s.shape[1])
        if self.gated: y = y * 2 * torch.sigmoid(256 * (e @ self.gate_b.T / e.shape[1] + s @ self.gate_a.T / s.shape[1]))
        return y


# without attention
ALONE = dict(joint=(Joint, f"joint_feed_forward(width = {WIDTH})"), linear_last=(Linear, "linear_last()"),
             gated=(lambda D, E: Joint(D, E, gated=True), f"joint_feed_forward_gated(width = {WIDTH})"))
def operator(op, D, E): return ALONE[op][0](D, E) if op in ALONE else Cross(D, E, op)


def states(m, ids):
    """The residual stream after every block, before the final norm; 0: what the first block is given."""
    out = {}
    hooks = [blocks(m)[0].register_forward_pre_hook(lambda mod, a, kw: out.__setitem__(0, (a[0] if a else kw["hidden_states"])[0]), with_kwargs=True)]
    for k, b in enumerate(blocks(m)):
        hooks.append(b.register_forward_hook(lambda mod, i, o, k=k: out.__setitem__(k + 1, (o[0] if isinstance(o, tuple) else o)[0])))
    with torch.no_grad(): m(ids[None], use_cache=False)
    for h in hooks: h.remove()
    return out


def run(models, cross, ids):
    taps = {}
    for name in {l[0] for l in LINES}:
        x = states(models[name], ids)
        with torch.no_grad(): taps[name] = {k: next_norm(models[name], k)(x[k]) for k in x}
    def add(x, layer):             # every addition to a layer reads the layer before any of them
        return x + sum(c(x[0], taps[n][k]) for (n, k, j), c in cross.items() if j == layer)
    base, hooks = models["base"], []
    hooks.append(blocks(base)[0].register_forward_pre_hook(lambda mod, a: (add(a[0], 0), *a[1:])))
    for k, b in enumerate(blocks(base)):
        hooks.append(b.register_forward_hook(lambda mod, i, o, k=k: (add(o[0], k + 1), *o[1:]) if isinstance(o, tuple) else add(o, k + 1)))
    logits = base(ids[None], use_cache=False).logits[0]
    for h in hooks: h.remove()
    return logits


def tensors(cross, of):
    shape = lambda n, t: t.reshape(HEADS, t.shape[0] // HEADS, t.shape[1]) if n in ("wq", "wk", "wv") else t
    return {f"{a}.{k}->base.{j}.{n}": shape(n, of(p)).float().clone().contiguous() for (a, k, j), c in cross.items() for n, p in c.named_parameters()}


def main():
    os.makedirs(HERE, exist_ok=True)
    load = lambda d: AutoModelForCausalLM.from_pretrained(os.path.join(PARITY, d), dtype=torch.float64, attn_implementation="eager").eval()
    models = {n: load(d).requires_grad_(False) for n, d in MODELS.items()}
    width = {n: m.config.hidden_size for n, m in models.items()}
    torch.manual_seed(5)
    cross = {(a, k, j): operator(op, width["base"], width[a]) for a, ks, js, op in LINES for k, j in zip(ks, js)}
    for c in cross.values():
        for p in c.parameters(): p.data = p.data.float().double()
    save_file(tensors(cross, lambda p: p.detach()), os.path.join(HERE, "theta.safetensors"))
    gold = {}
    for i, line in enumerate(open(os.path.join(PARITY, "families", "rows.jsonl"))):
        row = json.loads(line)
        ids, labels = torch.tensor(row["input_ids"]), torch.tensor(row["labels"])
        logits = run(models, cross, ids)
        gold[f"{i}.logits"] = logits.detach().float()
        F.cross_entropy(logits[:-1], labels[1:], ignore_index=-100, reduction="sum").backward()
    gold.update({f"grad.{n}": g for n, g in tensors(cross, lambda p: p.grad).items()})
    save_file({k: v.contiguous() for k, v in gold.items()}, os.path.join(HERE, "golden.safetensors"))
    with open(os.path.join(HERE, "spec.calm"), "w") as f:
        for n, d in MODELS.items(): f.write(f'{"anchor" if n == "base" else "augment"} {n} = "{os.path.basename(d)}"\n')
        for a, ks, js, op in LINES:
            name = ALONE[op][1] if op in ALONE else f"cross_attention_{op}(heads = {HEADS})"
            f.write(f"connect {a}{ks}.normed -> base{js} with {name}\n")
    print({k: round(float(v.abs().max()), 3) for k, v in gold.items()})
    print("size", sum(os.path.getsize(os.path.join(HERE, f)) for f in os.listdir(HERE)))


if __name__ == "__main__": main()
