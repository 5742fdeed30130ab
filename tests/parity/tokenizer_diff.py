#!/usr/bin/env python3
"""Compares `calmc tokenize` with Hugging Face `tokenizers`: ids, byte spans (widened to whole characters, trim_offsets off) and decoded text.

    tests/parity/tokenizer_diff.py [--calmc build/calmc] [--rounds 100000] [--only NAME] [--no-data]

Per tokenizer that is on this machine: all text of ../shared/data (English, Swahili, code), cut into pieces of about 32 KB at line ends, and
seeded random strings: emoji, CJK, combining marks, Thai, control characters, odd spaces, added tokens and their beginnings. GPT-2's
tokenizer.json is put together from encoder.json and vocab.bpe. Run on demand: the tests have a few hundred of these cases as goldens
(make_tokenizer_goldens.py). Exit status 1 when anything differs.
"""
import argparse, gzip, json, os, random, subprocess, sys, tempfile
from tokenizers import Tokenizer

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.environ.get("CALM_SHARED", os.path.join(os.path.dirname(ROOT), "shared")) + "/data"
REAL = os.path.expanduser("~/.cache/calm-real")
BATCH = 2000


def gpt2(folder):
    """A tokenizer.json from GPT-2's own files."""
    base = f"{SHARED}/tokenizers/gpt2"
    with open(f"{base}/vocab.bpe", encoding="utf-8") as f:
        merges = [line for line in f.read().split("\n")[1:] if line]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": True}
    with open(f"{base}/encoder.json", encoding="utf-8") as f:
        vocab = json.load(f)
    end = {"id": 50256, "content": "<|endoftext|>", "special": True, "normalized": False, "single_word": False, "lstrip": False, "rstrip": False}
    with open(f"{folder}/tokenizer.json", "w", encoding="utf-8") as f:
        json.dump({"version": "1.0", "added_tokens": [end], "normalizer": None, "pre_tokenizer": byte_level, "post_processor": None,
                   "decoder": byte_level, "model": {"type": "BPE", "vocab": vocab, "merges": merges}}, f)
    return f"{folder}/tokenizer.json"


def data_texts():
    for folder, _, names in sorted(os.walk(SHARED)):
        if any(part in folder for part in ("/weights", "/tokenizers", "/real")):
            continue
        for name in sorted(names):
            path = f"{folder}/{name}"
            raw = (gzip.open if name.endswith(".gz") else open)(path, "rb").read()
            try:
                lines = raw.decode().splitlines(keepends=True)
            except UnicodeDecodeError:
                print(f"not text: {path}", file=sys.stderr)
                continue
            piece, size = [], 0
            for line in lines:
                piece.append(line)
                size += len(line)
                if size >= 32768:
                    yield "".join(piece)
                    piece, size = [], 0
            if piece:
                yield "".join(piece)


def assigned(low, high):
    return [chr(c) for c in range(low, high)]


KINDS = [
    list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"), list("0123456789"), list(".,;:!?'\"()[]{}<>/\\|-_=+*&^%$#@~`"), [" "], [" ", "\n"],
    ["'s", "'t", "'re", "'LL", "n't", "’s"], assigned(0, 32) + ["\x7f", "\x85"], ["\u00a0", "\u1680", "\u2003", "\u2009", "\u2028", "\u2029", "\u202f",
     "\u205f", "\u3000", "\u200b", "\ufeff", "\u180e", "\t", "\r", "\r\n", "\v", "\f"], assigned(0x300, 0x370) + ["\u20d0", "\u0323", "\u3099"],
    assigned(0xe01, 0xe3b) + assigned(0xe40, 0xe5c), assigned(0x4e00, 0x5100) + ["𠮷", "𩸽"], assigned(0x3041, 0x3097) + assigned(0x30a1, 0x30fb),
    assigned(0xac00, 0xac80) + ["\u1100", "\u1161", "\u11a8"], assigned(0xc0, 0x250), assigned(0x391, 0x3a2) + assigned(0x410, 0x450),
    assigned(0x5d0, 0x5eb) + assigned(0x627, 0x64b), assigned(0x905, 0x93a) + ["\u093e", "\u094d", "\u093c"], assigned(0x1f600, 0x1f650),
    ["👍🏽", "👨‍👩‍👧‍👦", "🇰🇪", "🇯🇵", "❤️", "\u200d", "\ufe0f", "\U0001f3fd"], ["½", "²", "Ⅷ", "٣", "①", "ﬁ", "Å", "Ω", "K", "ẛ\u0323", "\u0344"],
    ["▁", "▁▁", "Ġ", "Ċ", "<0x41>", "�", "\ue000", "\U0001d4d0"],
]


