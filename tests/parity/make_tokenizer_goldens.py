#!/usr/bin/env python3
"""Makes the tokenizer goldens with Hugging Face `tokenizers` (the tests need neither it nor Python).

tests/parity/tokenizer/
  texts.json          the texts: written by hand below, and seeded mixtures of their fragments
  synthetic/*.json    small tokenizers of every flavour, trained here
  NAME.json           per tokenizer: ids around a text ("prefix", "suffix"), one digest per text of ids, byte spans and decoded text, and
                      one digest for each of 64 seeded random id sequences, decoded
  stories260k-ten.json  ten texts with their ids in full

digest = first 16 hex digits of SHA-256 over "id,id,…|begin-end,…|decoded text". Spans are in bytes, with trim_offsets off.
Real tokenizers are read from where they are on this machine and left out when absent.
"""
import hashlib, json, os, random, sys
from tokenizers import AddedToken, Tokenizer, Regex, decoders, models, normalizers, pre_tokenizers, processors, trainers

from charsmap import small_charsmap

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tokenizer")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.environ.get("CALM_SHARED", os.path.join(os.path.dirname(ROOT), "shared")) + "/data"
REAL = os.path.expanduser("~/.cache/calm-real")

HAND = [
    "", " ", "  ", "\n", "\t", "a", "A", " a", "a ", "  a  b  ", "Hello, world!", "Hello,   world!  ", "I'm you're we've they'll he'd it's don't",
    "I'M YOU'RE WE'VE", "Once upon a time, there was a little girl named Lily.", "The quick brown fox\njumps over\n\nthe lazy dog.\n",
    "def f(x):\n    return x ** 2  # square\n\nprint(f(3))\n", "for (int i = 0; i < n; i++) { s += a[i]; }\t\t// sum", "x=1;y=2;;z+=x*y",
    "1234567890", "12 345 6789 3.14159 1e-5", "year 2024, $19.99 (20%)", "Habari ya asubuhi? Ninakupenda sana.", "Mtoto anasoma kitabu shuleni.",
    "日本語のテキスト", "これはペンです。", "東京都、2024年", "한국어 문장입니다.", "Привет, мир!", "Γειά σου Κόσμε", "שלום עולם", "مرحبا بالعالم",
    "नमस्ते दुनिया", "สวัสดีชาวโลก", "😀", "😀😃 hi 👍🏽", "👨‍👩‍👧‍👦 family", "🇯🇵🇰🇪", "e\u0301 é", "cafe\u0301 café", "A\u030a Å Å",
    "q\u0307\u0323 q\u0323\u0307", "\u1e9b\u0323", "ﬁ ﬀ ℌ ① ½ ㎏", "각 \u1100\u1161\u11a8", "\u0344 \u0340", "İstanbul ISTANBUL ıi", "ſ 'ſ K Å",
    "\u00a0nbsp\u00a0", "em\u2003space\u2009thin", "zero\u200bwidth\u200d\u200c", "\u3000全角\u3000", "line\r\nfeed\r\rx", "\x0b\x0c\x1c\x85", "\ufeffbom",
    "tab\t\ttab", "   \n  \n x", "\n\n\n\n", " \n", "a\n b", "▁ under▁line ▁▁", "Ġ Ċ ġ", "<0x41> <0x0A>", "\x00\x01\x7f", "ÿþ ñ ß ẞ", "naïve façade",
    "<s>", "a<s>b", "</s> x </s>", "<unk>", "<|endoftext|>", "hi<|endoftext|>there", "<|im_start|>user\nhi<|im_end|>\n", "<bos><eos><pad>",
    "<think> hmm </think>", "<think", "<|eot_id|><|begin_of_text|>", "[MASK]", " [MASK] ", "x[MASK]y", "a  [MASK]  b", "[mask]", "word Word words", "wordy aword word",
    "WORD", "[L] a  [L] b", "x [R]  y", "[LONG]", "[LONG][LONGER]", "[LONGE", "café [nrm] Café [NRM]", "ab" * 40, "a" * 100, " " * 30 + "x", "!?!?...---",
    "http://example.com/a?b=c&d=e#f", "C:\\path\\to\\file", "\"quoted\" 'single' `tick`", "{\"k\": [1, 2.5, null]}", "e=mc²  x³ H₂O", "½ Ⅷ ٣ ३ 四",
    "_ab+xyz>5+2.", "^_ab+xyz=5+2=+007.", "ok\u180eok", "\U0001d54f\U0001d4d0 math", "𠮷野家", "\ufffd bad", "\ue000 private", "a\u0301\u0302\u0303b", "\u0301start",
    "don’t “quote” — dash…", "Zażółć gęślą jaźń", "Đặng Việt Ngữ", "ﷺ", "\u2028\u2029", "a\u0000b", "…", "'s 't 're ' s", "it''s", "\t\n \t\n", "5'10\" tall",
    "mc² x½y ¹²³ Ⓐⓩ🄰 ①", "\u200bzero\u200b width", "\x01\x02start \x01", "ﬁ\x01x ﬁ", "e\u0301\u0301 \u0600a a\u0600", "Łódź ŁÓDŹ", "漢字カナかなーー한글 latin кир 123",
    "....", "aaaa aaa aa", "\u2581\u2581x", "©\u200d x", "<unk>é<unk>",
]


