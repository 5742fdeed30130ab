"""Goldens of examples/real_pair/chrf.c (tests/e2e/real_pair.sh): rows as `app eval --dump` writes them and sacrebleu's corpus chrF (defaults) of
each file. Run: python3 tests/parity/make_chrf_golden.py (needs sacrebleu); writes tests/parity/chrf/NAME.jsonl and scores.txt: NAME, score of
the whole generated text, score of its first line."""
import json, os, random
import sacrebleu

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "chrf")
rng = random.Random(7)
SPACES = " \t\n\x0b\x1c\x85\xa0\u1680\u2003\u2028\u202f\u3000"
TEXTS = ["The councils meet in every province of the country.", "Kesho tutakwenda sokoni, kisha nyumbani.", "aaaa aaaa aaa", "x", "",
         "naïve café, Straße — “quoted”", "日本語の文章です。", "👩‍🚀 emoji 🙂🙂", "ตัวอย่างภาษาไทย", "e\u0301 o\u0308 combining", "1,234.56 % of it"]


def spoilt(text):
    """A text with some characters dropped, doubled, exchanged or put aside by white space."""
    out = []
    for c in text:
        k = rng.random()
        out += [] if k < 0.06 else [c, c] if k < 0.1 else [rng.choice("etaoin")] if k < 0.18 else [c, rng.choice(SPACES)] if k < 0.26 else [c]
    return "".join(out)


def first_line(text):
    return text.lstrip(" \n").split("\n", 1)[0]


def files():
    yield "mixed", [(spoilt(t), t) for t in TEXTS for _ in range(2)]
    yield "equal", [(t, t) for t in TEXTS]
    yield "apart", [("abc", "xyz"), ("", "words"), ("words", "")]
    yield "nothing", [("", "")]
    yield "short", [("ab", "abc"), ("abcdefg", "ab")]
    yield "lines", [(f" {spoilt(t)}\nSwahili: {u}\nEnglish: {t}", t) for t, u in zip(TEXTS, TEXTS[1:])]


os.makedirs(OUT, exist_ok=True)
with open(f"{OUT}/scores.txt", "w") as scores:
    for name, rows in files():
        with open(f"{OUT}/{name}.jsonl", "w") as f:
            for made, wanted in rows: f.write(json.dumps(dict(prompt="p", completion=wanted, generated=made, exact=made == wanted), ensure_ascii=rng.random() < 0.5) + "\n")
        score = lambda cut: sacrebleu.corpus_chrf([cut(m) for m, _ in rows], [[w for _, w in rows]]).score
        scores.write(f"{name} {score(lambda t: t):.4f} {score(first_line):.4f}\n")
