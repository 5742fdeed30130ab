"""Makes tests/parity/fixture: two small random Llama-shaped models, a composition of them, and what Hugging Face transformers and PyTorch
compute for it (weights, hidden states, logits, gradients, ten AdamW steps). Run by hand; what it writes is committed, so tests need no Python.

Scaled so that every option that enters the arithmetic matters: weights about 1.5 / sqrt(fan_in), random norms and biases, eps 0.1, llama3 RoPE
scaling with original_max_position_embeddings 16, non-zero W_O. The composition's queries and keys are smaller, since its inputs are not normalised
and saturated attention would magnify rounding. Everything is computed in double, so that the goldens carry no rounding of their own."""
import json, os, sys
import torch, torch.nn as nn, torch.nn.functional as F
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixture")
VOCAB, HEADS, PAIRS = 97, 3, [(1, 2), (3, 4)]
ANCHOR = dict(hidden_size=48, intermediate_size=72, num_hidden_layers=4, num_attention_heads=6, num_key_value_heads=2, head_dim=10,
              tie_word_embeddings=False, attention_bias=True, mlp_bias=True, rms_norm_eps=0.1,
              rope_parameters=dict(rope_type="llama3", rope_theta=500.0, factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                   original_max_position_embeddings=16))
AUGMENT = dict(hidden_size=40, intermediate_size=56, num_hidden_layers=4, num_attention_heads=5, num_key_value_heads=5,
               tie_word_embeddings=True, attention_bias=False, mlp_bias=False, rms_norm_eps=0.2, rope_parameters=dict(rope_type="default", rope_theta=100.0))
ROWS, STEPS, LR, BETAS, DECAY, EPS, CLIP = [23, 9, 31, 17], 10, 2e-3, (0.9, 0.95), 0.1, 1e-8, 1.0


def make(cfg, seed):
    torch.manual_seed(seed)
    m = LlamaForCausalLM(LlamaConfig(vocab_size=VOCAB, max_position_embeddings=64, hidden_act="silu", bos_token_id=1, eos_token_id=2,
                                     pad_token_id=None, attn_implementation="eager", **cfg)).double().eval()
    with torch.no_grad():
        for name, p in m.named_parameters():
            if "norm" in name: p.copy_(1 + 0.3 * torch.randn_like(p))
            elif p.dim() == 1: p.copy_(0.3 * torch.randn_like(p))
            else: p.copy_(torch.randn_like(p) * 1.5 / (1 if "embed" in name else p.shape[1] ** 0.5))
            p.copy_(p.float())
    for p in m.parameters(): p.requires_grad_(False)
    return m


