"""Goldens of tests/unit/test_textscore.c and examples/real_pair/chrf.c: rows as `app eval --out` writes them, and sacrebleu's corpus chrF and BLEU
(defaults) of each file. Run: python3 tests/parity/make_chrf_golden.py (needs sacrebleu); writes tests/parity/chrf/NAME.jsonl, scores.txt: NAME, chrF of
the whole generated text, of its first line; and bleu.txt: NAME, BLEU of the corpus, mean of its sentences'."""
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


WORDS = """the The cat's mat. on, 1,234.5 3.14, .5 5. 10-12 well-known -7 (a) [b] {c} a/b a|b ~ @x #1 $2.50 50% &amp; &lt;i&gt; &amp;lt; &quot;q&quot; &
<skipped> e.g. U.S.A. “quoted” ‘it’ – — … ¿qué? naïve Straße: serikali; wa-nafunzi ya, habari! 日本語。 文章、 १२३ ٣٫٥ ٣.٥ \u00a0 \u200b \u3000 x\ufeff 👩‍🚀""".split(" ")
GAPS = [" ", " ", " ", " ", "  ", "\n", "-\n", "\t", "\r\n", "\x85", "\u2028", ""]


def words(n):
    return "".join(rng.choice(WORDS) + rng.choice(GAPS) for _ in range(n))


def altered(text):
    """Some words of it dropped, exchanged or put in, so that longer n-grams are met too."""
    out = []
    for w in text.split(" "):
        k = rng.random()
        out += [] if k < 0.05 else [rng.choice(WORDS)] if k < 0.12 else [w, rng.choice(WORDS)] if k < 0.18 else [w]
    return " ".join(out)


def of_words():
    for name, n in ("words", 14), ("long", 60), ("few", 2):
        refs = [words(rng.randrange(1, n)) for _ in range(24)]
        yield name, [(altered(r), r) for r in refs]
    yield "unlike", [(words(9), words(9)) for _ in range(12)]


def write(name, rows):
    with open(f"{OUT}/{name}.jsonl", "w") as f:
        for made, wanted in rows: f.write(json.dumps(dict(prompt="p", completion=wanted, generated=made, exact=made == wanted), ensure_ascii=rng.random() < 0.5) + "\n")


def bleu(rows):
    all = sacrebleu.corpus_bleu([m for m, _ in rows], [[w for _, w in rows]]).score
    return f"{all:.4f} {sum(sacrebleu.sentence_bleu(m, [w]).score for m, w in rows) / len(rows):.4f}"


os.makedirs(OUT, exist_ok=True)
with open(f"{OUT}/scores.txt", "w") as scores, open(f"{OUT}/bleu.txt", "w") as bleus:
    for name, rows in files():
        write(name, rows)
        score = lambda cut: sacrebleu.corpus_chrf([cut(m) for m, _ in rows], [[w for _, w in rows]]).score
        scores.write(f"{name} {score(lambda t: t):.4f} {score(first_line):.4f}\n")
        bleus.write(f"{name} {bleu(rows)}\n")
    for name, rows in of_words():
        write(name, rows)
        bleus.write(f"{name} {bleu(rows)}\n")
