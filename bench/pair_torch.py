"""The PyTorch side of bench/real_pair: the same steps as examples/real_pair's composition, from the same start, on Hugging Face models. The ways
(ways.py):

  written   rows padded to the longest of a batch, with padding masks; causal-LM classes, logits everywhere; every position goes through the
            connections, and what sees nothing is masked away
  tuned     no padding mask (padding stands on the right, where the causal masks hide it); the augment without its head; connections only at rows that
            see something; the anchor's head at labelled positions only; fused AdamW
  packed and compiled: the same arithmetic through onednn.py and torch.compile

Rows come grouped by length, attention is scaled_dot_product_attention, and the augment has no gradients, whichever way. Reads DIR/pair.json (models,
connections, settings), DIR/theta.safetensors (the start, as `app train --steps 0` saves it) and DIR/{train,held}.safetensors (ids, labels and the
augment's visible tokens of every row, as `app score` writes them): only the arithmetic is done again. Prints one JSON line (peer.py)."""
import argparse, json, math, os
import torch, torch.nn as nn, torch.nn.functional as F
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM
from onednn import FrozenLinear, LiveLinear, pack
from peer import Trainer, answer, cannot
from ways import WAYS, Way

EPS = 1e-6                       # of the operator's usual() and unit() (dsl/std/calm.calm)


def usual(x): return x.detach().abs().add(EPS).log().mean(-1, keepdim=True).exp()


def even(x): return F.rms_norm(x * (x.square() + 25 * usual(x).square()).rsqrt(), (x.shape[-1],), eps=EPS)


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
        scale = 256 / D * usual(b)
        n, p = even(b), self.proj(a)
        o = F.scaled_dot_product_attention(split(self.wq(n)), split(self.wk(p)), split(self.wv(p)), attn_mask=see[:, None])
        return scale * self.wo(o.transpose(1, 2).reshape(B, C, D))


class Composed(nn.Module):
    def __init__(self, dir, pair, way):
        super().__init__()
        load = lambda d: AutoModelForCausalLM.from_pretrained(d, dtype=way.weights(), attn_implementation="sdpa").eval().requires_grad_(False)
        self.anchor, self.augment, self.tuned = load(pair["anchor"]), load(pair["augment"]), way.tuned
        if way.tuned: self.augment.lm_head = None
        if way.packed:
            pack(self.anchor.model, True), pack(self.augment.model, False)
            self.anchor.lm_head = FrozenLinear(self.anchor.lm_head, True)
        theta = load_file(os.path.join(dir, "theta.safetensors"))
        live = LiveLinear if way.packed else nn.Linear
        pairs, augment = pair["connections"], self.augment.model
        self.cross = nn.ModuleList(Cross(theta, f"{pair['name']}.{i}->{pair['anchor_name']}.{j}.", live) for i, j in pairs)
        if way.dtype == "bf16": self.cross.to(torch.bfloat16)
        self.taps = [None] * len(pairs)
        for k, (i, j) in enumerate(pairs):           # a tap is the state after block i, behind the next block's norm
            (augment.norm if i == len(augment.layers) else augment.layers[i].input_layernorm).register_forward_hook(self.tap(k))
            self.anchor.model.layers[j - 1].register_forward_hook(self.add(k))

    def tap(self, k):
        def hook(mod, inp, out): self.taps[k] = even(out)
        return hook

    def add(self, k):
        def hook(mod, inp, out):
            h = out[0] if isinstance(out, tuple) else out
            if self.rows is None: d = self.cross[k](h, self.taps[k], self.see)
            else: d = self.cross[k](h.flatten(0, 1)[self.rows], self.taps[k], self.see)
            if self.real is None: h = h + d
            elif not self.tuned: h = h + d * self.real[:, :, None]
            else: h = h.flatten(0, 1).index_add(0, self.rows.flatten()[self.real], d.flatten(0, 1)[self.real].to(h.dtype)).view(h.shape)
            return (h,) + tuple(out[1:]) if isinstance(out, tuple) else h
        return hook

    def forward(self, ids, other, labels, where, mask, see, rows, real):
        """The mean loss over the labelled tokens; the arguments are Batch's."""
        self.see, self.rows, self.real = see, rows, real
        with torch.no_grad(): (self.augment.model if self.tuned else self.augment)(other, attention_mask=mask, use_cache=False)
        if not self.tuned: return self.anchor(ids, attention_mask=where, labels=labels, use_cache=False).loss
        h = self.anchor.model(ids, use_cache=False).last_hidden_state
        return F.cross_entropy(self.anchor.lm_head(h.flatten(0, 1)[where]).float(), labels)