class Cross(nn.Module):
    """The paper's operator, section 3.2, causal."""
    def __init__(self, D, E, heads):
        super().__init__()
        r = lambda o, i, s: nn.Parameter((torch.randn(o, i) * s / i ** 0.5).double())
        self.heads, self.proj, self.wq, self.wk, self.wv, self.wo = heads, r(D, E, 1.0), r(D, D, 0.4), r(D, D, 0.4), r(D, D, 1.0), r(D, D, 1.5)
    def forward(self, b, a):
        T, D = b.shape[-2:]
        split = lambda x: x.view(-1, T, self.heads, D // self.heads).transpose(1, 2)
        p = a @ self.proj.T
        o = F.scaled_dot_product_attention(split(b @ self.wq.T), split(p @ self.wk.T), split(p @ self.wv.T), is_causal=True)
        return o.transpose(1, 2).reshape(-1, T, D) @ self.wo.T


def run(anchor, augment, cross, ids):
    """Logits and states after every block (additions included) of one sequence, before the final norm."""
    taps, states, hooks = {}, {}, []
    for k, layer in enumerate(augment.model.layers):
        hooks.append(layer.register_forward_hook(lambda m, i, o, k=k: taps.__setitem__(k + 1, o[0] if isinstance(o, tuple) else o)))
    def join(k):
        def f(m, i, o):
            x = o[0] if isinstance(o, tuple) else o
            for n, (s, d) in enumerate(PAIRS):
                if d == k: x = x + cross[n](x, taps[s])
            states[k] = x
            return (x,) + tuple(o[1:]) if isinstance(o, tuple) else x
        return f
    for k, layer in enumerate(anchor.model.layers): hooks.append(layer.register_forward_hook(join(k + 1)))
    with torch.no_grad(): augment.model(ids[None], use_cache=False)
    logits = anchor(ids[None], use_cache=False).logits[0]
    states[0] = anchor.model.embed_tokens(ids)[None]
    for h in hooks: h.remove()
    return logits, {k: v[0] for k, v in states.items()}, {k: v[0] for k, v in taps.items()}


def theta(cross):
    return {f"aug.{s}->base.{d}.{n}": (p.detach().reshape(HEADS, 48 // HEADS, 48) if n in ("wq", "wk", "wv") else p.detach()).float().clone().contiguous()
            for (s, d), c in zip(PAIRS, cross) for n, p in c.named_parameters()}


def grads(cross):
    return {f"aug.{s}->base.{d}.{n}": (p.grad.reshape(HEADS, 48 // HEADS, 48) if n in ("wq", "wk", "wv") else p.grad).float().clone().contiguous()
            for (s, d), c in zip(PAIRS, cross) for n, p in c.named_parameters()}


def main():
    os.makedirs(HERE, exist_ok=True)
    anchor, augment = make(ANCHOR, 1), make(AUGMENT, 2)
    for name, m in (("base", anchor), ("aug", augment)):
        m.float().save_pretrained(os.path.join(HERE, name))
        m.double()
    torch.manual_seed(3)
    cross = nn.ModuleList(Cross(48, 40, HEADS) for _ in PAIRS)
    g = torch.Generator().manual_seed(4)
    rows = [torch.randint(3, VOCAB, (n,), generator=g) for n in ROWS]
    labels = [torch.where(torch.rand(len(r), generator=g) < 0.6, r, -100) for r in rows]
    with open(os.path.join(HERE, "rows.jsonl"), "w") as f:
        for r, l in zip(rows, labels): f.write(json.dumps({"input_ids": r.tolist(), "labels": l.tolist()}) + "\n")
    save_file(theta(cross), os.path.join(HERE, "theta0.safetensors"))
    gold, total = {}, 0
    for i, (r, l) in enumerate(zip(rows, labels)):
        logits, states, taps = run(anchor, augment, cross, r)
        gold[f"{i}.logits"] = logits.detach().float()
        for k, v in states.items(): gold[f"{i}.hidden.base.{k}"] = v.detach().float()
        total = total + F.cross_entropy(logits[:-1], l[1:], ignore_index=-100, reduction="sum")
    total.backward()
    for k, v in grads(cross).items(): gold[f"grad.{k}"] = v
    save_file({k: v.contiguous() for k, v in gold.items()}, os.path.join(HERE, "golden.safetensors"))
    opt = torch.optim.AdamW(cross.parameters(), lr=LR, betas=BETAS, weight_decay=DECAY, eps=EPS)
    count, losses = sum(int((l[1:] != -100).sum()) for l in labels), []
    for _ in range(STEPS):
        opt.zero_grad()
        loss = sum(F.cross_entropy(run(anchor, augment, cross, r)[0][:-1], l[1:], ignore_index=-100, reduction="sum") for r, l in zip(rows, labels)) / count
        loss.backward()
        nn.utils.clip_grad_norm_(cross.parameters(), CLIP)
        opt.step()
        losses.append(float(loss))
    save_file(theta(cross), os.path.join(HERE, "theta10.safetensors"))
    json.dump(dict(losses=losses, torch=torch.__version__), open(os.path.join(HERE, "losses.json"), "w"), indent=1)
    with open(os.path.join(HERE, "spec.calm"), "w") as f:
        f.write('anchor  base = "base"\naugment aug  = "aug"\nconnect aug[1, 3] -> base[2, 4] with cross_attention(heads = 3)\n\n'
                f'train {{\n  data = "rows.jsonl"  steps = {STEPS}  batch = {len(ROWS)} rows  clip = {CLIP}  shuffle = 0\n'
                f'  optimizer = adamw(lr = {LR}, betas = ({BETAS[0]}, {BETAS[1]}), weight_decay = {DECAY}, eps = {EPS})\n  schedule = constant(warmup = 0)\n}}\n')
    print("size", sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(HERE) for f in fs))


if __name__ == "__main__": main()