def texts():
    rng = random.Random(7)
    frag = [f for t in HAND for f in (t, *t.split(" ")) if f and len(f) < 24] + [" ", "  ", "\n", " \n ", "<s>", "[MASK]", " word ", "[L]", "[R]"]
    mixed = ["".join(rng.choice(frag) for _ in range(rng.randint(2, 9))) for _ in range(220)]
    return HAND + mixed


def byte_spans(text, offsets):
    at = [0]
    for c in text:
        at.append(at[-1] + len(c.encode()))
    return [(at[b], at[e]) for b, e in offsets]


def digest(s):
    return hashlib.sha256(s.encode()).hexdigest()[:16]


def golden(path_or_tok, all_texts):
    tok = path_or_tok if isinstance(path_or_tok, Tokenizer) else Tokenizer.from_file(path_or_tok)
    with_specials = tok.encode("a", add_special_tokens=True).ids
    plain = tok.encode("a", add_special_tokens=False).ids
    at = next(i for i in range(len(with_specials) + 1) if with_specials[i:i + len(plain)] == plain)
    d = json.loads(tok.to_str())
    d["post_processor"] = None                    # it only moves offsets here
    tok = Tokenizer.from_str(json.dumps(d))
    out = {"prefix": with_specials[:at], "suffix": with_specials[at + len(plain):], "texts": [], "random": []}
    for t in all_texts:
        e = tok.encode(t, add_special_tokens=False)
        s = ",".join(map(str, e.ids)) + "|" + ",".join(f"{b}-{x}" for b, x in byte_spans(t, e.offsets)) + "|" + tok.decode(e.ids)
        out["texts"].append(digest(s))
    vocab = max(tok.get_vocab(with_added_tokens=True).values()) + 1
    out["vocab"] = vocab
    x = 1
    for _ in range(64):
        ids = []
        for _ in range(24):
            x = (x * 1103515245 + 12345) % 2 ** 31
            ids.append((x >> 8) % vocab if x % 3 else (x >> 8) % min(vocab, 300))   # low ids are where the bytes mostly are
        out["random"].append(digest(tok.decode(ids)))
    return out


CORPUS = ["once upon a time there was a little girl the word and the other words are here. " * 3, "Hello world! 1234 5678 don't it's",
          "def f(x): return x + 1\n", "Habari ya asubuhi mtoto anasoma kitabu", "café naïve 日本語 日本 Привет ab ab abab", "    indent  two\n\n"]


def train(tok, size, **kw):
    tok.train_from_iterator(CORPUS * 20, trainers.BpeTrainer(vocab_size=size, show_progress=False, **kw))
    return tok


def train_unigram(tok, size):
    tok.train_from_iterator(CORPUS * 20, trainers.UnigramTrainer(vocab_size=size, show_progress=False, special_tokens=["<unk>"], unk_token="<unk>"))
    return tok


