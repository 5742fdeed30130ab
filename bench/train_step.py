"""calm against PyTorch on one training step: the same two models, the same start parameters, the same JSONL, 2 threads each, f32.

Makes the shape (once; kept under --dir), builds the program, checks that the losses agree, then runs calm, PyTorch as written and PyTorch
tuned one after the other, round after round, each in its own process. Timed inside the processes, after a warm-up of one epoch: start-up, compilation
and loading do not count. Prints real (non-padding) tokens per second (the median of the rounds, and over the shortest time of every batch, which
other work on the machine hardly touches), peak resident memory, and ratios.
PyTorch itself is in compose_torch.py."""
import argparse, json, os, shutil, statistics, sys, tempfile
from side import call, calm_train, torch_env

HERE = os.path.dirname(os.path.abspath(__file__))
SHAPES = {
    # examples/kv_arithmetic: its models, connections, operator, row lengths and rows a step
    "experiment": dict(anchor=dict(width=128, layers=4, heads=4, ff=352), augment=dict(width=96, layers=2, heads=4, ff=256), vocab=43, tied=False,
                       pairs=[(1, 2), (2, 4)], cross_heads=4, join=True, shortest=15, longest=25, labelled=0.5, batch=64, rows=256, lr=1e-3),
    "small": dict(anchor=dict(width=768, layers=12, heads=12, ff=2048), augment=dict(width=384, layers=8, heads=6, ff=1024), vocab=32000, tied=True,
                  pairs=[(2, 3), (4, 6), (6, 9), (8, 12)], cross_heads=12, join=False, shortest=64, longest=256, labelled=0.3, batch=8, rows=32, lr=3e-4),
}
WAYS = ("calm", "written", "tuned")
TITLE = {"calm": "calm", "written": "PyTorch as written", "tuned": "PyTorch tuned"}


def spec(dir, shape):
    pick = lambda side: ", ".join(str(p[side]) for p in shape["pairs"])
    use = f'use "{os.path.join(HERE, "..", "examples", "kv_arithmetic", "join.calm")}"\n' if shape["join"] else ""
    op = "join" if shape["join"] else "cross_attention"
    return (f'{use}anchor  anchor  = "anchor"\naugment augment = "augment"\n'
            f'connect augment[{pick(0)}] -> anchor[{pick(1)}] with {op}(heads = {shape["cross_heads"]})\n\n'
            f'train {{\n  data = "{dir}/rows.jsonl"  batch = {shape["batch"]} rows  shuffle = 0  clip = 0  eval_every = 0\n'
            f'  optimizer = adamw(lr = {shape["lr"]}, betas = (0.9, 0.95), weight_decay = 0, eps = 1e-8)\n  schedule = constant(warmup = 0)\n}}\n')


def torch(do, dir, *more):
    return [sys.executable, os.path.join(HERE, "compose_torch.py"), do, dir, *more], torch_env()


def run_calm(dir, warm, steps, threads):
    return calm_train([f"{dir}/app", "train", "--params", f"{dir}/theta.safetensors", "--steps", str(warm + steps)], dir, threads)


def run_torch(dir, way, warm, steps, threads):
    command, env = torch("run", dir, "--way", way, "--warm", str(warm), "--steps", str(steps), "--threads", str(threads))
    out, peak = call(command, env=env, watch=True)
    return json.loads(out.splitlines()[-1])["log"], peak


def run(dir, way, warm, steps, threads):
    """`warm` is a whole epoch and so is every `warm` steps after it."""
    log, peak = run_calm(dir, warm, steps, threads) if way == "calm" else run_torch(dir, way, warm, steps, threads)
    timed = log[warm:]
    return dict(losses=[l["loss"] for l in log], timed=timed, tok_s=sum(l["tokens"] for l in timed) / sum(l["seconds"] for l in timed), mb=peak["VmHWM"] / 1024, anon_mb=peak["RssAnon"] / 1024, file_mb=peak["RssFile"] / 1024)


def make(dir, shape, calmc):
    """Models and rows unless they are there already for this very shape; the program always."""
    path = os.path.join(dir, "shape.json")
    if not (os.path.exists(path) and json.load(open(path)) == json.loads(json.dumps(shape)) and os.path.exists(f"{dir}/theta.safetensors")):
        shutil.rmtree(dir, ignore_errors=True)
        os.makedirs(dir)
        json.dump(shape, open(path, "w"))
        command, env = torch("prepare", dir)
        call(command, env=env)
    with open(f"{dir}/bench.calm", "w") as f: f.write(spec(dir, shape))
    call([calmc, "build", f"{dir}/bench.calm", "-o", f"{dir}/app"])