def random_text(rng, added):
    out = []
    for _ in range(rng.randint(1, 8)):
        kind = rng.random()
        if kind < 0.15 and added:
            token = rng.choice(added)
            out.append(token if rng.random() < 0.6 else token[:rng.randint(1, len(token))])
        elif kind < 0.25:
            out.append(rng.choice((" ", "  ", "\n", " \n", "\n\n", "\t", "   ")))
        elif kind < 0.3:
            out.append(rng.choice(rng.choice(KINDS)) * rng.randint(2, 20))
        else:
            chars = rng.choice(KINDS)
            out.append("".join(rng.choice(chars) for _ in range(rng.randint(1, 6))))
    return "".join(out)


def widen(spans, text):
    """Byte spans to spans of whole characters, as Hugging Face counts them."""
    raw = text.encode()
    if len(raw) == len(text):
        return [tuple(s) for s in spans]
    begins = [i for i, b in enumerate(raw) if b & 0xC0 != 0x80]
    char, at = [0] * (len(raw) + 1), -1
    for i, b in enumerate(raw):
        at += b & 0xC0 != 0x80
        char[i] = at
    char[len(raw)] = len(begins)
    return [(char[b], char[e - 1] + 1 if e > b else char[e]) for b, e in spans]


class Calm:
    def __init__(self, calmc, path):
        self.args = [calmc, "tokenize", path]

    def run(self, lines, *more):
        r = subprocess.run(self.args + list(more), input="\n".join(lines) + "\n", capture_output=True, text=True)
        if r.returncode:
            sys.exit(f"{' '.join(self.args)}: {r.stderr}")
        return [json.loads(line) for line in r.stdout.split("\n") if line]


def compare(name, calm, tok, texts, what):
    bad = n = size = 0
    for at in range(0, len(texts), BATCH):
        part = texts[at:at + BATCH]
        mine = calm.run([json.dumps(t) for t in part])
        theirs = tok.encode_batch(part, add_special_tokens=False)
        back = calm.run([json.dumps(e.ids) for e in theirs], "--decode")
        decoded = tok.decode_batch([e.ids for e in theirs])
        if not len(mine) == len(theirs) == len(back):
            sys.exit(f"{name}: {len(mine)} lines for {len(theirs)} texts")
        for text, a, e, b, d in zip(part, mine, theirs, back, decoded):
            n, size = n + 1, size + len(text.encode())
            wrong = ("ids" if a["ids"] != e.ids else "spans" if widen(a["offsets"], text) != e.offsets else "decoded text" if b != d else None)
            if wrong:
                bad += 1
                if bad <= 5:
                    print(f"{name}: {wrong} differ on {text[:200]!r}\n  calm {a['ids'][:40]} {a['offsets'][:40]}\n  want {e.ids[:40]} {e.offsets[:40]}")
    print(f"{name:12} {what:8} {n:7} texts {size / 1e6:7.1f} MB: {bad} differ", flush=True)
    return bad


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--calmc", default=f"{ROOT}/build/calmc")
    p.add_argument("--rounds", type=int, default=100000, help="random strings per tokenizer")
    p.add_argument("--only", help="one tokenizer")
    p.add_argument("--no-data", action="store_true", help="random strings only")
    p.add_argument("--write-gpt2", metavar="DIR", help="only put GPT-2's tokenizer.json together, in DIR")
    o = p.parse_args()
    if o.write_gpt2:
        gpt2(o.write_gpt2)
        return
    where = {"stories260k": f"{SHARED}/weights/stories260k/hf", "smollm2": f"{REAL}/smollm2-135m", "gemma3": f"{REAL}/gemma3-270m",
             "llama3": f"{REAL}/tokenizers/llama3", "qwen3": f"{REAL}/tokenizers/qwen3", "gpt2": None}
    if o.only and o.only not in where:
        sys.exit(f"--only takes one of {', '.join(where)}")
    bad = 0
    data = [] if o.no_data else list(data_texts())
    with tempfile.TemporaryDirectory() as tmp:
        for name, folder in where.items():
            if o.only and name != o.only:
                continue
            path = f"{folder}/tokenizer.json" if folder else f"{SHARED}/tokenizers/gpt2/encoder.json"
            if not os.path.exists(path):
                print(f"skipped {name}: no {path}")
                continue
            path = path if folder else gpt2(tmp)
            with open(path, encoding="utf-8") as f:
                d = json.load(f)
            d["post_processor"] = None            # it only trims offsets here
            tok = Tokenizer.from_str(json.dumps(d))
            added = [a["content"] for a in d["added_tokens"]]
            rng = random.Random(11)
            calm = Calm(o.calmc, path)
            if data:
                bad += compare(name, calm, tok, data, "data")
            bad += compare(name, calm, tok, [random_text(rng, added) for _ in range(o.rounds)], "random")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