def flags(tok):
    tok.add_special_tokens([AddedToken("<s>", special=True), AddedToken("</s>", special=True), AddedToken("[MASK]", lstrip=True, special=True)])
    tok.add_tokens([AddedToken("word", single_word=True), AddedToken("[L]", lstrip=True, normalized=False), AddedToken("[R]", rstrip=True),
                    AddedToken("[LONG]", normalized=False), AddedToken("[LONGER]", normalized=False), AddedToken("[NRM]", normalized=True)])
    return tok


def byte_fallback_vocab(tok, drop=()):
    """Adds <0xNN> tokens behind the trained ones, and turns byte fallback on."""
    d = json.loads(tok.to_str())
    v = d["model"]["vocab"]
    for b in range(256):
        if b not in drop:
            v[f"<0x{b:02X}>"] = len(v)
    d["model"]["byte_fallback"] = True
    return Tokenizer.from_str(json.dumps(d))


GPT2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def synthetic():
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    yield "byte_words", flags(train(t, 330, initial_alphabet=alphabet))

    t = Tokenizer(models.BPE(ignore_merges=True))
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(GPT2), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    t = flags(train(t, 330, initial_alphabet=alphabet))
    t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B", special_tokens=[("<s>", t.token_to_id("<s>")), ("</s>", t.token_to_id("</s>"))])])
    yield "byte_triples", t

    t = Tokenizer(models.BPE())
    t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(), normalizers.Strip()])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=True)])
    t.decoder = decoders.ByteLevel()
    yield "byte_digits", flags(train(t, 320, initial_alphabet=alphabet))

    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=False), pre_tokenizers.Digits(individual_digits=False),
        pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")])
    t.decoder = decoders.ByteLevel()
    yield "byte_punctuation", flags(train(t, 340, initial_alphabet=alphabet))

    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t = train(t, 120, special_tokens=["<unk>", "<s>", "</s>"])
    t = byte_fallback_vocab(t)
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 1)])
    yield "fallback_prepend", flags(t)

    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    t.normalizer = normalizers.Replace("  ", "_")
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    t = byte_fallback_vocab(train(t, 120, special_tokens=["<unk>"]), drop=range(0x80, 0x90))
    t.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="first")])
    yield "fallback_metaspace", flags(t)

    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=False))
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"\w+"), "contiguous", invert=True), pre_tokenizers.Split(",", "merged_with_previous"),
        pre_tokenizers.Split(Regex(r"[!.]"), "merged_with_next"), pre_tokenizers.Split(Regex(r"\s{2}|x?"), "isolated"),
        pre_tokenizers.Split("?", "removed"), pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.Metaspace(prepend_scheme="always", split=False)])
    t = train(t, 100, special_tokens=["<unk>"])
    t.normalizer = normalizers.NFD()
    t.decoder = decoders.Metaspace()
    yield "splits", flags(t)

    chars = "^._+-=>abcdefghijklmnopqrstuvwxyz0123456789"
    t = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(["<unk>", "<eos>", *chars])}, merges=[], unk_token="<unk>"))
    t.decoder = decoders.Fuse()
    t.add_special_tokens(["<unk>", "<eos>"])
    yield "chars", t

    t = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>", fuse_unk=False))
    t.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation("isolated")])
    t.decoder = decoders.BPEDecoder("</w>")
    yield "word_ends", flags(train(t, 120, special_tokens=["<unk>"], end_of_word_suffix="</w>"))

    t = Tokenizer(models.BPE(unk_token="<unk>", continuing_subword_prefix="##", fuse_unk=True))
    t.normalizer = normalizers.Nmt()
    t.pre_tokenizer = pre_tokenizers.UnicodeScripts()
    yield "scripts", flags(train(t, 120, special_tokens=["<unk>"], continuing_subword_prefix="##"))

    # T5's and mT5's
    t = Tokenizer(models.Unigram([("<unk>", 0.0)], 0, False))
    t.normalizer = normalizers.Precompiled(small_charsmap())
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    t.decoder = decoders.Metaspace()
    t = flags(train_unigram(t, 160))
    t.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", t.token_to_id("</s>"))])
    yield "unigram_words", t

    # XGLM's, with bytes
    t = Tokenizer(models.Unigram([("<unk>", 0.0)], 0, False))
    t.normalizer = normalizers.Sequence([normalizers.Precompiled(small_charsmap()), normalizers.Replace(Regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    t = train_unigram(t, 160)
    d = json.loads(t.to_str())
    d["model"]["vocab"] += [[f"<0x{b:02X}>", 0.0] for b in range(256)]
    d["model"]["byte_fallback"] = True
    t = Tokenizer.from_str(json.dumps(d))
    t.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="first")])
    yield "unigram_bytes", flags(t)

    t = Tokenizer(models.Unigram([("<unk>", 0.0)], 0, False))
    t.normalizer = normalizers.Replace(" ", "▁")
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse()])
    yield "unigram_whole", flags(train_unigram(t, 160))

    # Without a token for what is unknown, that is left out, and what follows in the piece is placed too early.
    t = Tokenizer(models.BPE())
    t.decoder = decoders.Fuse()
    yield "left_out", train(t, 60, limit_alphabet=24)

    # What is put before a text shares its first character's place, and a token that takes the spaces before it keeps that character open.
    t = Tokenizer(models.Unigram([("<unk>", 0.0)], 0, False))
    t.normalizer = normalizers.Sequence([normalizers.Replace(Regex(" {2,}"), " "), normalizers.NFC(), normalizers.Prepend("_")])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Metaspace(split=False), pre_tokenizers.Punctuation("isolated")])
    t = train_unigram(t, 100)
    t.add_tokens([AddedToken("[L]", lstrip=True, normalized=True)])
    yield "unigram_spaces", t