class Batch:
    """Rows padded on the right. What forward takes: ids [B, T] and the augment's, other [B, M];
      written   labels [B, T]; where [B, T] and mask [B, M], the padding masks; see [B, T, M], which of other a position sees; real [B, T], 1 where any
      tuned     labels of the positions `where`, of all rows laid end to end; where some rows have positions that see nothing: rows [B, C], the others,
                laid likewise and padded, see [B, C, M] of these, and real, which of [B x C] are no padding
    labelled and tokens count what is no padding."""
    def __init__(self, part, tuned):
        pad = lambda key, v, n: torch.stack([F.pad(r[key], (0, n - len(r[key])), value=v) for r in part])
        T, M = (max(len(r[key]) for r in part) for key in ("ids", "other"))
        ids, other, labels = pad("ids", 0, T), pad("other", 0, M), pad("labels", -100, T)
        following = F.pad(labels[:, 1:], (0, 1), value=-100).flatten()      # what a position is to predict
        where = torch.nonzero(following != -100)[:, 0]
        visible = pad("visible", -1, T)              # -1: padding
        self.tokens, self.labelled = sum(len(r["ids"]) for r in part), len(where)
        sees = lambda v: torch.arange(M)[None, None] < v.clamp(min=1)[:, :, None]
        length = lambda key, n: (torch.arange(n)[None] < torch.tensor([len(r[key]) for r in part])[:, None]).long()
        if not tuned: self.inputs = (ids, other, labels, length("ids", T), length("other", M), sees(visible), None, (visible > 0).long())
        elif not (visible == 0).any(): self.inputs = (ids, other, following[where], where, None, sees(visible), None, None)
        else:
            seen = [torch.nonzero(v > 0)[:, 0] for v in visible]
            C = max(len(s) for s in seen)
            real = torch.arange(C)[None] < torch.tensor([len(s) for s in seen])[:, None]
            at = torch.stack([F.pad(s, (0, C - len(s)), value=int(s[-1])) for s in seen])
            rows = at + torch.arange(len(part))[:, None] * T
            self.inputs = (ids, other, following[where], where, None, sees(visible.gather(1, at)), rows, torch.nonzero(real.flatten())[:, 0])


def read_rows(path, name):
    t = load_file(path)
    n = sum(k.endswith(".input_ids") for k in t)
    return [dict(ids=t[f"{r}.input_ids"], labels=t[f"{r}.labels"], other=t[f"{r}.input_ids.{name}"], visible=t[f"{r}.visible.{name}"]) for r in range(n)]


def learning_rate(pair, done):
    """Linear warm-up, then a cosine to a part of the first rate (runtime/work/settings.c)."""
    if done < pair["warmup"]: return pair["lr"] * (done + 1) / pair["warmup"]
    at = min(1, (done - pair["warmup"]) / max(1, pair["schedule_steps"] - pair["warmup"]))
    return pair["lr"] * (pair["floor"] + (1 - pair["floor"]) * 0.5 * (1 + math.cos(math.pi * at)))


def held_out(train, rows, size, tuned):
    rows = sorted(rows, key=lambda r: len(r["ids"]))
    total = count = 0
    with torch.no_grad():
        for k in range(0, len(rows), size):
            b = Batch(rows[k:k + size], tuned)
            total += train.loss(train.model, b.inputs).item() * b.labelled
            count += b.labelled
    return total / count


def run(a, pair, way):
    if why := cannot(way): return answer(cannot=why)
    read = lambda part: read_rows(os.path.join(a.dir, part + ".safetensors"), pair["name"])
    m, rows, held, size, out = Composed(a.dir, pair, way), read("train"), read("held"), pair["batch"], {}
    opt = torch.optim.AdamW(m.cross.parameters(), lr=pair["lr"], betas=tuple(pair["betas"]), weight_decay=0.0, eps=1e-8, fused=way.tuned)
    train = Trainer(m, opt, way, a.limit, pair["clip"])
    batches = [Batch([rows[i % len(rows)] for i in range(k * size, (k + 1) * size)], way.tuned) for k in range(a.steps)]
    if way.compiled: out["rehearsal"] = train.rehearse([b.inputs for b in batches])
    if a.held: out["held_before"] = held_out(train, held, size, way.tuned)
    for k, b in enumerate(batches):
        for g in opt.param_groups: g["lr"] = learning_rate(pair, k)
        if not train.step(b.inputs, b.tokens): break
    if a.held and len(train.log) == a.steps: out["held_after"] = held_out(train, held, size, way.tuned)
    answer(**out, log=train.log)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("dir")
    ap.add_argument("--way", choices=WAYS, required=True)
    ap.add_argument("--steps", type=int, required=True)
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--limit", type=float, default=float("inf"), help="seconds after which no further step is begun")
    ap.add_argument("--held", action="store_true", help="also the held-out loss before and after")
    a = ap.parse_args()
    torch.set_num_threads(a.threads)
    with open(os.path.join(a.dir, "pair.json")) as f: run(a, json.load(f), Way(a.way))


main()
