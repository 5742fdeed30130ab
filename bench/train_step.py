"""calm against PyTorch on one training step: the same two models, the same start parameters, the same JSONL, as many threads each.

Makes the shape (once; kept under --dir; models stored in bf16), builds the program, and lets every way train two epochs over the same batches: every
step's loss must agree with calm's before anything is timed. Then they run one after the other, round after round, each in its own process, timed
inside after a warm-up of one epoch: start-up, compilation and loading do not count. Prints real (non-padding) tokens per second (the median of the
rounds, and over the shortest time of every batch, which other work on the machine hardly touches), processor seconds of all threads, peak resident
memory, and calm's speed over every way's, medians over the rounds. Compiling is what the first of the two epochs took longer than the second, from
an empty cache; of calm, `calmc build`. PyTorch itself is in compose_torch.py, its ways in ways.py."""
import argparse, json, os, shutil, sys, tempfile, time
from rounds import agree, heading, measures, of_check, options, report, summary, take
from side import Machine, call, calm_train, calm_work, peer_env, processor

HERE = os.path.dirname(os.path.abspath(__file__))
SHAPES = {
    # examples/kv_arithmetic: its models, connections, operator, row lengths and rows a step
    "experiment": dict(anchor=dict(width=128, layers=4, heads=4, ff=352), augment=dict(width=96, layers=2, heads=4, ff=256), vocab=43, tied=False,
                       pairs=[(1, 2), (2, 4)], cross_heads=4, join=True, shortest=15, longest=25, labelled=0.5, batch=64, rows=256, lr=1e-3),
    "small": dict(anchor=dict(width=768, layers=12, heads=12, ff=2048), augment=dict(width=384, layers=8, heads=6, ff=1024), vocab=32000, tied=True,
                  pairs=[(2, 3), (4, 6), (6, 9), (8, 12)], cross_heads=12, join=False, shortest=64, longest=256, labelled=0.3, batch=8, rows=32, lr=3e-4),
    # Llama-3.2-1B's shape with Qwen2.5-0.5B's, one vocabulary
    "1b": dict(anchor=dict(width=2048, layers=16, heads=32, kv_heads=8, ff=8192), augment=dict(width=896, layers=24, heads=14, kv_heads=2, ff=4864), vocab=128256, tied=True,
               pairs=[(6, 4), (12, 8), (18, 12), (24, 16)], cross_heads=16, join=False, shortest=64, longest=256, labelled=0.3, batch=4, rows=8, lr=3e-4),
}
# Nothing to skip: every row as long as the longest, every token labelled.
SHAPES["equal"] = dict(SHAPES["small"], shortest=SHAPES["small"]["longest"], labelled=1.0)
STORED = "bf16"


def spec(dir, shape):
    pick = lambda side: ", ".join(str(p[side]) for p in shape["pairs"])
    use = f'use "{os.path.join(HERE, "..", "examples", "kv_arithmetic", "join.calm")}"\n' if shape["join"] else ""
    op = "join" if shape["join"] else "cross_attention"
    return (f'{use}anchor  anchor  = "anchor"\naugment augment = "augment"\n'
            f'connect augment[{pick(0)}] -> anchor[{pick(1)}] with {op}(heads = {shape["cross_heads"]})\n\n'
            f'train {{\n  data = "{dir}/rows.jsonl"  batch = {shape["batch"]} rows  shuffle = 0  clip = 0  eval_every = 0\n'
            f'  optimizer = adamw(lr = {shape["lr"]}, betas = (0.9, 0.95), weight_decay = 0, eps = 1e-8)\n  schedule = constant(warmup = 0)\n}}\n')


def torch(do, dir, *more, **env):
    """One process of compose_torch.py: what it prints, and its peak memory."""
    return call([sys.executable, os.path.join(HERE, "compose_torch.py"), do, dir, *more], env=peer_env(**env), watch=True)


def make(dir, shape, calmc):
    """Models and rows unless they are there already for this very shape; the program always. Returns the seconds that building took."""
    path = os.path.join(dir, "shape.json")
    if not (os.path.exists(path) and json.load(open(path)) == json.loads(json.dumps(shape)) and os.path.exists(f"{dir}/theta.safetensors")):
        shutil.rmtree(dir, ignore_errors=True)
        os.makedirs(dir)
        with open(path, "w") as f: json.dump(shape, f)
        torch("prepare", dir)
    with open(f"{dir}/bench.calm", "w") as f: f.write(spec(dir, shape))
    start = time.perf_counter()
    call([calmc, "build", f"{dir}/bench.calm", "-o", f"{dir}/app"])
    return time.perf_counter() - start


