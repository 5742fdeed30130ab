"""What the frozen cache saves: train_step's models and rows trained with `--cache off` and with `--cache memory`, one after the other, round after round. Losses
must be the same to the last digit of the log. A saving is 1 - seconds with the cache / seconds without, of the epochs after the first; the same rows come
in every epoch, and of every batch the shortest time over epochs and rounds counts, which other work on the machine touches least. Beside it the share of
operations that `info` says the cache spares."""
import argparse, json, os, sys, tempfile
from side import Machine, calm_train, call, processor, table
from train_step import SHAPES, STORED, make

WAYS = ("off", "memory")


def later(logs, period):
    """Seconds of an epoch after the first where every batch takes its shortest time."""
    return sum(min(l["seconds"] for log in logs for l in log[period + k::period]) for k in range(period))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--calmc", required=True, help=argparse.SUPPRESS)
    ap.add_argument("--shape", choices=SHAPES, default="small")
    ap.add_argument("--epochs", type=int, default=3, help="of a training (default: %(default)s)")
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--dir", default=os.path.join(tempfile.gettempdir(), f"calm-bench-{os.getuid()}"))
    a = ap.parse_args()
    if a.epochs < 2: ap.error("--epochs: the first fills the cache; expected 2 or more")
    shape = dict(SHAPES[a.shape], stored=STORED)
    dir, machine, period = os.path.join(os.path.abspath(a.dir), a.shape), Machine(), shape["rows"] // shape["batch"]
    make(dir, shape, a.calmc)
    frozen = json.loads(call([f"{dir}/app", "info", "--data", f"{dir}/rows.jsonl", "--json"]))["memory"]["frozen"]
    steps, logs, loss, peak = str(a.epochs * period), {w: [] for w in WAYS}, {}, {}
    for k in range(a.rounds):
        for way in WAYS:
            log, mem, _ = calm_train([f"{dir}/app", "train", "--params", f"{dir}/theta.safetensors", "--steps", steps, "--cache", way], dir, a.threads)
            if loss.setdefault(k, [l["loss"] for l in log]) != [l["loss"] for l in log]: sys.exit("losses with the cache are others than without")
            logs[way].append(log)
            peak[way] = mem["VmHWM"] / 1024
            print(f"round {k + 1}/{a.rounds}  {way:7} {later([log], period):7.2f} s an epoch after the first", file=sys.stderr, flush=True)
    best = {w: later(l, period) for w, l in logs.items()}
    saved = 1 - best["memory"] / best["off"]
    print(f"{a.shape}: {frozen['bytes'] / 1e6:.1f} MB kept, {a.threads} threads, {processor()}; {machine}")
    table(["cache", "s an epoch after the first", "MB"], [[w, f"{best[w]:.2f}", f"{peak[w]:.0f}"] for w in WAYS], 1)
    print(f"saved {saved:.1%}, predicted {frozen['spares']:.1%}: {saved / frozen['spares']:.0%} of it")


if __name__ == "__main__": main()
