#!/usr/bin/env python3
"""Tokenizer rates on one core, calm beside Hugging Face `tokenizers`: started by bench/tokenizer. The ids are compared before the rates count."""
import argparse, json, os, subprocess, sys, tempfile, time
os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SHARED = os.path.join(os.path.dirname(ROOT), "shared", "data")
REAL = os.path.expanduser("~/.cache/calm-real")


def hugging_face(path, text, rounds):
    t0 = time.process_time()
    tok = Tokenizer.from_file(path)
    load = time.process_time() - t0
    best, ids = 1e9, None
    for _ in range(rounds):
        t0 = time.process_time()
        ids = tok.encode(text, add_special_tokens=False).ids
        best = min(best, time.process_time() - t0)
    total = 1
    for i in ids:
        total = (total * 1000003 + i) % 2147483647
    return {"load": load, "best": len(text.encode()) / 1e6 / best, "tokens": len(ids), "sum": total}


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--program", required=True)
    p.add_argument("--text", default=f"{SHARED}/text/wikitext-2/test.txt")
    p.add_argument("--rounds", type=int, default=10)
    o = p.parse_args()
    where = {"smollm2": f"{REAL}/smollm2-135m", "gemma3": f"{REAL}/gemma3-270m", "llama3": f"{REAL}/tokenizers/llama3",
             "qwen3": f"{REAL}/tokenizers/qwen3", "stories260k": f"{SHARED}/weights/stories260k/hf"}
    with open(o.text, encoding="utf-8") as f:
        text = f.read()
    print(f"{o.text}: {len(text.encode()) / 1e6:.2f} MB; MB a second of processor time (one thread), best of {o.rounds} (first: empty word cache); one word, no space: 1/4, 1, 4 MB")
    print(f"{'':12} {'load s':>7} {'HF':>6} {'first':>6} {'best':>6} {'HF':>6} {'times':>6} {'memcpy':>7}   one word            no space")
    with tempfile.TemporaryDirectory() as tmp:
        if os.path.exists(f"{SHARED}/tokenizers/gpt2/encoder.json"):
            subprocess.run([sys.executable, f"{ROOT}/tests/parity/tokenizer_diff.py", "--write-gpt2", tmp], check=True)
            where = {"gpt2": tmp, **where}
        for name, folder in where.items():
            path = f"{folder}/tokenizer.json"
            if not os.path.exists(path):
                print(f"skipped {name}: no {path}")
                continue
            r = subprocess.run([o.program, path, o.text, str(o.rounds)], capture_output=True, text=True)
            if r.returncode:
                sys.exit(r.stderr)
            c, h = json.loads(r.stdout), hugging_face(path, text, 3)
            if (c["tokens"], c["sum"]) != (h["tokens"], h["sum"]):
                sys.exit(f"{name}: the ids differ: {c['tokens']} tokens, Hugging Face has {h['tokens']}")
            rows = ["/".join(f"{x:.1f}" for x in c[k]) for k in ("one_word", "no_space")]
            print(f"{name:12} {c['load']:7.3f} {h['load']:6.2f} {c['first']:6.1f} {c['best']:6.1f} {h['best']:6.1f} {c['best'] / h['best']:6.1f} "
                  f"{c['memcpy']:7.0f}   {rows[0]:18}  {rows[1]}", flush=True)


main()
