"""examples/real_pair's training in calm and in PyTorch (pair_torch.py): the same checkpoints, the same rows in the same order, the same start
parameters, as many threads each.

First every way trains once and the losses must agree: the first step's, and the held-out loss before and after. Then they run one after the other, round
after round, each in its own process, timed inside after two steps of warm-up: start-up, packing, compilation and evaluation do not count. Prints
tokens of the anchor a second (median over rounds; and over the shortest time of every step, which other work on the machine hardly touches), processor
seconds of all threads, peak resident memory, and calm's speed over every way's, medians over the rounds. Compiling is what the batches took longer
before training than in it, from an empty cache; of calm, `calmc build`. PyTorch itself is in pair_torch.py, its ways in ways.py."""
import argparse, json, os, sys, tempfile, time
from rounds import agree, heading, measures, of_check, options, report, summary, take
from side import Machine, call, calm_train, calm_work, peer_env, processor

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
    """Rows, programs and what PyTorch reads of calm: the start parameters, and ids, labels and visible tokens of every row. Returns the seconds that
    building took."""
    os.makedirs(f"{dir}/data", exist_ok=True)
    os.makedirs(f"{dir}/models", exist_ok=True)
    for m in ("smollm2-135m", "gemma3-270m"):
        if not os.path.islink(f"{dir}/models/{m}"): os.symlink(os.path.join(a.models, m), f"{dir}/models/{m}")
    call(["cc", "-std=c17", "-D_GNU_SOURCE", "-O2", f"-I{ROOT}", "-o", f"{dir}/make_data", f"{EXAMPLE}/make_data.c"])
    call([f"{dir}/make_data", a.data, f"{dir}/data", str(a.seed), str(a.steps * BATCH), str(BATCH), str(a.held), "1"])
    with open(f"{EXAMPLE}/compose.calm") as f: spec = f.read().splitlines()
    with open(f"{dir}/compose.calm", "w") as f:
        f.write("\n".join(l + (" reads prompt" if a.reads and l.startswith("augment") else "") for l in spec if not l.strip().startswith("validate")) + "\n")
    start = time.perf_counter()
    call([a.calmc, "build", "compose.calm", "-o", "compose"], cwd=dir)
    built = time.perf_counter() - start
    call(["./compose", "train", "--steps", "0", "--seed", str(a.seed), "--out", "start", "--overwrite"], cwd=dir)
    os.replace(f"{dir}/start/last/theta.safetensors", f"{dir}/theta.safetensors")
    for part, rows in (("train", "train.jsonl"), ("held", "dev.jsonl")):
        call(["./compose", "score", "--data", f"data/{rows}", "--top", "1", "--params", "theta.safetensors", "--out", f"{part}.safetensors"], cwd=dir)
    with open(f"{dir}/pair.json", "w") as f: json.dump(recipe(json.loads(call(["./compose", "info", "--json"], cwd=dir)), dir), f)
    return built