def check(dir, shape, rounds, tolerance=2e-4):
    """The three agree before any step, and calm and PyTorch as written (same batches) go on agreeing while both train."""
    command, env = torch("losses", dir)
    first = json.loads(call(command, env=env).splitlines()[-1])
    calm, written = rounds["calm"][0]["losses"], rounds["written"][0]["losses"]
    pairs = [("tuned and written, first batch", first["tuned"], first["written"]), ("calm and written, first batch", calm[0], first["written"])]
    pairs += [(f"calm and written, step {k + 1}", a, b) for k, (a, b) in enumerate(zip(calm, written))]
    worst = max(pairs, key=lambda p: abs(p[1] - p[2]) / abs(p[2]))
    off = abs(worst[1] - worst[2]) / abs(worst[2])
    if off > tolerance: sys.exit(f"losses differ: {worst[0]}: {worst[1]:.6f} and {worst[2]:.6f}")
    return dict(first=first["written"], last=calm[-1], steps=len(calm), largest_difference=off)


def quiet(rounds, epoch):
    """Tokens/s of an epoch whose every batch took its shortest time of all rounds: what a machine with nothing else on it would show."""
    batches = [[t for r in rounds for t in r["timed"][k::epoch]] for k in range(epoch)]
    return sum(b[0]["tokens"] for b in batches) / sum(min(t["seconds"] for t in b) for b in batches)


def summary(rounds, epoch):
    med = lambda way, key: statistics.median(r[key] for r in rounds[way])
    out = {way: {k: med(way, k) for k in ("tok_s", "mb", "anon_mb", "file_mb")} | dict(quiet_tok_s=quiet(rounds[way], epoch)) for way in WAYS}
    for way in WAYS[1:]:
        out[way]["calm_times_faster"] = statistics.median(c["tok_s"] / p["tok_s"] for c, p in zip(rounds["calm"], rounds[way]))
        out[way]["calm_times_faster_quiet"] = out["calm"]["quiet_tok_s"] / out[way]["quiet_tok_s"]
        out[way]["calm_memory_share"] = out["calm"]["mb"] / out[way]["mb"]
    return out


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--calmc", required=True)
    ap.add_argument("--shape", choices=SHAPES, default="small")
    ap.add_argument("--batch", type=int, help="rows a step (default: the shape's)")
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--epochs", type=int, help="timed epochs a process (default: 2 of small, 20 of experiment)")
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--dir", default=os.path.join(tempfile.gettempdir(), f"calm-bench-{os.getuid()}"))
    ap.add_argument("--json", action="store_true", help="one JSON object on standard output")
    a = ap.parse_args()
    shape = dict(SHAPES[a.shape])
    if a.batch: shape["batch"] = a.batch
    if shape["rows"] % shape["batch"]: sys.exit(f"--batch must divide {shape['rows']}")
    dir, epoch = os.path.abspath(os.path.join(a.dir, a.shape)), shape["rows"] // shape["batch"]
    steps = epoch * (a.epochs or (20 if a.shape == "experiment" else 2))
    make(dir, shape, a.calmc)
    rounds = {way: [] for way in WAYS}
    for k in range(a.rounds):
        for way in WAYS:
            r = run(dir, way, epoch, steps, a.threads)
            rounds[way].append(r)
            print(f"round {k + 1}/{a.rounds}  {TITLE[way]:<20} {r['tok_s']:9.0f} tokens/s  {r['mb']:7.0f} MB", file=sys.stderr)
        if k == 0: same = check(dir, shape, rounds)
    s = summary(rounds, epoch)
    if a.json:
        print(json.dumps(dict(shape=a.shape, batch=shape["batch"], threads=a.threads, steps=steps, loss=same, median=s, rounds=rounds), indent=1))
        return
    print(f"{a.shape}: {shape['batch']} rows a step, {steps} timed steps a process, {a.rounds} rounds, {a.threads} threads")
    print(f"losses agree: {same['first']:.5f} at the first step, {same['last']:.5f} after {same['steps']}, relative difference at most {same['largest_difference']:.1e}\n")
    print(f"{'':20} {'tokens/s':>22} {'memory, MB':>23}   {'calm is faster':>15}  {'memory'}")
    print(f"{'':20} {'median':>10} {'quietest':>11} {'peak':>7} {'anon':>7} {'files':>7}   {'median':>7} {'quiet':>7}   share")
    for way in WAYS:
        r = s[way]
        tail = f"   {r['calm_times_faster']:6.2f}x {r['calm_times_faster_quiet']:6.2f}x  {r['calm_memory_share']:6.2f}" if way != "calm" else ""
        print(f"{TITLE[way]:20} {r['tok_s']:10.0f} {r['quiet_tok_s']:11.0f} {r['mb']:7.0f} {r['anon_mb']:7.0f} {r['file_mb']:7.0f}{tail}")



main()
