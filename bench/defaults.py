"""Trains compositions at the default learning rate, without warm-up, and prints the held-out loss before, at its worst and at the end, and the worst loss of a
step over what it was untrained: the four ordered pairs of SmolLM2-135M-Instruct and Gemma-3-270M, joined at six layers, on short Swahili to English rows; and
made models of several widths, whose states grow over four blocks as those two's do, on a made language."""
import argparse, csv, json, os, random, subprocess, sys, tempfile
import torch
from safetensors.torch import save_file
from side import processor

HERE = os.path.dirname(os.path.abspath(__file__))
REAL = {"SmolLM2": "smollm2-135m", "Gemma 3": "gemma3-270m"}
VOCAB, BLOCKS, HEAD = 512, 4, 32
# Root mean square of a state after 0, 1, … blocks, of four dimensions that are alike for every token and of the others: measured at a quarter of the depth each.
GROWTH = {"SmolLM2": ([0.0, 3.1, 5.9, 15.4, 28.0], [0.09, 1.7, 2.2, 6.5, 11.0]), "Gemma 3": ([0.0, 39.0, 95.0, 400.0, 1280.0], [0.8, 1.5, 6.0, 60.0, 240.0])}


def made(dir, like, width, seed):
    """A Llama of random weights whose states grow as those of `like`."""
    r = torch.Generator().manual_seed(seed)
    huge, rest = GROWTH[like]
    four, sign, inner = torch.randperm(width, generator=r)[:4], torch.tensor([1.0, -1.0, 1.0, -1.0]), 2 * width
    normal = lambda out, into, size=1.0: torch.randn(out, into, generator=r) * size / into ** 0.5
    def gain(k):                     # of a norm: the four as large as the others, as trained norms have them
        g = torch.full((width,), max(huge[k], rest[k]) / rest[k])
        g[four] = 1.0
        return g
    w = {"model.embed_tokens.weight": torch.randn(VOCAB, width, generator=r) * rest[0], "lm_head.weight": normal(VOCAB, width), "model.norm.weight": gain(BLOCKS)}
    for k in range(BLOCKS):
        p, add = f"model.layers.{k}.", (rest[k + 1] ** 2 - rest[k] ** 2) ** 0.5
        for n in ("input_layernorm", "post_attention_layernorm"): w[p + n + ".weight"] = gain(k)
        for n in ("q", "k", "v"): w[p + f"self_attn.{n}_proj.weight"] = normal(width, width)
        w[p + "self_attn.o_proj.weight"] = normal(width, width, 0.3 * rest[k])
        for n in ("gate", "up"): w[p + f"mlp.{n}_proj.weight"], w[p + f"mlp.{n}_proj.bias"] = normal(inner, width), torch.zeros(inner)
        x = torch.randn(64, width, generator=r) * rest[k]
        x[:, four] = sign * huge[k] * (width / 4) ** 0.5
        x = torch.nn.functional.rms_norm(x, (width,), gain(k))
        x = torch.nn.functional.silu(x @ w[p + "mlp.gate_proj.weight"].T) * (x @ w[p + "mlp.up_proj.weight"].T)
        down, bias = normal(width, inner), torch.zeros(width)
        w[p + "mlp.down_proj.weight"] = down * add / (x @ down.T).square().mean().sqrt()
        bias[four] = sign * (huge[k + 1] - huge[k]) * (width / 4) ** 0.5
        w[p + "mlp.down_proj.bias"] = bias
    os.makedirs(dir)
    save_file({k: v.bfloat16().contiguous() for k, v in w.items()}, os.path.join(dir, "model.safetensors"))
    config = dict(architectures=["LlamaForCausalLM"], model_type="llama", hidden_size=width, intermediate_size=inner, num_hidden_layers=BLOCKS,
                  num_attention_heads=width // HEAD, num_key_value_heads=width // HEAD, head_dim=HEAD, vocab_size=VOCAB, max_position_embeddings=512,
                  rms_norm_eps=1e-6, rope_theta=10000.0, hidden_act="silu", tie_word_embeddings=False, mlp_bias=True, bos_token_id=1, eos_token_id=2)
    with open(os.path.join(dir, "config.json"), "w") as f: json.dump(config, f)
    return dir


def write(path, rows):
    with open(path, "w") as f: f.writelines(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)


def made_rows(dir, n, held):
    """A language in which every token has four successors."""
    r = random.Random(1)
    after = [[r.randrange(3, VOCAB) for _ in range(4)] for _ in range(VOCAB)]
    def row():
        t = [r.randrange(3, VOCAB)]
        while len(t) < 48: t.append(r.choices(after[t[-1]], (8, 4, 2, 1))[0])
        return dict(input_ids=t, labels=t)
    write(f"{dir}/train.jsonl", [row() for _ in range(n)])
    write(f"{dir}/held.jsonl", [row() for _ in range(held)])


def real_rows(source, dir, n, held):
    r = random.Random(1)
    for part, name, count in (("train", "train", n), ("dev", "held", held)):
        both = [[l.strip() for l in open(f"{source}/{part}.{lang}", encoding="utf-8-sig").read().split("\n")] for lang in ("swa", "en")]
        pairs = [p for p in zip(*both) if all(20 <= len(s) <= 75 for s in p)]
        r.shuffle(pairs)
        write(f"{dir}/{name}.jsonl", [dict(prompt=f"Swahili: {a}\nEnglish:", completion=" " + b) for a, b in pairs[:count]])


