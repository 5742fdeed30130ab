"""The PyTorch side of bench/train_step: the composition a user would write today, on Hugging Face models with forward hooks. The ways (ways.py):

  written   rows in the order of the file, padded to the longest of each batch; causal-LM classes, logits everywhere
  tuned     rows grouped by length; the augmenting model without its head, run without gradients only up to its last tap; the anchor's head at
            labelled positions only; no padding mask (padding stands on the right, where a causal mask already hides it); fused AdamW
  packed and compiled: the same arithmetic through onednn.py and torch.compile

`prepare` makes a shape's two random models, its rows and start parameters; `run` trains on them and prints one JSON line (peer.py). Used by
train_step.py, which keeps torch out of its own process."""
import argparse, json, os
import torch, torch.nn as nn, torch.nn.functional as F
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM
from onednn import FrozenLinear, LiveLinear, pack
from peer import Trainer, answer, cannot
from ways import WAYS, Way

ROPE_BASE = 1000.0                      # of the experiment's operator (examples/kv_arithmetic/join.calm)
STATES, SUCCESSORS = 64, 4              # of a chain's rows


def prepare(dir, shape):
    """Models scaled so that every part shows in the loss: fan-in weights, norms beside 1, a non-zero output projection. Stored in bf16, the start
    parameters rounded to it, so that every way begins with the same numbers."""
    for i, role in enumerate(("anchor", "augment")):
        torch.manual_seed(i)
        s = shape[role]
        m = LlamaForCausalLM(LlamaConfig(vocab_size=shape["vocab"], hidden_size=s["width"], intermediate_size=s["ff"], num_hidden_layers=s["layers"],
                                         num_attention_heads=s["heads"], num_key_value_heads=s.get("kv_heads", s["heads"]), max_position_embeddings=1024, rms_norm_eps=1e-6,
                                         tie_word_embeddings=shape["tied"], bos_token_id=0, eos_token_id=1, pad_token_id=None)).eval()
        with torch.no_grad():
            for name, p in m.named_parameters():
                p.copy_(1 + 0.1 * torch.randn_like(p) if p.dim() == 1 else torch.randn_like(p) / p.shape[1] ** 0.5)
        m.to(torch.bfloat16).save_pretrained(os.path.join(dir, role))
    gen = torch.Generator().manual_seed(2)
    tokens = chain(shape["vocab"], gen) if shape.get("chain") else lambda n: torch.randint(3, shape["vocab"], (n,), generator=gen).tolist()
    with open(os.path.join(dir, "rows.jsonl"), "w") as f:
        for _ in range(shape["rows"]):
            n = int(torch.randint(shape["shortest"], shape["longest"] + 1, (1,), generator=gen))
            ids = tokens(n)
            first = int(n * (1 - shape["labelled"]))
            f.write(json.dumps({"input_ids": ids, "labels": [-100] * first + ids[first:]}) + "\n")
    D, E, H = shape["anchor"]["width"], shape["augment"]["width"], shape["cross_heads"]
    sizes = dict(proj=(D, E), wq=(H, D // H, D), wk=(H, D // H, D), wv=(H, D // H, D), wo=(D, D))
    rounded = lambda s: (torch.randn(s, generator=gen) * 0.5 / s[-1] ** 0.5).bfloat16().float()
    save_file({f"augment.{i}->anchor.{j}.{n}": rounded(s) for i, j in shape["pairs"] for n, s in sizes.items()}, os.path.join(dir, "theta.safetensors"))


def chain(vocab, gen):
    """Makes rows of which something can be learned though none comes twice: walks over STATES tokens, each of which one of SUCCESSORS follows, at shares
    that halve from one to the next."""
    pick = lambda n, most: torch.randperm(most, generator=gen)[:n]
    state = (3 + pick(STATES, vocab - 3)).tolist()
    following = [pick(SUCCESSORS, len(state)).tolist() for _ in state]
    share = 0.5 ** torch.arange(SUCCESSORS)

    def walk(n):
        at, out = int(pick(1, len(state))), []
        for k in torch.multinomial(share, n, replacement=True, generator=gen).tolist():
            out.append(state[at])
            at = following[at][k]
        return out
    return walk


class Cross(nn.Module):
    """The paper's operator (section 3.2); with `join`, the experiment's: inputs RMS-normalised, queries and keys rotated."""
    def __init__(self, theta, name, join, linear):
        super().__init__()
        self.heads, self.join = theta[name + "wq"].shape[0], join
        for n in ("proj", "wq", "wk", "wv", "wo"):
            w = theta[name + n].flatten(0, -2)
            lin = linear(w.shape[1], w.shape[0], bias=False)
            lin.weight = nn.Parameter(w.clone())
            setattr(self, n, lin)

    def unit(self, x): return F.rms_norm(x, (x.shape[-1],), eps=1e-6) if self.join else x

    def rotate(self, x):
        if not self.join: return x
        T, d = x.shape[-2:]
        angle = torch.arange(T, device=x.device)[:, None] * ROPE_BASE ** (-torch.arange(0, d, 2, device=x.device) / d)
        angle = torch.cat((angle, angle), -1)
        a, b = x.chunk(2, -1)
        return x * angle.cos().to(x.dtype) + torch.cat((-b, a), -1) * angle.sin().to(x.dtype)

    def forward(self, b, a):
        B, T, D = b.shape
        split = lambda x: x.view(B, T, self.heads, D // self.heads).transpose(1, 2)
        p, n = self.proj(self.unit(a)), self.unit(b)
        c = F.scaled_dot_product_attention(self.rotate(split(self.wq(n))), self.rotate(split(self.wk(p))), split(self.wv(p)), is_causal=True)
        return b + self.wo(c.transpose(1, 2).reshape(B, T, D))


class Composed(nn.Module):
    def __init__(self, dir, shape, way):
        super().__init__()
        load = lambda role: AutoModelForCausalLM.from_pretrained(os.path.join(dir, role), dtype=way.weights(), attn_implementation="sdpa").eval().requires_grad_(False)
        self.anchor, self.augment, self.tuned = load("anchor"), load("augment"), way.tuned
        if way.packed:
            pack(self.anchor.model, True), pack(self.augment.model, False)
            self.anchor.lm_head = FrozenLinear(self.anchor.lm_head, True)
        theta = load_file(os.path.join(dir, "theta.safetensors"))
        linear = LiveLinear if way.packed else nn.Linear
        self.cross = nn.ModuleList(Cross(theta, f"augment.{i}->anchor.{j}.", shape["join"], linear) for i, j in shape["pairs"])
        if way.dtype == "bf16": self.cross.to(torch.bfloat16)
        self.taps = [None] * len(shape["pairs"])
        if way.tuned: del self.augment.model.layers[max(i for i, _ in shape["pairs"]):]
        for k, (i, j) in enumerate(shape["pairs"]):
            self.augment.model.layers[i - 1].register_forward_hook(self.tap(k))
            self.anchor.model.layers[j - 1].register_forward_hook(self.add(k))

    def tap(self, k):
        def hook(mod, inp, out): self.taps[k] = out[0] if isinstance(out, tuple) else out
        return hook

    def add(self, k):
        def hook(mod, inp, out):
            if isinstance(out, tuple): return (self.cross[k](out[0], self.taps[k]),) + tuple(out[1:])
            return self.cross[k](out, self.taps[k])
        return hook

    def forward(self, ids, labels, where):
        """labels of every position and the padding mask; or, tuned, those of the positions `where`, of all rows laid end to end."""
        with torch.no_grad(): (self.augment.model if self.tuned else self.augment)(ids, attention_mask=None if self.tuned else where, use_cache=False)
        if not self.tuned: return self.anchor(ids, attention_mask=where, labels=labels, use_cache=False).loss
        h = self.anchor.model(ids, use_cache=False).last_hidden_state
        return F.cross_entropy(self.anchor.lm_head(h.flatten(0, 1)[where]).float(), labels)


def batches(dir, shape, tuned, sort):
    """(what forward takes, real tokens) of every batch of an epoch."""
    rows = [json.loads(l) for l in open(os.path.join(dir, "rows.jsonl"))]
    if sort: rows.sort(key=lambda r: len(r["input_ids"]))
    for k in range(0, len(rows), shape["batch"]):
        part = rows[k:k + shape["batch"]]
        T, tokens = max(len(r["input_ids"]) for r in part), sum(len(r["input_ids"]) for r in part)
        pad = lambda key, v: torch.tensor([r[key] + [v] * (T - len(r[key])) for r in part])
        ids, labels = pad("input_ids", 0), pad("labels", -100)
        if not tuned:
            yield (ids, labels, torch.tensor([[1] * len(r["input_ids"]) + [0] * (T - len(r["input_ids"])) for r in part])), tokens
            continue
        following = F.pad(labels[:, 1:], (0, 1), value=-100).flatten()      # what a position is to predict
        where = torch.nonzero(following != -100)[:, 0]
        yield (ids, following[where], where), tokens


def run(a, shape):
    """One epoch after another."""
    way = Way(a.way)
    if why := cannot(way): return answer(cannot=why)
    data = list(batches(a.dir, shape, way.tuned, way.tuned and not a.as_filed))
    m = Composed(a.dir, shape, way)
    opt = torch.optim.AdamW(m.cross.parameters(), lr=shape["lr"], betas=(0.9, 0.95), weight_decay=0.0, eps=1e-8, fused=way.tuned)
    train = Trainer(m, opt, way, a.limit)
    for k in range(a.steps):
        if not train.step(*data[k % len(data)]): break
    answer(log=train.log)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("do", choices=["prepare", "run"])
    ap.add_argument("dir")
    ap.add_argument("--way", choices=WAYS)
    ap.add_argument("--steps", type=int)
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--limit", type=float, default=float("inf"), help="seconds after which no further step is begun")
    ap.add_argument("--as-filed", action="store_true", help="batches as they stand in the file, for every way")
    a = ap.parse_args()
    torch.set_num_threads(a.threads)
    with open(os.path.join(a.dir, "shape.json")) as f: shape = json.load(f)
    if a.do == "prepare": prepare(a.dir, shape)
    else: run(a, shape)


main()