class Bench:
    def __init__(self, a, dir, cache): self.a, self.dir, self.cache = a, dir, cache

    def command(self, steps, *more):
        return [f"{self.dir}/compose", "train", "--params", f"{self.dir}/theta.safetensors", "--data", f"{self.dir}/data/train.jsonl", "--stop-after", str(steps), "--cache", "off", *more]

    def calm(self, steps, *more): return calm_train(self.command(steps, *more), self.dir, self.a.threads)

    def peer(self, way, *more):
        out, peak = call([sys.executable, os.path.join(HERE, "pair_torch.py"), self.dir, "--way", way.name, "--steps", str(self.a.steps), "--threads",
                          str(self.a.threads), *more], env=peer_env(TORCHINDUCTOR_CACHE_DIR=self.cache), watch=True)
        return json.loads(out.splitlines()[-1]), peak

    def check(self, ways):
        """Every way trains: the first step's loss, and the held-out loss before and after, must be calm's as near as the dtype allows. Returns what
        each way's were like, {name: dict}."""
        dev, steps = f"{self.dir}/data/dev.jsonl", str(self.a.steps)
        log = self.calm(steps, "--validate", dev, "--eval-every", steps)[0]
        loss = call([f"{self.dir}/compose", "eval", "--data", dev, "--metric", "loss", "--params", f"{self.dir}/theta.safetensors", "--json"])
        return {way.name: self.check_one(way, log[0]["loss"], json.loads(loss)["loss"], log[-1]["held"]) for way in ways}

    def check_one(self, way, first, before, after):
        r, peak = self.peer(way, "--held", "--limit", str(self.a.limit))
        if "cannot" in r: return r
        log = r["log"]
        trained = [("held-out loss after", after, r["held_after"])] if "held_after" in r else []
        out = {k: r[k] for k in ("torch", "held_before", "held_after") if k in r}
        out["worst"] = agree(way, [("step 1", first, log[0]["loss"]), ("held-out loss before", before, r["held_before"])], trained)
        print(f"losses  {way.name:14} held out {before:.5f} before, {r['held_before']:.5f}" + "".join(f"; {c:.5f} after, {t:.5f}" for _, c, t in trained), file=sys.stderr, flush=True)
        seconds = sum(l["seconds"] for l in log)
        if "rehearsal" in r: out["compile_s"] = r["rehearsal"] - seconds
        return out | of_check(log, peak) if len(log) < self.a.steps or 2 * seconds > self.a.limit else out

    def round(self, way):
        if way is None:
            log, peak, cpu = self.calm(self.a.steps, "--eval-every", "0")
            return measures(log[WARM:], peak, cpu - self.calm(WARM, "--eval-every", "0")[2])
        r, peak = self.peer(way)
        timed = r["log"][WARM:]
        return measures(timed, peak, sum(l["cpu"] for l in timed))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--calmc", required=True, help=argparse.SUPPRESS)
    ap.add_argument("--steps", type=int, default=12, help="steps a process; the schedule is that of the whole example (%(default)s)")
    ap.add_argument("--held", type=int, default=32, help="held-out rows (%(default)s)")
    ap.add_argument("--reads", choices=["prompt"])
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--models", default=os.environ.get("CALM_REAL", os.path.expanduser("~/.cache/calm-real")))
    ap.add_argument("--data", default=os.path.join(ROOT, "..", "shared", "data", "translation", "lafand-en-swa"))
    ap.add_argument("--dir", default=os.path.join(tempfile.gettempdir(), f"calm-bench-{os.getuid()}", "real_pair"))
    options(ap, rounds=3)
    a = ap.parse_args()
    dir, machine = os.path.abspath(a.dir), Machine()
    if a.steps <= WARM: sys.exit(f"--steps is more than {WARM}")
    for path in (f"{a.models}/smollm2-135m/config.json", f"{a.models}/gemma3-270m/config.json", f"{a.data}/train.swa"):
        if not os.path.exists(path): sys.exit(f"real_pair: no {path}")
    built = prepare(a, dir)
    with tempfile.TemporaryDirectory(dir=dir) as cache:
        bench = Bench(a, dir, cache)
        seen = bench.check(a.ways)
        rounds = take(a.rounds, a.ways, seen, bench.round)
        work = calm_work(a.calmc, bench.command(a.steps, "--eval-every", "0"), dir, a.threads)
    s = summary(rounds, a.steps - WARM)
    if a.json:
        print(json.dumps(dict(threads=a.threads, processor=processor(), others=machine.others(), steps=a.steps, build_s=built, work=work, seen=seen, median=s, rounds=rounds), indent=1))
        return
    print(f"{a.steps - WARM} timed steps of {BATCH} rows a process, tokens of the anchor, models stored in bf16{', the augment reads the prompt' if a.reads else ''}, {a.rounds} rounds in turn; "
          f"{heading(seen, machine)}\n")
    report(a, s, seen, built, work)


main()
