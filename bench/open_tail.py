"""What a position does not see with two tokenizers is the word that is open there: its tokens of the augment are settled with the next one. This measures what it would
be worth to see it, retokenised at every position, without building that: rows are cut at random tokens of their completions, one label each (the next token), and
the augment reads a text of its own, up to the last settled word or to the cut. A composition trained on settled words is evaluated on both, then trained further
on either, on the same cuts in the same order."""
import argparse, json, os, random, subprocess, tempfile
from tokenizers import Tokenizer


def cuts(path, tokenizer, out, per_row, seed, most=None):
    """Writes out.settled.jsonl and out.open.jsonl; returns how many."""
    rng, rows = random.Random(seed), []
    for line in open(path, encoding="utf-8"):
        r = json.loads(line)
        e = tokenizer.encode(r["prompt"] + r["completion"], add_special_tokens=False)
        at = [i for i in range(len(e.ids) - 1) if e.offsets[i + 1][0] >= len(r["prompt"])]
        for i in rng.sample(at, min(per_row, len(at))):
            seen = (r["prompt"] + r["completion"])[: e.offsets[i][1]]
            row = {"input_ids": e.ids[: i + 2], "labels": [-100] * (i + 1) + [e.ids[i + 1]]}
            rows.append((row, seen[: max(seen.rfind(" "), seen.rfind("\n"))], seen))
    rng.shuffle(rows)
    rows = rows[:most]
    for kind, column in (("settled", 1), ("open", 2)):
        with open(f"{out}.{kind}.jsonl", "w") as f:
            f.writelines(json.dumps({**r[0], "augment": {"gemma": r[column]}}, ensure_ascii=False) + "\n" for r in rows)
    return len(rows)


def main():
    ap = argparse.ArgumentParser(prog="open_tail", description="what seeing the open word would be worth to a composition of two tokenizers")
    ap.add_argument("--run", required=True, help="of examples/real_pair/run")
    ap.add_argument("--params", default="compose.run/best", help="in it: what was trained on settled words (compose.run/best)")
    ap.add_argument("--steps", type=int, default=120)
    ap.add_argument("--batch", type=int, default=16, help="cuts of a step (16)")
    ap.add_argument("--cuts", type=int, default=4, help="of a held-out row (4)")
    ap.add_argument("--lr", default="5e-4")
    ap.add_argument("--precision", default="bf16")
    o = ap.parse_args()
    run, tmp = os.path.abspath(o.run), tempfile.TemporaryDirectory(prefix="calm-open-tail-")
    tokenizer = Tokenizer.from_file(f"{run}/models/smollm2-135m/tokenizer.json")
    n = cuts(f"{run}/data/train.jsonl", tokenizer, f"{tmp.name}/train", 2, 1, o.steps * o.batch)
    held = cuts(f"{run}/data/dev.jsonl", tokenizer, f"{tmp.name}/held", o.cuts, 2)

    def calm(*args):
        return subprocess.run(["./compose", *args, "--precision", o.precision], cwd=run, check=True, capture_output=True, text=True).stdout

    def loss(kind, params):
        return json.loads(calm("eval", "--data", f"{tmp.name}/held.{kind}.jsonl", "--params", params, "--metric", "loss", "--json"))["loss"]
    print(f"loss of the next token at {held} cuts of held-out rows; trained on {min(n, o.steps * o.batch)} cuts, rate {o.lr}")
    print(f"{'':34} {'settled':>8} {'open':>8}")
    print(f"{'trained on whole rows, settled':34} {loss('settled', o.params):8.4f} {loss('open', o.params):8.4f}", flush=True)
    for kind in ("settled", "open"):
        out = f"{tmp.name}/{kind}"
        calm("train", "--data", f"{tmp.name}/train.{kind}.jsonl", "--params", o.params, "--steps", str(o.steps), "--batch", f"{o.batch}rows", "--lr", o.lr,
             "--warmup", "5", "--no-shuffle", "--eval-every", "0", "--out", out)
        print(f"{'trained further on cuts, ' + kind:34} {loss('settled', out + '/last'):8.4f} {loss('open', out + '/last'):8.4f}", flush=True)


if __name__ == "__main__": main()
