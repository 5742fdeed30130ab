"""The PyTorch side of bench/real_pair: the same steps as examples/real_pair's composition, from the same start, on Hugging Face models in f32.

  stock     rows grouped by length (they come so) and padded to the longest of a batch; no padding mask (padding stands on the right, where the causal
            masks hide it); the augment without its head, without gradients; connections only at rows that see something; the anchor's head at
            labelled positions only; scaled_dot_product_attention; fused AdamW
  onednn    the same with every matrix product through oneDNN, frozen weights packed beforehand, both ways (torch.nn.Linear in f32 is MKL, which is slow
            on AMD processors)

Reads DIR/pair.json (models, connections, settings), DIR/theta.safetensors (the start, as `app train --steps 0` saves it) and DIR/{train,held}.safetensors
(ids, labels and the augment's visible tokens of every row, as `app score` writes them): only the arithmetic is done again. Prints one JSON line."""
import argparse, json, math, os, time
import torch, torch.nn as nn, torch.nn.functional as F
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

EPS = 1e-6                       # of the operator's unit() and rms() (dsl/std/calm.calm)
onednn = torch.ops.mkldnn


def product(x, w):
    """x [n, i] times w [o, i] transposed, through oneDNN; w packed or not."""
    return onednn._linear_pointwise(x, w, None, "none", [], "")


class Frozen(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, wt):
        ctx.wt = wt
        return product(x, w)

    @staticmethod
    def backward(ctx, g): return product(g.contiguous(), ctx.wt), None, None