def gpt2():
    base = f"{SHARED}/tokenizers/gpt2"
    merges = [tuple(l.split(" ")) for l in open(f"{base}/vocab.bpe", encoding="utf-8").read().split("\n")[1:] if l]
    t = Tokenizer(models.BPE(vocab=json.load(open(f"{base}/encoder.json")), merges=merges))
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.add_special_tokens(["<|endoftext|>"])
    return t


def save(name, obj):
    with open(f"{HERE}/{name}.json", "w", encoding="utf-8") as f:
        json.dump(obj, f, ensure_ascii=False, separators=(",", ":"))
        f.write("\n")


def main():
    os.makedirs(f"{HERE}/synthetic", exist_ok=True)
    all_texts = texts()
    save("texts", all_texts)
    for name, tok in synthetic():
        d = json.loads(tok.to_str())
        if name == "fallback_metaspace":          # the older way to write merges
            d["model"]["merges"] = [" ".join(m) for m in d["model"]["merges"]]
        with open(f"{HERE}/synthetic/{name}.json", "w", encoding="utf-8") as f:
            json.dump(d, f, ensure_ascii=False, separators=(",", ":"))
            f.write("\n")
        save(name, golden(Tokenizer.from_str(json.dumps(d)), all_texts))
    real = {"stories260k": f"{SHARED}/weights/stories260k/hf", "smollm2": f"{REAL}/smollm2-135m", "gemma3-270m": f"{REAL}/gemma3-270m",
            "gemma3": f"{REAL}/tokenizers/gemma3", "llama3": f"{REAL}/tokenizers/llama3", "qwen3": f"{REAL}/tokenizers/qwen3"}
    for name, path in real.items():
        if os.path.exists(f"{path}/tokenizer.json"):
            save(name, golden(f"{path}/tokenizer.json", all_texts))
        else:
            print(f"skipped {name}: no {path}/tokenizer.json", file=sys.stderr)
    if os.path.exists(f"{SHARED}/tokenizers/gpt2/encoder.json"):
        save("gpt2", golden(gpt2(), all_texts))
    stories = f"{SHARED}/weights/stories260k/hf/tokenizer.json"
    if os.path.exists(stories):
        t = Tokenizer.from_file(stories)
        ten = ["Once upon a time, there was a little girl named Lily.", "", " ", "The dog said: \"Let's play!\"", "Hello,  world", "naïve café 😀",
               "日本語", "one\ntwo\n\nthree", "<s>Tom and Sam</s>", "  He ran and ran until the sun went down. "]
        save("stories260k-ten", [{"text": x, "ids": t.encode(x, add_special_tokens=False).ids, "decoded": t.decode(t.encode(x).ids)} for x in ten])


if __name__ == "__main__":
    main()
