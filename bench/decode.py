"""Decoding of a model: tokens a second of one sequence and of several at once, as stored and as int8, of the model composed with itself, and on the AVX2 path; how
many bytes a second the steps read, and that as a share of what reading memory gives, measured by the same process right after (`--profile`): another minute's rate
says nothing on a machine that is shared. Loading does not count. Ways alternate, round after round; medians. Rows are greedy continuations by `eval`; a way whose
sequences ended early is refused, since then the steps were of fewer."""
import argparse, json, os, re, statistics, sys, tempfile
from side import Machine, call, peer_env, processor, table

CONNECT = "connect code[every 4] -> base[every 4] with cross_attention(heads = 8)\n"
# name: how weights are kept, sequences at once, composed, environment
WAYS = {
    "stored": ("", 1, False, {}),
    "stored-8": ("", 8, False, {}),
    "int8": (" as int8", 1, False, {}),
    "int8-8": (" as int8", 8, False, {}),
    "pair": ("", 1, True, {}),
    "avx2": ("", 1, False, {"CALM_ISA": "avx2"}),
}


def build(calmc, dir, model, kept, composed):
    """The program for these, made once."""
    app = f"{dir}/{'pair' if composed else 'one'}{kept.replace(' ', '-')}"
    if os.path.exists(app): return app
    with open(f"{app}.calm", "w") as f:
        f.write(f'anchor base = "{model}"{kept}\n' + (f'augment code = "{model}"{kept}\n{CONNECT}' if composed else ""))
    call([calmc, "build", f"{app}.calm", "-o", app])
    return app


def one(a, dir, way):
    kept, sequences, composed, env = WAYS[way]
    app, rows = build(a.calmc, dir, a.model, kept, composed), f"{dir}/rows.{sequences}.jsonl"
    with open(rows, "w") as f: f.writelines(json.dumps(dict(prompt="The", completion=" end")) + "\n" for _ in range(sequences))
    precision = [] if "CALM_ISA" in env else ["--precision", a.precision] if a.precision else []
    out = call(["sh", "-c", f"exec {app} eval --data {rows} --metric exact_match --max-tokens {a.tokens} --slots {sequences} --profile {' '.join(precision)} 2>&1 >/dev/null"],
               env=peer_env(CALM_THREADS=str(a.threads), **env))
    steps = re.search(r"^steps: ([0-9.]+) s,.* in (\w+),.* memory [0-9.]+ GB, ([0-9.]+) GB/s", out, re.M)
    rate = re.search(r"^measured on .* memory ([0-9.]+) GB/s", out, re.M)
    looks = [int(n) for n in re.findall(r"^ +[0-9.]+ +[0-9.]+ +(\d+) .* k\d+ lookup ", out, re.M)]
    spent = sum(float(re.search(rf"^ +{phase} +([0-9.]+) s", out, re.M)[1]) for phase in ("read", "kernels", "sampling", "writing"))
    if not steps or not rate or not looks: sys.exit(f"decode: no rates in what {app} said:\n{out}")
    if max(looks) < a.tokens: sys.exit(f"decode: {way}: the sequences ended after {max(looks)} of {a.tokens} tokens")
    gb = float(steps[3])
    return dict(precision=steps[2], tokens=sequences * a.tokens / spent, gb=gb, rate=float(rate[1]), share=gb / float(rate[1]))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model", type=os.path.abspath)
    p.add_argument("--calmc", help=argparse.SUPPRESS)
    p.add_argument("--ways", default=",".join(WAYS))
    p.add_argument("--precision", choices=("f32", "bf16"), default="bf16", help="of all ways but avx2, which has no bf16 (default: bf16)")
    p.add_argument("--tokens", type=int, default=48)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--threads", type=int, default=2)
    a = p.parse_args()
    ways = a.ways.split(",")
    for way in ways:
        if way not in WAYS: p.error(f"--ways: {way}: expected some of {', '.join(WAYS)}")
    if not os.path.isfile(f"{a.model}/config.json"): sys.exit(f"decode: {a.model}: no config.json (../shared/bench/make_1b_hf.py makes a random model)")
    machine = Machine()
    with tempfile.TemporaryDirectory() as dir:
        rounds = [{way: one(a, dir, way) for way in ways} for _ in range(a.rounds)]
    med = lambda way, key: statistics.median(r[way][key] for r in rounds)
    over = lambda way: f"{statistics.median(r[way]['tokens'] / r['stored']['tokens'] for r in rounds):.2f}x" if "stored" in ways else None
    print(f"{os.path.basename(a.model)}, {a.tokens} tokens, {a.threads} threads, {a.rounds} rounds; {processor()}; {machine}")
    table(["way", "dtype", "sequences", "tokens/s", "over stored", "GB/s", "of memory's", "share"],
          [[w, rounds[0][w]["precision"], str(WAYS[w][1]), f"{med(w, 'tokens'):.1f}", over(w), f"{med(w, 'gb'):.1f}", f"{med(w, 'rate'):.1f}", f"{100 * med(w, 'share'):.0f} %"] for w in ways], 2)


main()