class Live(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return product(x, w)

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        g = g.contiguous()
        dx = product(g, w.t().contiguous()) if ctx.needs_input_grad[0] else None
        return dx, product(g.t().contiguous(), x.t().contiguous())


def flat(f, x, *w):
    y = f(x.reshape(-1, x.shape[-1]).contiguous(), *w)
    return y.view(*x.shape[:-1], y.shape[-1])


class FrozenLinear(nn.Module):
    """A frozen nn.Linear; with gradients it keeps its transpose packed too."""
    def __init__(self, lin, gradients):
        super().__init__()
        self.w = onednn._reorder_linear_weight(lin.weight.detach(), 1024)
        self.wt = onednn._reorder_linear_weight(lin.weight.detach().t().contiguous(), 1024) if gradients else None

    def forward(self, x): return flat(Frozen.apply, x, self.w, self.wt)


class LiveLinear(nn.Linear):
    def forward(self, x): return flat(Live.apply, x, self.weight)


def pack(module, gradients):
    for name, child in module.named_children():
        if isinstance(child, nn.Linear): setattr(module, name, FrozenLinear(child, gradients))
        else: pack(child, gradients)


def unit(x): return F.rms_norm(x, (x.shape[-1],), eps=EPS)


class Cross(nn.Module):
    """cross_attention_scaled: what is to be added to b [B, C, D], reading a [B, M, E]; see [B, C, M] says which rows of a."""
    def __init__(self, theta, name, live):
        super().__init__()
        self.heads = theta[name + "wq"].shape[0]
        for n in ("proj", "wq", "wk", "wv", "wo"):
            w = theta[name + n].flatten(0, -2)
            lin = live(w.shape[1], w.shape[0], bias=False)
            lin.weight = nn.Parameter(w.clone())
            setattr(self, n, lin)

    def forward(self, b, a, see):
        B, C, D = b.shape
        split = lambda x: x.view(B, -1, self.heads, D // self.heads).transpose(1, 2)
        scale = b.detach().square().mean(-1, keepdim=True).add(EPS).sqrt()
        n, p = unit(b), self.proj(a)
        o = F.scaled_dot_product_attention(split(self.wq(n)), split(self.wk(p)), split(self.wv(p)), attn_mask=see[:, None])
        return scale * self.wo(o.transpose(1, 2).reshape(B, C, D))


class Composed(nn.Module):
    def __init__(self, dir, pair, way):
        super().__init__()
        load = lambda d: AutoModelForCausalLM.from_pretrained(d, dtype=torch.float32, attn_implementation="sdpa").eval().requires_grad_(False)
        anchor, augment = load(pair["anchor"]), load(pair["augment"]).model
        self.anchor, self.head, self.augment = anchor.model, anchor.lm_head, augment
        if way == "onednn":
            pack(self.anchor, True), pack(self.augment, False)
            self.head = FrozenLinear(self.head, True)
        theta = load_file(os.path.join(dir, "theta.safetensors"))
        live = LiveLinear if way == "onednn" else nn.Linear
        pairs, N = pair["connections"], len(augment.layers)
        self.cross = nn.ModuleList(Cross(theta, f"{pair['name']}.{i}->{pair['anchor_name']}.{j}.", live) for i, j in pairs)
        self.taps = [None] * len(pairs)
        for k, (i, j) in enumerate(pairs):           # a tap is the state after block i, behind the next block's norm
            (augment.norm if i == N else augment.layers[i].input_layernorm).register_forward_hook(self.tap(k))
            self.anchor.layers[j - 1].register_forward_hook(self.add(k))

    def tap(self, k):
        def hook(mod, inp, out): self.taps[k] = unit(out)
        return hook

    def add(self, k):
        def hook(mod, inp, out):
            h = out[0] if isinstance(out, tuple) else out
            b, at = self.batch, h.shape
            if b.rows is None: h = h + self.cross[k](h, self.taps[k], b.see)
            else:                                    # the rows that see something, padded to [B, C]
                flat = h.reshape(-1, at[-1])
                d = self.cross[k](flat[b.rows], self.taps[k], b.see)
                h = flat.index_add(0, b.rows[b.real], d[b.real]).view(at)
            return (h,) + tuple(out[1:]) if isinstance(out, tuple) else h
        return hook

    def forward(self, b):
        """The mean loss over the labelled tokens of a batch, and their number."""
        self.batch = b
        with torch.no_grad(): self.augment(b.other, use_cache=False)
        h = self.anchor(b.ids, use_cache=False).last_hidden_state
        return F.cross_entropy(self.head(h[:, :-1][b.keep]), b.labels)


class Batch:
    def __init__(self, rows):
        pad = lambda key, v, n: torch.stack([F.pad(r[key], (0, n - len(r[key])), value=v) for r in rows])
        T, M = (max(len(r[key]) for r in rows) for key in ("ids", "other"))
        self.tokens = sum(len(r["ids"]) for r in rows)
        self.ids, self.other = pad("ids", 0, T), pad("other", 0, M)
        y = pad("labels", -100, T)[:, 1:]
        self.keep = y != -100
        self.labels = y[self.keep]
        visible = pad("visible", -1, T)              # -1: padding
        self.rows = None
        if (visible == 0).any():
            seen = [torch.nonzero(v > 0)[:, 0] for v in visible]
            C = max(len(s) for s in seen)
            self.real = torch.arange(C)[None] < torch.tensor([len(s) for s in seen])[:, None]
            at = torch.stack([F.pad(s, (0, C - len(s)), value=int(s[-1])) for s in seen])
            self.rows = at + torch.arange(len(rows))[:, None] * T
            visible = visible.gather(1, at)
        self.see = torch.arange(M)[None, None] < visible.clamp(min=1)[:, :, None]


def read_rows(path, name):
    t = load_file(path)
    n = sum(k.endswith(".input_ids") for k in t)
    return [dict(ids=t[f"{r}.input_ids"], labels=t[f"{r}.labels"], other=t[f"{r}.input_ids.{name}"], visible=t[f"{r}.visible.{name}"]) for r in range(n)]


def learning_rate(pair, done):
    """Linear warm-up, then a cosine to a part of the first rate (runtime/settings.c)."""
    if done < pair["warmup"]: return pair["lr"] * (done + 1) / pair["warmup"]
    at = min(1, (done - pair["warmup"]) / max(1, pair["schedule_steps"] - pair["warmup"]))
    return pair["lr"] * (pair["floor"] + (1 - pair["floor"]) * 0.5 * (1 + math.cos(math.pi * at)))


def held_out(m, rows, size):
    rows = sorted(rows, key=lambda r: len(r["ids"]))
    total = count = 0
    with torch.no_grad():
        for k in range(0, len(rows), size):
            b = Batch(rows[k:k + size])
            total += m(b).item() * len(b.labels)
            count += len(b.labels)
    return total / count


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("dir")
    ap.add_argument("--way", choices=["stock", "onednn"], default="stock")
    ap.add_argument("--steps", type=int, required=True)
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--no-held", action="store_true", help="only train")
    a = ap.parse_args()
    torch.set_num_threads(a.threads)
    pair = json.load(open(os.path.join(a.dir, "pair.json")))
    read = lambda part: read_rows(os.path.join(a.dir, part + ".safetensors"), pair["name"])
    m, train, held = Composed(a.dir, pair, a.way), read("train"), read("held")
    opt = torch.optim.AdamW(m.cross.parameters(), lr=pair["lr"], betas=tuple(pair["betas"]), weight_decay=0.0, eps=1e-8, fused=True)
    size, log, out = pair["batch"], [], {}
    if not a.no_held: out["held_before"] = held_out(m, held, size)
    for k in range(a.steps):
        b = Batch([train[i % len(train)] for i in range(k * size, (k + 1) * size)])
        start = time.perf_counter()
        for g in opt.param_groups: g["lr"] = learning_rate(pair, k)
        opt.zero_grad(set_to_none=True)
        loss = m(b)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(m.cross.parameters(), pair["clip"])
        opt.step()
        log.append(dict(loss=loss.item(), tokens=b.tokens, seconds=time.perf_counter() - start))
    if not a.no_held: out["held_after"] = held_out(m, held, size)
    print(json.dumps(dict(out, log=log, torch=torch.__version__)), flush=True)


main()
