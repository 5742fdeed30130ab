"""What `as int8` costs and gains on real checkpoints in bf16, against the same program of the weights as stored, in --precision PRECISION (default: bf16 where
it is an instruction, else f32; int8's own `auto` is f32): the loss of WikiText-2 windows of 512 tokens, which may rise by half a percent at most; memory of
a generation beside the bytes of the weights; tokens a second of decoding; tokens a second of training a composition of the model with itself (the same data,
a connection every fourth block), both models as int8 or as stored. Rounds alternate; ratios are medians of each round's."""
import argparse, csv, json, os, re, statistics, sys, tempfile
from eval_real import windows
from side import Machine, call, peer_env

WAYS = ("stored", "int8")
ALLOWED = 0.005


def build(a, dir, model):
    for way in WAYS:
        kept = "" if way == "stored" else " as int8"
        with open(f"{dir}/{way}.calm", "w") as f: f.write(f'anchor base = "{model}"{kept}\n')
        with open(f"{dir}/{way}.pair.calm", "w") as f:
            f.write(f'anchor base = "{model}"{kept}\naugment code = "{model}"{kept}\n'
                    f'connect code[every 4] -> base[every 4] with cross_attention(heads = 4)\n')
        for s in (way, f"{way}.pair"): call([a.calmc, "build", f"{dir}/{s}.calm", "-o", f"{dir}/{s}.app"])


def rows(dir, model, n):
    """bench/eval_real's windows of the text, each with what the tokenizer puts before one."""
    with open(f"{dir}/rows.jsonl", "w") as f:
        for w in windows(model, n): f.write(json.dumps(dict(input_ids=w, labels=w)) + "\n")


def one(a, dir, way):
    env, flags = peer_env(CALM_THREADS=str(a.threads)), ["--precision", a.precision] if a.precision else []
    r = {}
    out = call([f"{dir}/{way}.app", "eval", "--data", f"{dir}/rows.jsonl", "--metric", "loss", "--json", *flags], env=env)
    r["loss"] = json.loads(out)["loss"]
    out, peak = call(["sh", "-c", f"exec {dir}/{way}.app generate --prompt 'The' --max-tokens {a.tokens} --ignore-eos {' '.join(flags)} 2>&1 >/dev/null"], env=env, watch=True)
    r["tokens"], r["mb"] = float(re.search(r"tokens at ([0-9.]+) a second", out)[1]), peak["VmHWM"] / 1024
    call([f"{dir}/{way}.pair.app", "train", "--data", f"{dir}/rows.jsonl", "--steps", str(a.steps), "--batch", "2rows", "--cache", "off", "--overwrite", "--out", f"{dir}/run", *flags], env=env)
    with open(f"{dir}/run/log.csv") as f: r["rate"] = statistics.median(float(row["tokens_per_s"]) for row in list(csv.DictReader(f))[1:])
    return r


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--calmc", help=argparse.SUPPRESS)
    p.add_argument("--model", action="append", help="a directory, or a name below ~/.cache/calm-real (default: both)")
    p.add_argument("--precision", choices=("f32", "bf16"))
    p.add_argument("--windows", type=int, default=16)
    p.add_argument("--tokens", type=int, default=64)
    p.add_argument("--steps", type=int, default=8)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--threads", type=int, default=2)
    a = p.parse_args()
    machine = Machine()
    for name in a.model or ["smollm2-135m", "gemma3-270m"]:
        model = name if os.path.isdir(name) else os.path.expanduser(f"~/.cache/calm-real/{name}")
        if not os.path.isfile(f"{model}/config.json"): sys.exit(f"no model {model} (../shared/data/real/fetch makes it)")
        with tempfile.TemporaryDirectory() as dir:
            build(a, dir, model)
            rows(dir, model, a.windows)
            rounds = [{way: one(a, dir, way) for way in WAYS} for _ in range(a.rounds)]
        med = lambda way, key: statistics.median(r[way][key] for r in rounds)
        ratio = lambda key: statistics.median(r["int8"][key] / r["stored"][key] for r in rounds)
        worse = ratio("loss") - 1
        print(f"{name}: loss {med('stored', 'loss'):.5f} as stored, {med('int8', 'loss'):.5f} as int8, {100 * worse:+.3f} %; "
              f"generating {med('stored', 'mb'):.0f} and {med('int8', 'mb'):.0f} MB, {med('stored', 'tokens'):.1f} and {med('int8', 'tokens'):.1f} tokens/s ({ratio('tokens'):.2f}x); "
              f"training {ratio('rate'):.2f}x", flush=True)
        if not worse <= ALLOWED: sys.exit(f"{name}: the loss as int8 is more than {100 * ALLOWED} % above that as stored")
    print(machine)


main()
