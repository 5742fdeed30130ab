"""examples/real_pair's training in calm and in PyTorch (pair_torch.py): the same checkpoints, the same rows in the same order, the same start
parameters, f32, 2 threads each; one process after the other, round after round.

The first round also takes the held-out loss before and after; calm's must be within 1 % of PyTorch's. Timed inside the processes, after two steps of
warm-up; start-up, packing, evaluation do not count. Prints seconds a step (median over rounds; and over the shortest time of every step, which other
work on the machine hardly touches), peak resident memory (rounds without evaluation, where there are any) and ratios. PyTorch's ways stand in
pair_torch.py."""
import argparse, json, os, statistics, sys, tempfile
from side import call, calm_train, torch_env

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
EXAMPLE = os.path.join(ROOT, "examples", "real_pair")
WARM = 2                         # steps before the timed ones
BATCH = 16                       # rows a step: the data maker groups them


def recipe(info, dir):
    """What pair_torch.py reads: connections and settings as the program itself tells them."""
    t, anchor = info["train"], info["models"][0]["name"]
    if t["batch"] != dict(n=BATCH, unit="rows") or t["shuffle"]: sys.exit(f"compose.calm: expected batches of {BATCH} rows in the order of the file")
    return dict(anchor=f"{dir}/models/smollm2-135m", augment=f"{dir}/models/gemma3-270m", anchor_name=anchor, name=info["models"][1]["name"],
                connections=[[c["from_layer"], c["to_layer"]] for c in info["connections"]], batch=BATCH, clip=t["clip"], lr=t["optimizer"]["lr"],
                betas=t["optimizer"]["betas"], warmup=t["schedule"]["warmup"], floor=t["schedule"]["floor"], schedule_steps=t["steps"])


def prepare(a, dir):
    """Rows, programs and what PyTorch reads of calm: the start parameters, and ids, labels and visible tokens of every row."""
    os.makedirs(f"{dir}/data", exist_ok=True)
    os.makedirs(f"{dir}/models", exist_ok=True)
    for m in ("smollm2-135m", "gemma3-270m"):
        if not os.path.islink(f"{dir}/models/{m}"): os.symlink(os.path.join(a.models, m), f"{dir}/models/{m}")
    call(["cc", "-std=c17", "-D_GNU_SOURCE", "-O2", f"-I{ROOT}", "-o", f"{dir}/make_data", f"{EXAMPLE}/make_data.c"])
    call([f"{dir}/make_data", a.data, f"{dir}/data", str(a.seed), str(a.steps * BATCH), str(BATCH), str(a.held), "1"])
    with open(f"{EXAMPLE}/compose.calm") as f: spec = f.read().splitlines()
    with open(f"{dir}/compose.calm", "w") as f:
        f.write("\n".join(l + (" reads prompt" if a.reads and l.startswith("augment") else "") for l in spec if not l.strip().startswith("validate")) + "\n")
    call([a.calmc, "build", "compose.calm", "-o", "compose"], cwd=dir)
    call(["./compose", "train", "--steps", "0", "--seed", str(a.seed), "--out", "start", "--overwrite"], cwd=dir)
    os.replace(f"{dir}/start/last/theta.safetensors", f"{dir}/theta.safetensors")
    for part, rows in (("train", "train.jsonl"), ("held", "dev.jsonl")):
        call(["./compose", "score", "--data", f"data/{rows}", "--top", "1", "--params", "theta.safetensors", "--out", f"{part}.safetensors"], cwd=dir)
    with open(f"{dir}/pair.json", "w") as f: json.dump(recipe(json.loads(call(["./compose", "info", "--json"], cwd=dir)), dir), f)


def run_calm(a, dir, held):
    look = ["--validate", f"{dir}/data/dev.jsonl", "--eval-every", str(a.steps)] if held else ["--eval-every", "0"]
    log, peak = calm_train([f"{dir}/compose", "train", "--params", f"{dir}/theta.safetensors", "--data", f"{dir}/data/train.jsonl", "--stop-after",
                            str(a.steps), *look], dir, a.threads)
    out = dict(log=log)
    if held:
        out["held_after"] = log[-1]["held"]
        loss = call([f"{dir}/compose", "eval", "--data", f"{dir}/data/dev.jsonl", "--metric", "loss", "--params", f"{dir}/theta.safetensors", "--json"])
        out["held_before"] = json.loads(loss)["loss"]
    return out, peak


