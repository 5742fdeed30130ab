"""The PyTorch side of bench/train_step: the composition a user would write today, on Hugging Face models with forward hooks.

  written   rows in the order of the file, padded to the longest of each batch; causal-LM classes, logits everywhere
  tuned     rows grouped by length; the augmenting model without its head, run without gradients only up to its last tap; the anchor's head at
            labelled positions only; no padding mask (padding stands on the right, where a causal mask already hides it)

`prepare` makes a shape's two random models, its rows and start parameters; `run` trains on them and prints one JSON line; `losses` prints
the first batch's loss of each way. Used by train_step.py, which keeps torch out of its own process."""
import argparse, json, os, time
import torch, torch.nn as nn, torch.nn.functional as F
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

ROPE_BASE = 1000.0                      # of the experiment's operator (examples/kv_arithmetic/join.calm)


def prepare(dir, shape):
    """Models scaled so that every part shows in the loss: fan-in weights, norms beside 1, a non-zero output projection."""
    for i, role in enumerate(("anchor", "augment")):
        torch.manual_seed(i)
        s = shape[role]
        m = LlamaForCausalLM(LlamaConfig(vocab_size=shape["vocab"], hidden_size=s["width"], intermediate_size=s["ff"], num_hidden_layers=s["layers"],
                                         num_attention_heads=s["heads"], num_key_value_heads=s["heads"], max_position_embeddings=1024, rms_norm_eps=1e-6,
                                         tie_word_embeddings=shape["tied"], bos_token_id=0, eos_token_id=1, pad_token_id=None)).eval()
        with torch.no_grad():
            for name, p in m.named_parameters():
                p.copy_(1 + 0.1 * torch.randn_like(p) if p.dim() == 1 else torch.randn_like(p) / p.shape[1] ** 0.5)
        m.save_pretrained(os.path.join(dir, role))
    gen = torch.Generator().manual_seed(2)
    with open(os.path.join(dir, "rows.jsonl"), "w") as f:
        for _ in range(shape["rows"]):
            n = int(torch.randint(shape["shortest"], shape["longest"] + 1, (1,), generator=gen))
            ids = torch.randint(3, shape["vocab"], (n,), generator=gen).tolist()
            first = int(n * (1 - shape["labelled"]))
            f.write(json.dumps({"input_ids": ids, "labels": [-100] * first + ids[first:]}) + "\n")
    D, E, H = shape["anchor"]["width"], shape["augment"]["width"], shape["cross_heads"]
    sizes = dict(proj=(D, E), wq=(H, D // H, D), wk=(H, D // H, D), wv=(H, D // H, D), wo=(D, D))
    theta = {f"augment.{i}->anchor.{j}.{n}": torch.randn(s, generator=gen) * 0.5 / s[-1] ** 0.5 for i, j in shape["pairs"] for n, s in sizes.items()}
    save_file(theta, os.path.join(dir, "theta.safetensors"))


class Cross(nn.Module):
    """The paper's operator (section 3.2); with `join`, the experiment's: inputs RMS-normalised, queries and keys rotated."""
    def __init__(self, theta, name, join):
        super().__init__()
        self.heads, self.join = theta[name + "wq"].shape[0], join
        for n in ("proj", "wq", "wk", "wv", "wo"):
            w = theta[name + n].flatten(0, -2)
            lin = nn.Linear(w.shape[1], w.shape[0], bias=False)
            lin.weight = nn.Parameter(w.clone())
            setattr(self, n, lin)

    def unit(self, x): return F.rms_norm(x, (x.shape[-1],), eps=1e-6) if self.join else x

    def rotate(self, x):
        if not self.join: return x
        T, d = x.shape[-2:]
        angle = torch.arange(T, device=x.device)[:, None] * ROPE_BASE ** (-torch.arange(0, d, 2, device=x.device) / d)
        angle = torch.cat((angle, angle), -1)
        a, b = x.chunk(2, -1)
        return x * angle.cos() + torch.cat((-b, a), -1) * angle.sin()

    def forward(self, b, a):
        B, T, D = b.shape
        split = lambda x: x.view(B, T, self.heads, D // self.heads).transpose(1, 2)
        p, n = self.proj(self.unit(a)), self.unit(b)
        c = F.scaled_dot_product_attention(self.rotate(split(self.wq(n))), self.rotate(split(self.wk(p))), split(self.wv(p)), is_causal=True)
        return b + self.wo(c.transpose(1, 2).reshape(B, T, D))


class Composed(nn.Module):
    def __init__(self, dir, shape, tuned):
        super().__init__()
        load = lambda role: AutoModelForCausalLM.from_pretrained(os.path.join(dir, role), dtype=torch.float32, attn_implementation="sdpa").eval().requires_grad_(False)
        self.anchor, self.augment, self.tuned = load("anchor"), load("augment"), tuned
        theta = load_file(os.path.join(dir, "theta.safetensors"))
        self.cross = nn.ModuleList(Cross(theta, f"augment.{i}->anchor.{j}.", shape["join"]) for i, j in shape["pairs"])
        self.taps = [None] * len(shape["pairs"])
        if tuned: del self.augment.model.layers[max(i for i, _ in shape["pairs"]):]
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

    def forward(self, ids, labels, mask):
        with torch.no_grad(): (self.augment.model if self.tuned else self.augment)(ids, attention_mask=mask, use_cache=False)
        if not self.tuned: return self.anchor(ids, attention_mask=mask, labels=labels, use_cache=False).loss
        h = self.anchor.model(ids, attention_mask=mask, use_cache=False).last_hidden_state
        y = labels[:, 1:]
        keep = y != -100
        return F.cross_entropy(self.anchor.lm_head(h[:, :-1][keep]), y[keep])


def batches(dir, shape, tuned):
    """(ids, labels, mask, real tokens) of every batch of an epoch."""
    rows = [json.loads(l) for l in open(os.path.join(dir, "rows.jsonl"))]
    if tuned: rows.sort(key=lambda r: len(r["input_ids"]))
    for k in range(0, len(rows), shape["batch"]):
        part = rows[k:k + shape["batch"]]
        T = max(len(r["input_ids"]) for r in part)
        pad = lambda key, v: torch.tensor([r[key] + [v] * (T - len(r[key])) for r in part])
        mask = None if tuned else torch.tensor([[1] * len(r["input_ids"]) + [0] * (T - len(r["input_ids"])) for r in part])
        yield pad("input_ids", 0), pad("labels", -100), mask, sum(len(r["input_ids"]) for r in part)


def run(dir, shape, way, warm, steps):
    """One epoch after another: `warm` steps, then `steps` timed ones."""
    tuned = way == "tuned"
    m, data = Composed(dir, shape, tuned), list(batches(dir, shape, tuned))
    opt = torch.optim.AdamW(m.cross.parameters(), lr=shape["lr"], betas=(0.9, 0.95), weight_decay=0.0, eps=1e-8)
    log = []
    for k in range(warm + steps):
        ids, labels, mask, tokens = data[k % len(data)]
        start = time.perf_counter()
        opt.zero_grad(set_to_none=True)
        loss = m(ids, labels, mask)
        loss.backward()
        opt.step()
        loss = loss.item()
        log.append(dict(loss=loss, tokens=tokens, seconds=time.perf_counter() - start))
    print(json.dumps(dict(log=log, torch=torch.__version__)), flush=True)


def losses(dir, shape):
    """Both ways on the first batch as written, before any step: the ways must mean the same."""
    ids, labels, mask, _ = next(batches(dir, shape, False))
    with torch.no_grad(): print(json.dumps({w: Composed(dir, shape, w == "tuned")(ids, labels, None if w == "tuned" else mask).item() for w in ("written", "tuned")}))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("do", choices=["prepare", "run", "losses"])
    ap.add_argument("dir")
    ap.add_argument("--way", default="written")
    ap.add_argument("--warm", type=int, default=1)
    ap.add_argument("--steps", type=int, default=1)
    ap.add_argument("--threads", type=int, default=2)
    a = ap.parse_args()
    torch.set_num_threads(a.threads)
    shape = json.load(open(os.path.join(a.dir, "shape.json")))
    if a.do == "prepare": prepare(a.dir, shape)
    elif a.do == "losses": losses(a.dir, shape)
    else: run(a.dir, shape, a.way, a.warm, a.steps)


main()
