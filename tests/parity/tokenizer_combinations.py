#!/usr/bin/env python3
"""Random combinations of components against Hugging Face `tokenizers`: `calmc tokenize` gives the same ids, byte spans (widened to whole characters)
and decoded text, or refuses the tokenizer.json in a line that names the component.

    tests/parity/tokenizer_combinations.py [--calmc build/calmc] [--rounds 200] [--texts 200] [--seed 1] [--keep DIR]

Each round draws normalizers, pre-tokenizers, a model (BPE with its options, Unigram), decoders, and trains a small vocabulary through them. Where
Hugging Face itself fails on a text (it panics on some) the text is left out. Exit status 1 when anything differs, or a refusal names nothing.
"""
import argparse, base64, json, os, random, subprocess, sys, tempfile
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from charsmap import small_charsmap
from make_tokenizer_goldens import CORPUS, HAND
from tokenizer_diff import ROOT, random_text, widen

TAKEN = ("Prepend Replace Strip Lowercase StripAccents Nmt Precompiled NFC NFD NFKC NFKD Split Digits WhitespaceSplit Whitespace Punctuation "
         "UnicodeScripts Metaspace ByteLevel ByteFallback Fuse BPEDecoder").split()


def draw_normalizers(rng):
    kinds = [
        lambda: {"type": "Prepend", "prepend": rng.choice(("▁", "_", " "))},
        lambda: {"type": "Replace", "pattern": {"String": rng.choice((" ", "a", "ab", "``"))}, "content": rng.choice(("▁", "", "''", "a"))},
        lambda: {"type": "Replace", "pattern": {"Regex": rng.choice((" {2,}", "a+", r"\s+", "[0-9]{2}"))}, "content": rng.choice((" ", "▁", "x"))},
        lambda: {"type": "Strip", "strip_left": rng.random() < 0.5, "strip_right": rng.random() < 0.5},
        lambda: {"type": "Lowercase"}, lambda: {"type": "StripAccents"}, lambda: {"type": "Nmt"},
        lambda: {"type": "NFC"}, lambda: {"type": "NFD"}, lambda: {"type": "NFKC"}, lambda: {"type": "NFKD"},
        lambda: {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(small_charsmap(rng)).decode()},
        lambda: {"type": "ByteLevel"},
        lambda: {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
    ]
    weights = [2] * (len(kinds) - 2) + [0.3, 0.3]
    return [f() for f in rng.choices(kinds, weights, k=rng.choice((0, 1, 1, 2, 3)))]


BEHAVIORS = ("Isolated", "Removed", "Contiguous", "MergedWithPrevious", "MergedWithNext")


def draw_pretokenizers(rng):
    kinds = [
        lambda: {"type": "Split", "pattern": rng.choice(({"Regex": r"\w+|[^\w\s]+"}, {"Regex": r" ?\p{L}+|\s+"}, {"String": " "}, {"String": ","})),
                 "behavior": rng.choice(BEHAVIORS), "invert": rng.random() < 0.3},
        lambda: {"type": "Digits", "individual_digits": rng.random() < 0.5},
        lambda: {"type": "WhitespaceSplit"}, lambda: {"type": "Whitespace"}, lambda: {"type": "UnicodeScripts"},
        lambda: {"type": "Punctuation", "behavior": rng.choice(BEHAVIORS)},
        lambda: {"type": "Metaspace", "replacement": "▁", "prepend_scheme": rng.choice(("always", "first", "never")), "split": rng.random() < 0.7},
        lambda: {"type": "ByteLevel", "add_prefix_space": rng.random() < 0.5, "trim_offsets": False, "use_regex": rng.random() < 0.5},
        lambda: {"type": "CharDelimiterSplit", "delimiter": "a"}, lambda: {"type": "BertPreTokenizer"},
    ]
    weights = [2] * (len(kinds) - 2) + [0.3, 0.3]
    return [f() for f in rng.choices(kinds, weights, k=rng.choice((0, 1, 1, 2, 2, 3)))]


def draw_decoders(rng, level, suffix):
    if level:
        return [{"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}]
    kinds = [
        lambda: {"type": "Metaspace", "replacement": "▁", "prepend_scheme": rng.choice(("always", "first", "never")), "split": True},
        lambda: {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
        lambda: {"type": "ByteFallback"}, lambda: {"type": "Fuse"},
        lambda: {"type": "BPEDecoder", "suffix": suffix or "</w>"},
        lambda: {"type": "WordPiece", "prefix": "##", "cleanup": False},
    ]
    return [f() for f in rng.choices(kinds, [2, 2, 2, 1, 3 if suffix else 0.5, 0.2], k=rng.choice((0, 1, 1, 2, 3)))]


def sequence(l, members):
    return None if not l else l[0] if len(l) == 1 else {"type": "Sequence", members: l}


def draw(rng):
    """A tokenizer.json, as a dict."""
    unigram = rng.random() < 0.4
    prefix, suffix = (None, None) if unigram else (rng.choice((None, None, None, "##", "")), rng.choice((None, None, None, "</w>")))
    fallback = rng.random() < 0.4
    norm, pre = draw_normalizers(rng), draw_pretokenizers(rng)
    level = any(p["type"] == "ByteLevel" for p in pre)
    d = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": sequence(norm, "normalizers"),
         "pre_tokenizer": sequence(pre, "pretokenizers"), "post_processor": None, "decoder": sequence(draw_decoders(rng, level, suffix), "decoders"),
         "model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0]], "byte_fallback": False} if unigram else
                  {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": prefix, "end_of_word_suffix": suffix,
                   "fuse_unk": rng.random() < 0.5, "byte_fallback": False, "ignore_merges": rng.random() < 0.2, "vocab": {"<unk>": 0}, "merges": []}}
    tok = Tokenizer.from_str(json.dumps(d))
    size = rng.randint(60, 300)
    special = ["<unk>", "<s>"]
    if unigram:
        trainer = trainers.UnigramTrainer(vocab_size=size, show_progress=False, special_tokens=special, unk_token="<unk>")
    else:
        more = {k: v for k, v in (("continuing_subword_prefix", prefix), ("end_of_word_suffix", suffix)) if v}
        trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, special_tokens=special, **more)
    tok.train_from_iterator(CORPUS * 20, trainer)
    tok.add_tokens([AddedToken("word", single_word=rng.random() < 0.5), AddedToken("[L]", lstrip=True, normalized=rng.random() < 0.5)])
    made = json.loads(tok.to_str())
    for key in ("ignore_merges", "fuse_unk"):
        if key in d["model"]:
            made["model"][key] = d["model"][key]
    if fallback:
        for b in range(256):
            if rng.random() < 0.999:
                t = f"<0x{b:02X}>"
                if unigram:
                    made["model"]["vocab"].append([t, 0.0])
                else:
                    made["model"]["vocab"].setdefault(t, max(made["model"]["vocab"].values()) + 1)
        made["model"]["byte_fallback"] = True
        n = len(made["model"]["vocab"])                     # added tokens lie behind the vocabulary
        known = {v[0] for v in made["model"]["vocab"]} if unigram else made["model"]["vocab"]
        for i, a in enumerate(x for x in made["added_tokens"] if x["content"] not in known):
            a["id"] = n + i
    if rng.random() < 0.15:                                 # what a later text may not be: unknown without a token for it
        made["model"]["unk_id" if unigram else "unk_token"] = None
    return made


def encode(tok, text):
    try:
        e = tok.encode(text, add_special_tokens=False)
        return e.ids, e.offsets, tok.decode(e.ids)
    except BaseException as e:
        if isinstance(e, KeyboardInterrupt):
            raise
        return None


def run(calmc, path, lines, *more):
    return subprocess.run([calmc, "tokenize", path, *more], input="\n".join(map(json.dumps, lines)) + "\n", capture_output=True, text=True)


def one(o, k, folder):
    """'right', 'refused', or what is wrong."""
    rng = random.Random(o.seed * 1000003 + k)
    try:
        d = draw(rng)
        tok = Tokenizer.from_str(json.dumps(d))
    except BaseException as e:
        if isinstance(e, KeyboardInterrupt):
            raise
        return "not made: Hugging Face fails"
    path = f"{folder}/{k}.json"
    with open(path, "w", encoding="utf-8") as f:
        json.dump(d, f, ensure_ascii=False)
    texts = HAND + [random_text(rng, ["word", "[L]", "<s>"]) for _ in range(o.texts)]
    want = [(t, *w) for t in texts if (w := encode(tok, t))]
    r = run(o.calmc, path, [w[0] for w in want])
    if r.returncode == 1 and path in r.stderr:
        told = r.stderr.split(path, 1)[1].strip()
        kinds = [x["type"] for l in ("normalizer", "pre_tokenizer", "decoder") if d[l] for x in (d[l].get(l.replace("_", "") + "s") or [d[l]])]
        named = [w for w in kinds + ["byte_fallback", "unk_id", "continuing_subword_prefix", "end_of_word_suffix", "Replace"] if f'{w}' in told]
        return f"refused{told}" if named and "not supported" in told else f"WRONG: refused without naming a component{told}"
    if r.returncode:
        return f"WRONG: exit status {r.returncode}: {r.stderr}"
    mine = [json.loads(l) for l in r.stdout.split("\n") if l]
    back = run(o.calmc, path, [w[1] for w in want], "--decode")
    if back.returncode:
        return f"WRONG: decoding: {back.stderr}"
    text_of = [json.loads(l) for l in back.stdout.split("\n") if l]
    if len(mine) != len(want) or len(text_of) != len(want):
        return f"WRONG: {len(mine)} lines of {len(want)}"
    for (text, ids, spans, decoded), a, b in zip(want, mine, text_of):
        wrong = "ids" if a["ids"] != ids else "spans" if widen(a["offsets"], text) != [tuple(s) for s in spans] else "text" if b != decoded else None
        if wrong:
            return (f"WRONG {wrong} on {text!r}\n  calm {a['ids'][:30]} {widen(a['offsets'], text)[:30]} {b!r}\n  want {ids[:30]} {spans[:30]} {decoded!r}\n  "
                    + json.dumps({x: d[x] for x in ("normalizer", "pre_tokenizer", "decoder")})[:700] +
                    json.dumps({x: y for x, y in d["model"].items() if x not in ("vocab", "merges")}))
    return "right" if len(want) * 4 >= len(texts) else "not made: Hugging Face fails on most texts"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--calmc", default=f"{ROOT}/build/calmc")
    p.add_argument("--rounds", type=int, default=200)
    p.add_argument("--texts", type=int, default=200, help="random texts a combination")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--only", type=int, help="one round")
    p.add_argument("--keep", metavar="DIR", help="where the tokenizers are written")
    o = p.parse_args()
    count = {}
    with tempfile.TemporaryDirectory() as tmp:
        for k in range(o.rounds) if o.only is None else [o.only]:
            said = one(o, k, o.keep or tmp)
            kind = said.split(":")[0].split(" ")[0]
            count[kind] = count.get(kind, 0) + 1
            if kind != "right":
                print(f"{k}: {said}", flush=True)
    print(", ".join(f"{n} {kind}" for kind, n in sorted(count.items())))
    sys.exit(1 if "WRONG" in count else 0)


if __name__ == "__main__":
    # Hugging Face's panics say so on standard error, and are no news here.
    os.environ["RUST_BACKTRACE"] = "0"
    main()
