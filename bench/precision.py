"""What bf16 costs a training: train_step's models, trained in f32 and in bf16 from the same start over the same rows, one after the other. No row comes
twice, for of rows known by heart a ratio of losses says nothing; they are walks over a table of tokens that may follow each other (compose_torch.py),
which can be learned. Prints the mean loss of every tenth of the steps in both; the exit status is 1 where one of bf16's is more than --within off f32's."""
import argparse, os, statistics, sys, tempfile
from side import Machine, calm_train, processor
from train_step import SHAPES, STORED, make

TENTHS = 10


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--calmc", required=True, help=argparse.SUPPRESS)
    ap.add_argument("--shape", choices=SHAPES, default="small")
    ap.add_argument("--batch", type=int, help="rows a step (default: the shape's)")
    ap.add_argument("--longest", type=int, default=48, help="tokens of the longest row, at most the shape's; the shortest has a third (default: %(default)s)")
    ap.add_argument("--steps", type=int, default=500, help="default: %(default)s; a multiple of ten")
    ap.add_argument("--within", type=float, default=0.01, help="of f32's loss (default: %(default)s)")
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--dir", default=os.path.join(tempfile.gettempdir(), f"calm-bench-{os.getuid()}", "precision"))
    a = ap.parse_args()
    if a.steps < 1 or a.steps % TENTHS: ap.error(f"--steps: expected a multiple of {TENTHS}, found {a.steps}")
    if a.longest < 6: ap.error(f"--longest: expected 6 or more, found {a.longest}")
    shape = dict(SHAPES[a.shape], stored=STORED, chain=True, labelled=1.0)
    if a.batch: shape["batch"] = a.batch
    longest = min(a.longest, shape["longest"])
    shape.update(rows=a.steps * shape["batch"], longest=longest, shortest=longest // 3)
    dir, machine, loss, seconds = os.path.join(os.path.abspath(a.dir), a.shape), Machine(), {}, {}
    make(dir, shape, a.calmc)
    for p in ("f32", "bf16"):
        log, _, seconds[p] = calm_train([f"{dir}/app", "train", "--params", f"{dir}/theta.safetensors", "--steps", str(a.steps), "--cache", "off", "--precision", p], dir, a.threads)
        loss[p] = [l["loss"] for l in log]
        print(f"{p}: {seconds[p]:.0f} processor seconds", file=sys.stderr, flush=True)
    print(f"{a.shape}: {shape['batch']} rows of {shape['shortest']} to {longest} tokens a step, models stored in {STORED}, {a.threads} threads, {processor()}; {machine}; processor seconds {seconds['f32']:.0f} in f32, {seconds['bf16']:.0f} in bf16\n")
    print("steps        loss in f32  in bf16   off")
    n, worst = a.steps // TENTHS, 0
    for k in range(TENTHS):
        wide, narrow = (statistics.fmean(loss[p][k * n:(k + 1) * n]) for p in ("f32", "bf16"))
        worst = max(worst, abs(narrow / wide - 1))
        print(f"{k * n + 1:4}-{(k + 1) * n:4}  {wide:14.4f} {narrow:8.4f} {narrow / wide - 1:+.2%}")
    if worst > a.within: sys.exit(f"{worst:.2%} off f32's loss; expected at most {a.within:.2%}")


if __name__ == "__main__": main()
