"""The PyTorch side of tests/e2e/stories.sh: held-out loss before and after 200 AdamW steps of stories260k composed with a random model.

Run by `CALMC=build/calmc STCMP=build/stcmp sh tests/e2e/stories.sh --make-golden`, which leaves in DIR both models, the rows and the start
parameters (a calm run of one step at rate 0). Prints the two losses. Stops when the first loss is not the one calm computes."""
import json, sys
import torch, torch.nn.functional as F
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

dir, calm_first = sys.argv[1], float(sys.argv[2])
load = lambda d: AutoModelForCausalLM.from_pretrained(f"{dir}/{d}", dtype=torch.float32).eval().requires_grad_(False)
base, aug, tok = load("stories"), load("other"), PreTrainedTokenizerFast(tokenizer_file=f"{dir}/stories/tokenizer.json")
theta = {n: torch.nn.Parameter(t.clone()) for n, t in load_file(f"{dir}/start/last/theta.safetensors").items() if "->" in n}
BOS = 1


def rows(path):
    """A text row: beginning of text and the text, nothing cut; everything after the first token is predicted."""
    return [[BOS] + tok.encode(json.loads(l)["text"], add_special_tokens=False) for l in open(f"{dir}/{path}")]


taps = {}
def cross(b, a, name):
    w = lambda n: theta[name + "." + n]
    p, heads = a @ w("proj").T, w("wq").shape[0]
    part = lambda x, n: torch.einsum("btd,hed->bhte", x, w(n))
    y = F.scaled_dot_product_attention(part(b, "wq"), part(p, "wk"), part(p, "wv"), is_causal=True)
    return b + y.transpose(1, 2).flatten(2) @ w("wo").T


def first_of(out): return out[0] if isinstance(out, tuple) else out
def tap(i):
    def hook(mod, inp, out): taps[i] = first_of(out)
    return hook
def add(name, i):
    def hook(mod, inp, out):
        h = cross(first_of(out), taps[i], name)
        return (h,) + tuple(out[1:]) if isinstance(out, tuple) else h
    return hook


for name in sorted({n.rsplit(".", 1)[0] for n in theta}):
    source, sink = (int(end.rsplit(".", 1)[1]) for end in name.split("->"))
    aug.model.layers[source - 1].register_forward_hook(tap(source))
    base.model.layers[sink - 1].register_forward_hook(add(name, source))


def loss(batch):
    """Sum over the predicted tokens, and their number."""
    total, count = 0.0, 0
    for ids in batch:
        x = torch.tensor([ids])
        with torch.no_grad(): aug(x, use_cache=False)
        total = total + F.cross_entropy(base(x, use_cache=False).logits[0, :-1], x[0, 1:], reduction="sum")
        count += len(ids) - 1
    return total, count


def held_out(data):
    with torch.no_grad(): total, count = loss(data)
    return (total / count).item()


train, held = rows("train.jsonl"), rows("held.jsonl")
first = held_out(held)
if abs(first - calm_first) > 1e-4 * first: sys.exit(f"before any step: {first} here, {calm_first} in calm")
opt = torch.optim.AdamW(theta.values(), lr=1e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0)
for step in range(200):
    opt.zero_grad()
    total, count = loss([train[(8 * step + k) % len(train)] for k in range(8)])
    (total / count).backward()
    torch.nn.utils.clip_grad_norm_(theta.values(), 1.0)
    opt.step()
print(f"{first:.6f} {held_out(held):.6f}")