def run_torch(a, dir, way, held):
    command = [sys.executable, os.path.join(HERE, "pair_torch.py"), dir, "--way", way, "--steps", str(a.steps), "--threads", str(a.threads)]
    out, peak = call(command + ([] if held else ["--no-held"]), env=torch_env(), watch=True)
    return json.loads(out.splitlines()[-1]), peak


def run(a, dir, way, held):
    out, peak = run_calm(a, dir, held) if way == "calm" else run_torch(a, dir, way, held)
    timed = out["log"][WARM:]
    return dict(out, losses=[l["loss"] for l in out["log"]], seconds=[l["seconds"] for l in timed], mb=peak["VmHWM"] / 1024, anon_mb=peak["RssAnon"] / 1024,
                tokens=sum(l["tokens"] for l in timed))


def check(rounds):
    """The same loss at every step up to rounding that training makes larger, and the same held-out loss within 1 %."""
    calm = rounds["calm"][0]
    for way, r in rounds.items():
        if way == "calm": continue
        r = r[0]
        off = abs(calm["losses"][0] / r["losses"][0] - 1)
        if off > 1e-4: sys.exit(f"first step: calm {calm['losses'][0]:.6f}, {way} {r['losses'][0]:.6f}")
        for key in ("held_before", "held_after"):
            print(f"{key.replace('_', '-out loss ')}: calm {calm[key]:.5f}, {way} {r[key]:.5f}, {100 * (calm[key] / r[key] - 1):+.3f} %")
            if abs(calm[key] / r[key] - 1) > 0.01: sys.exit("more than 1 % apart")


def report(a, rounds):
    step = lambda r: sum(r["seconds"]) / len(r["seconds"])
    quiet = {w: sum(min(t) for t in zip(*(r["seconds"] for r in rounds[w]))) / (a.steps - WARM) for w in rounds}
    last = {w: rounds[w][1:] or rounds[w] for w in rounds}
    mb = {w: max(r["mb"] for r in last[w]) for w in rounds}
    print(f"\n{a.steps - WARM} timed steps of 16 rows, {rounds['calm'][0]['tokens']} anchor tokens, {a.rounds} rounds, {a.threads} threads{', the augment reads the prompt' if a.reads else ''}")
    print(f"{'':10} {'s a step':>9} {'quietest':>9} {'peak MB':>8} {'anon MB':>8}   {'calm is faster':>17}   memory")
    for w in rounds:
        tail = ""
        if w != "calm":
            ratio = statistics.median(step(p) / step(c) for c, p in zip(rounds["calm"], rounds[w]))
            tail = f"   {ratio:7.2f}x {quiet[w] / quiet['calm']:7.2f}x   {mb['calm'] / mb[w]:6.2f}"
        print(f"{w:10} {statistics.median(map(step, rounds[w])):9.3f} {quiet[w]:9.3f} {mb[w]:8.0f} {max(r['anon_mb'] for r in last[w]):8.0f}{tail}")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--calmc", required=True)
    ap.add_argument("--steps", type=int, default=12, help="steps a process; the schedule is that of the whole example")
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--held", type=int, default=32, help="held-out rows")
    ap.add_argument("--ways", default="calm,stock,onednn")
    ap.add_argument("--reads", choices=["prompt"])
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--models", default=os.environ.get("CALM_REAL", os.path.expanduser("~/.cache/calm-real")))
    ap.add_argument("--data", default=os.path.join(ROOT, "..", "shared", "data", "translation", "lafand-en-swa"))
    ap.add_argument("--dir", default=os.path.join(tempfile.gettempdir(), f"calm-bench-{os.getuid()}", "real_pair"))
    ap.add_argument("--json", action="store_true", help="everything measured, as one JSON object, last")
    a = ap.parse_args()
    ways, dir = a.ways.split(","), os.path.abspath(a.dir)
    if ways[0] != "calm" or a.steps <= WARM: sys.exit(f"--ways begins with calm, --steps is more than {WARM}")
    for path in (f"{a.models}/smollm2-135m/config.json", f"{a.models}/gemma3-270m/config.json", f"{a.data}/train.swa"):
        if not os.path.exists(path): sys.exit(f"real_pair: no {path}")
    prepare(a, dir)
    rounds = {way: [] for way in ways}
    for k in range(a.rounds):
        for way in ways:
            rounds[way].append(r := run(a, dir, way, k == 0))
            print(f"round {k + 1}/{a.rounds}  {way:8} {sum(r['seconds']) / len(r['seconds']):8.3f} s a step  {r['mb']:6.0f} MB", file=sys.stderr, flush=True)
        if k == 0: check(rounds)
    report(a, rounds)
    if a.json: print(json.dumps(rounds))


main()