class Bench:
    def __init__(self, a, dir, shape, cache):
        self.a, self.dir, self.shape, self.cache = a, dir, shape, cache
        self.epoch = shape["rows"] // shape["batch"]
        self.steps = self.epoch * (a.epochs or {"experiment": 20, "1b": 1}.get(a.shape, 2))

    def command(self, steps): return [f"{self.dir}/app", "train", "--params", f"{self.dir}/theta.safetensors", "--steps", str(steps), "--cache", "off"]

    def calm(self, steps): return calm_train(self.command(steps), self.dir, self.a.threads)

    def peer(self, way, steps, *more):
        out, peak = torch("run", self.dir, "--way", way.name, "--steps", str(steps), "--threads", str(self.a.threads), *more, TORCHINDUCTOR_CACHE_DIR=self.cache)
        return json.loads(out.splitlines()[-1]), peak

    def check(self, ways):
        """Two epochs over the same batches: every step's loss agrees with calm's. Returns what each way's were like, {name: dict}."""
        calm = [l["loss"] for l in self.calm(2 * self.epoch)[0]]
        return {way.name: self.check_one(way, calm) for way in ways}

    def check_one(self, way, calm):
        r, peak = self.peer(way, 2 * self.epoch, "--as-filed", "--limit", str(self.a.limit))
        if "cannot" in r: return r
        log = r["log"]
        pairs = [(f"step {k + 1}", c, l["loss"]) for k, (c, l) in enumerate(zip(calm, log))]
        out = dict(torch=r["torch"], worst=agree(way, pairs[:1], pairs[1:]))
        print(f"losses  {way.name:14} within {out['worst']:.1e} of calm's in {len(log)} steps", file=sys.stderr, flush=True)
        first, second = (sum(l["seconds"] for l in log[k:k + self.epoch]) for k in (0, self.epoch))
        if len(log) < 2 * self.epoch or second * (1 + self.steps / self.epoch) > self.a.limit: return out | of_check(log, peak)
        return out | dict(compile_s=first - second) if way.compiled else out

    def round(self, way):
        if way is None:
            log, peak, cpu = self.calm(self.epoch + self.steps)
            return measures(log[self.epoch:], peak, cpu - self.calm(self.epoch)[2])
        r, peak = self.peer(way, self.epoch + self.steps)
        timed = r["log"][self.epoch:]
        return measures(timed, peak, sum(l["cpu"] for l in timed))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--calmc", required=True, help=argparse.SUPPRESS)
    ap.add_argument("--shape", choices=SHAPES, default="small")
    ap.add_argument("--batch", type=int, help="rows a step (default: the shape's)")
    ap.add_argument("--epochs", type=int, help="timed epochs a process (default: 1 of 1b, 2 of small, 20 of experiment)")
    ap.add_argument("--dir", default=os.path.join(tempfile.gettempdir(), f"calm-bench-{os.getuid()}"))
    options(ap, rounds=5)
    a = ap.parse_args()
    shape = dict(SHAPES[a.shape], stored=STORED)
    if a.batch: shape["batch"] = a.batch
    if shape["rows"] % shape["batch"]: sys.exit(f"--batch must divide {shape['rows']}")
    dir, machine = os.path.abspath(os.path.join(a.dir, a.shape)), Machine()
    built = make(dir, shape, a.calmc)
    with tempfile.TemporaryDirectory(dir=dir) as cache:
        bench = Bench(a, dir, shape, cache)
        seen = bench.check(a.ways)
        rounds = take(a.rounds, a.ways, seen, bench.round)
        work = calm_work(a.calmc, bench.command(bench.epoch), dir, a.threads)
    s = summary(rounds, bench.epoch)
    if a.json:
        print(json.dumps(dict(shape=a.shape, batch=shape["batch"], stored=STORED, threads=a.threads, processor=processor(), others=machine.others(), steps=bench.steps,
                              build_s=built, work=work, seen=seen, median=s, rounds=rounds), indent=1))
        return
    print(f"{a.shape}: {shape['batch']} rows a step, models stored in {STORED}, {bench.steps} timed steps a process, {a.rounds} rounds in turn; {heading(seen, machine)}\n")
    report(a, s, seen, built, work)


if __name__ == "__main__": main()
