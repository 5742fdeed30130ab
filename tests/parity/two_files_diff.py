#!/usr/bin/env python3
"""vocab.json + merges.txt without a tokenizer.json against transformers: `calmc tokenize DIR` gives AutoTokenizer's ids and decoded text, whatever
tokenizer_config.json, special_tokens_map.json and added_tokens.json beside them say.

    tests/parity/two_files_diff.py [--calmc build/calmc] [--write]      # --write: the fixture two_files, OPT's, and the lines that tests/e2e/tokenize.sh expects

The vocabulary is a small one of the goldens' (byte_words), with OPT's special tokens and GPT-2's. Needs transformers. Exit status 1 when anything differs.
"""
import argparse, json, os, random, subprocess, sys, tempfile
import transformers

from make_tokenizer_goldens import HAND, HERE
from tokenizer_diff import ROOT, random_text

transformers.logging.set_verbosity_error()


def token(content, **flags):
    return {"__type": "AddedToken", "content": content, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False, **flags}


OPT = {"unk_token": token("</s>"), "bos_token": token("</s>"), "eos_token": token("</s>"), "pad_token": token("<pad>"), "add_prefix_space": False,
       "add_bos_token": True, "tokenizer_class": "GPT2Tokenizer"}
LISTED = {"300": {"content": "[X]", "lstrip": False, "normalized": True, "rstrip": True, "single_word": False, "special": False},
          "301": {"content": "[Z]", "lstrip": True, "normalized": False, "rstrip": False, "single_word": False, "special": True}}
CASES = {
    "nothing": (None, {}),
    "gpt2": ({"tokenizer_class": "GPT2Tokenizer", "model_max_length": 10 ** 30}, {}),
    "opt": (OPT, {}),
    "no class": ({k: v for k, v in OPT.items() if k != "tokenizer_class"}, {}),
    "map": ({"add_bos_token": True}, {"special_tokens_map.json": {"bos_token": "</s>", "eos_token": "</s>", "unk_token": token("</s>", lstrip=True),
                                                                  "pad_token": "<pad>"}}),
    "added": ({"tokenizer_class": "GPT2Tokenizer"}, {"added_tokens.json": {"<Y>": 301, "[X]": 300}}),
    "listed": ({"added_tokens_decoder": LISTED, "extra_special_tokens": ["<A>", "[Z]"], "pad_token": "<pad>", "add_prefix_space": True}, {}),
    "around": ({"add_bos_token": True, "add_eos_token": True, "bos_token": "<pad>"}, {}),
    "none": ({"bos_token": None, "add_bos_token": True, "unk_token": None}, {}),
}


def write(folder, name, value):
    with open(f"{folder}/{name}", "w", encoding="utf-8") as f:
        json.dump(value, f, ensure_ascii=False)


def make(folder, config, more):
    model = json.load(open(f"{HERE}/synthetic/byte_words.json", encoding="utf-8"))["model"]
    vocab = {t: i for i, t in enumerate(sorted(model["vocab"], key=model["vocab"].get)) if i < 296}
    for t in ("<|endoftext|>", "</s>", "<pad>", "<unk>"):
        vocab[t] = len(vocab)
    merges = [m for m in model["merges"] if all(x in vocab for x in (*m, "".join(m)))]
    write(folder, "vocab.json", vocab)
    with open(f"{folder}/merges.txt", "w", encoding="utf-8") as f:
        f.write("#version: 0.2\n" + "".join(" ".join(m) + "\n" for m in merges))
    write(folder, "config.json", {"model_type": "gpt2"})
    if config is not None:
        write(folder, "tokenizer_config.json", config)
    for name, value in more.items():
        write(folder, name, value)


def fixture(folder):
    os.makedirs(folder, exist_ok=True)
    make(folder, *CASES["opt"])
    tok = transformers.AutoTokenizer.from_pretrained(folder)
    texts = ["Hello <pad> world </s>x", "def f(x): return x + 1\n", " don't  1234", "日本 é"]
    with open(f"{folder}/expected.txt", "w", encoding="utf-8") as f:
        for t in texts:
            f.write(json.dumps(t) + "\n" + json.dumps(tok(t, add_special_tokens=False)["input_ids"], separators=(",", ":")) + "\n")


def run(calmc, folder, lines, *more):
    r = subprocess.run([calmc, "tokenize", folder, *more], input="\n".join(map(json.dumps, lines)) + "\n", capture_output=True, text=True)
    if r.returncode:
        sys.exit(f"{folder}: {r.stderr}")
    return [json.loads(line) for line in r.stdout.split("\n") if line]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--calmc", default=f"{ROOT}/build/calmc")
    p.add_argument("--write", action="store_true")
    o = p.parse_args()
    if o.write:
        fixture(os.path.join(os.path.dirname(HERE), "two_files"))
        return
    bad = 0
    for name, (config, more) in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            make(folder, config, more)
            tok = transformers.AutoTokenizer.from_pretrained(folder)
            rng = random.Random(3)
            texts = HAND + [random_text(rng, ["</s>", "<pad>", "[X]", "[Z]", "<Y>", "<A>", "<|endoftext|>", "<unk>"]) for _ in range(500)]
            want = [tok(t, add_special_tokens=False)["input_ids"] for t in texts]
            mine = [a["ids"] for a in run(o.calmc, folder, texts)]
            back = run(o.calmc, folder, want, "--decode")
            text = [tok.backend_tokenizer.decode(ids) for ids in want]
            n = sum(a != b for a, b in zip(mine, want)) + sum(a != b for a, b in zip(back, text))
            for t, a, b in zip(texts, mine, want):
                if a != b:
                    print(f"{name}: {t!r}\n  calm {a[:30]}\n  want {b[:30]}")
                    break
            bad += n
            print(f"{name:10} {len(texts)} texts: {n} differ")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
