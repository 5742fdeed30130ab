#!/usr/bin/env python3
"""The tokenizers of model families, rebuilt from the components that their tokenizer.json files have (from transformers' classes where there is one, by
hand below otherwise) over small vocabularies trained here: `calmc tokenize` gives Hugging Face's ids, byte spans and decoded text.

    tests/parity/family_tokenizers.py [--calmc build/calmc] [--rounds 3000]

Needs transformers. Exit status 1 when anything differs or is refused.
"""
import argparse, json, random, subprocess, sys, tempfile
import transformers
from tokenizers import Regex, Tokenizer, decoders as D, models, normalizers as N, pre_tokenizers as P, trainers

from charsmap import small_charsmap
from make_tokenizer_goldens import CORPUS, HAND
from tokenizer_diff import ROOT, random_text, widen

transformers.logging.set_verbosity_error()

CL100K = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = CL100K.replace(r"\p{N}{1,3}", r"\p{N}")
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
S = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
TAIL = r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
O200K = rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{S}|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{S}|\p{{N}}{{1,3}}|{TAIL}"
TEKKEN = rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*|\p{{N}}|{TAIL}"
BLOOM = r" ?[^(\s|[.,!?…。，、।۔،])]+"
LEVEL = P.ByteLevel(add_prefix_space=False, use_regex=False)


def split(regex, *more):
    return P.Sequence([P.Split(Regex(regex), "isolated"), *more, LEVEL])


# name: normalizer, pre-tokenizer, options of the model
LEVELS = {
    "llama3 glm4 stablelm2 olmo2 smollm3": (None, split(CL100K), {"ignore_merges": True}),
    "qwen2 qwen3": (N.NFC(), split(QWEN2), {}),
    "gpt_oss": (None, split(O200K), {"ignore_merges": True}),
    "tekken: ministral apertus": (None, split(TEKKEN), {"ignore_merges": True}),
    "bloom": (None, split(BLOOM), {}),
    "falcon": (None, P.Sequence([P.Punctuation("contiguous"), P.ByteLevel(add_prefix_space=False), P.Digits(individual_digits=False),
                                 P.Split(Regex("[0-9][0-9][0-9]"), "isolated")]), {}),
    "starcoder2 granite": (None, P.Sequence([P.Digits(individual_digits=True), P.ByteLevel(add_prefix_space=False)]), {}),
    "neox olmo pythia": (N.NFC(), P.ByteLevel(add_prefix_space=False), {}),
    "gpt2 gpt_neo gptj phi opt": (None, P.ByteLevel(add_prefix_space=False), {}),
    "cohere": (N.NFC(), P.Sequence([P.Digits(individual_digits=True), P.ByteLevel(add_prefix_space=False)]), {}),
    "exaone": (N.NFC(), split(QWEN2), {"ignore_merges": True}),
}


def level(norm, pre, options):
    t = Tokenizer(models.BPE(**options))
    if norm:
        t.normalizer = norm
    t.pre_tokenizer, t.decoder = pre, D.ByteLevel()
    t.train_from_iterator(CORPUS * 20, trainers.BpeTrainer(vocab_size=330, show_progress=False, initial_alphabet=P.ByteLevel.alphabet(),
                                                           special_tokens=["<|endoftext|>", "<|im_start|>"]))
    return t


def pieces():
    """Merges over spaces that are signs, with bytes: the vocabulary of Llama 2, Mistral and Gemma, in small."""
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    t.normalizer = N.Replace(" ", "▁")
    t.train_from_iterator(CORPUS * 20, trainers.BpeTrainer(vocab_size=140, show_progress=False, special_tokens=["<unk>", "<s>", "</s>", "<pad>", "<eos>", "<bos>"]))
    model = json.loads(t.to_str())["model"]
    for b in range(256):
        model["vocab"].setdefault(f"<0x{b:02X}>", len(model["vocab"]))
    return model["vocab"], [tuple(m) for m in model["merges"]]