def losses(app, dir, *options):
    subprocess.run([app, "train", "--out", f"{dir}/run", "--overwrite", *options], check=True, stdout=subprocess.DEVNULL, stderr=open(f"{dir}/said", "w"))
    with open(f"{dir}/run/log.csv") as f: return list(csv.DictReader(f))


def main():
    ap = argparse.ArgumentParser(prog="defaults", description="held-out loss of compositions trained at the default rate, without warm-up")
    ap.add_argument("--calmc", required=True, help=argparse.SUPPRESS)
    ap.add_argument("--only", help="cases whose names have this in them: 'Gemma 3 reads', 'width 64,'")
    ap.add_argument("--steps", type=int, default=40)
    ap.add_argument("--batch", type=int, default=8, help="rows of a step (8)")
    ap.add_argument("--held", type=int, default=32, help="held-out rows (32)")
    ap.add_argument("--lr", help="a rate other than the default")
    ap.add_argument("--op", default="cross_attention_scaled", help="takes heads, or is a whole call: 'joint_feed_forward(width = 832)'")
    ap.add_argument("--connections", type=int, default=6, help="of a pair (6)")
    ap.add_argument("--widths", default="64,256,768,2048", help="of made models")
    o = ap.parse_args()
    o.calmc = os.path.abspath(o.calmc)
    tmp = tempfile.TemporaryDirectory(prefix="calm-defaults-")
    root, cases = tmp.name, []
    wanted = lambda name: not o.only or o.only in name
    if any(wanted(f"{b} reads {a}") for b in REAL for a in REAL):
        models = os.environ.get("CALM_REAL", os.path.expanduser("~/.cache/calm-real"))
        os.makedirs(f"{root}/real")
        real_rows(os.path.join(HERE, "../../shared/data/translation/lafand-en-swa"), f"{root}/real", o.steps * o.batch, o.held)
        for b in REAL:
            for a in REAL:
                layers = {"SmolLM2": 30, "Gemma 3": 18}
                pick = lambda m: [layers[m] * (i + 1) // o.connections for i in range(o.connections)]
                cases.append((f"{b} reads {a}", f"{models}/{REAL[b]}", f"{models}/{REAL[a]}", pick(b), pick(a), 9 if b == "SmolLM2" else 10, "real"))
    if not o.only or "width" in o.only:
        os.makedirs(f"{root}/made")
        made_rows(f"{root}/made", o.steps * o.batch, o.held)
        for width in map(int, o.widths.split(",")):
            if not wanted(f"width {width}, as"): continue
            both = {m: made(f"{root}/{m[0]}{width}", m, width, i) for i, m in enumerate(GROWTH)}
            for b, a in (("SmolLM2", "Gemma 3"), ("Gemma 3", "SmolLM2")):
                cases.append((f"width {width}, as {b} reads {a}", both[b], both[a], [1, 2, 3, 4], [1, 2, 3, 4], width // HEAD, "made"))
    print(f"{processor()}; {o.op}, rate {o.lr or 'the default'}, no warm-up, {o.steps} steps of {o.batch} rows")
    print(f"{'':40} {'before':>7} {'worst':>7} {'last':>7}   worst of a step, over untrained")
    for name, base, aug, to, of, heads, rows in cases:
        if not wanted(name): continue
        dir = f"{root}/{rows}"
        with open(f"{dir}/spec.calm", "w") as f: f.write(f'anchor base = "{base}"\naugment aug = "{aug}"\nconnect aug{of} -> base{to} with {o.op if "(" in o.op else f"{o.op}(heads = {heads})"}\n')
        built = subprocess.run([o.calmc, "build", f"{dir}/spec.calm", "--isa", "native", "-o", f"{dir}/app"], capture_output=True, text=True)
        if built.returncode: sys.exit(built.stderr)
        common = ["--data", f"{dir}/train.jsonl", "--batch", f"{o.batch}rows", "--no-shuffle", "--warmup", "0", "--save-every", str(o.steps + 1)]
        first = min(o.steps, 8)       # the steps that a warm-up would have spared; at a rate of next to nothing what each batch's loss is untrained
        still = losses(f"{dir}/app", dir, *common, "--lr", "1e-12", "--steps", str(first), "--eval-every", "0", "--validate", f"{dir}/held.jsonl")
        log = losses(f"{dir}/app", dir, *common, *(["--lr", o.lr] if o.lr else []), "--steps", str(o.steps), "--eval-every", "4", "--validate", f"{dir}/held.jsonl")
        held = [float(r["held_out_loss"]) for r in log if r["held_out_loss"]]
        over = max(float(r["loss"]) - float(s["loss"]) for r, s in zip(log[1:], still[1:]))
        print(f"{name:40} {float(still[-1]['held_out_loss']):7.3f} {max(held):7.3f} {held[-1]:7.3f}   {over:+.3f}", flush=True)


if __name__ == "__main__": main()