def unigram(more):
    t = Tokenizer(models.Unigram([("<unk>", 0.0)], 0, False))
    t.pre_tokenizer = P.Metaspace()
    t.train_from_iterator(CORPUS * 20, trainers.UnigramTrainer(vocab_size=160, show_progress=False, special_tokens=more, unk_token="<unk>"))
    return [tuple(v) for v in json.loads(t.to_str())["model"]["vocab"]]


def by_classes():
    """transformers' own classes, with our vocabularies."""
    T = transformers
    vocab, merges = pieces()
    shown = json.loads(level(None, P.ByteLevel(add_prefix_space=False), {}).to_str())["model"]
    bytes_of = dict(vocab=shown["vocab"], merges=[tuple(m) for m in shown["merges"]])
    for name, make in {
        "LlamaTokenizer": lambda: T.LlamaTokenizer(vocab=vocab, merges=merges), "LlamaTokenizer legacy=False": lambda: T.LlamaTokenizer(vocab=vocab, merges=merges, legacy=False),
        "GemmaTokenizer": lambda: T.GemmaTokenizer(vocab=vocab, merges=merges), "CohereTokenizer": lambda: T.CohereTokenizer(**bytes_of),
        "GPT2Tokenizer": lambda: T.GPT2Tokenizer(**bytes_of), "GPTNeoXTokenizer": lambda: T.GPTNeoXTokenizer(**bytes_of),
        "Qwen2Tokenizer": lambda: T.Qwen2Tokenizer(**bytes_of), "CodeGenTokenizer": lambda: T.CodeGenTokenizer(**bytes_of),
        "XGLMTokenizer": lambda: T.XGLMTokenizer(vocab=unigram(["<s>", "<pad>", "</s>", "<unk>"]), _spm_precompiled_charsmap=small_charsmap()),
        "T5Tokenizer": lambda: T.T5Tokenizer(vocab=unigram(["<pad>", "</s>", "<unk>"]), extra_ids=5, _spm_precompiled_charsmap=small_charsmap()),
    }.items():
        try:
            yield name, make().backend_tokenizer
        except Exception as e:
            print(f"{name}: not made ({type(e).__name__}: {str(e)[:80]})")


def run(calmc, path, lines, *more):
    r = subprocess.run([calmc, "tokenize", path, *more], input="\n".join(map(json.dumps, lines)) + "\n", capture_output=True, text=True)
    return (r.stderr, None) if r.returncode else (None, [json.loads(line) for line in r.stdout.split("\n") if line])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--calmc", default=f"{ROOT}/build/calmc")
    p.add_argument("--rounds", type=int, default=3000, help="random strings per tokenizer")
    o = p.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory() as tmp:
        for name, tok in [*((k, level(*v)) for k, v in LEVELS.items()), *by_classes()]:
            d = json.loads(tok.to_str())
            d["post_processor"] = None            # it only trims offsets here
            tok, path = Tokenizer.from_str(json.dumps(d)), f"{tmp}/tokenizer.json"
            with open(path, "w", encoding="utf-8") as f:
                json.dump(d, f)
            rng = random.Random(5)
            texts = HAND + [random_text(rng, [a["content"] for a in d["added_tokens"]]) for _ in range(o.rounds)]
            want = [tok.encode(t, add_special_tokens=False) for t in texts]
            why, mine = run(o.calmc, path, texts)
            _, back = run(o.calmc, path, [e.ids for e in want], "--decode")
            n = 0 if mine else 1
            for t, e, a, b in zip(texts, want, mine or [], back or []):
                if a["ids"] != e.ids or widen(a["offsets"], t) != e.offsets or b != tok.decode(e.ids):
                    n += 1
                    if n < 3:
                        print(f"{name}: {t!r}\n  calm {a['ids'][:20]} {a['offsets'][:20]}\n  want {e.ids[:20]} {e.offsets[:20]}")
            bad += n
            print(f"{name:36} {len(texts)} texts: {why.strip() if why else f'{n} differ'}", flush=True)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
