"""Makes tests/parity/two_tokenizers: two tiny random models of different families with different tokenizers (those of
tests/parity/tokenizer/synthetic), composed both ways round, and what Hugging Face transformers and PyTorch compute for it. Run by hand, with
calmc in CALMC or build/; what it writes is committed, so tests need no Python.

What each anchor token sees of the augment's is written down in visible.json. calm's `app score` counts it; here Hugging Face's tokenizers check
it, knowing nothing of the rule: the visible tokens are a prefix of the augment's tokens for the text so far however that goes on (many random
continuations), and what is common to all of them and yet not visible lies within the open end that runtime/text/settled.h allows. Everything else
is computed in double with these counts as the mask. Scaled as make_fixture.py says."""
import json, os, random, shutil, subprocess, sys, tempfile
import torch, torch.nn.functional as F
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, Gemma3TextConfig, LlamaConfig

TESTS = os.path.dirname(os.path.abspath(__file__))
HERE, TOKENIZERS = os.path.join(TESTS, "two_tokenizers"), os.path.join(TESTS, "tokenizer", "synthetic")
CALMC = os.environ.get("CALMC", os.path.join(TESTS, "..", "..", "build", "calmc"))
HEADS, REPLACEMENT = 2, "\ufffd"
MODELS = {
    "llama": ("byte_words", LlamaConfig(vocab_size=341, hidden_size=20, intermediate_size=28, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
              head_dim=6, max_position_embeddings=96, rms_norm_eps=0.1, tie_word_embeddings=True, bos_token_id=330, eos_token_id=331, hidden_act="silu",
              rope_parameters=dict(rope_type="llama3", rope_theta=500.0, factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                   original_max_position_embeddings=16))),
    "gemma": ("fallback_prepend", Gemma3TextConfig(vocab_size=384, hidden_size=16, intermediate_size=24, num_hidden_layers=3, num_attention_heads=2,
              num_key_value_heads=1, head_dim=8, max_position_embeddings=96, rms_norm_eps=0.1, tie_word_embeddings=True, bos_token_id=1, eos_token_id=2,
              pad_token_id=None, query_pre_attn_scalar=7, sliding_window=5, layer_types=["sliding_attention", "full_attention", "sliding_attention"],
              rope_parameters=dict(full_attention=dict(rope_type="linear", rope_theta=200.0, factor=3.0),
                                   sliding_attention=dict(rope_type="default", rope_theta=20.0)))),
}
# Words cut inside a pre-token, an emoji and CJK split over tokens, an added token begun and not, a prompt that ends in a word.
ROWS = [{"prompt": "He cab: 2", "completion": "3 kit\u00e9 \U0001F600!"}, {"text": "\u6f22\u5b57's [L x"}, {"prompt": "wor", "completion": "d it\n"}]
# name: anchor, augment, what the augment reads, (from model, layer, to model, layer)
SPECS = {
    "forth": ("llama", "gemma", "", [("aug", 1, "base", 2), ("aug", 2, "base", 3)]),
    "back": ("gemma", "llama", "", [("aug", 1, "base", 2), ("aug", 2, "base", 3)]),
    "prompt": ("llama", "gemma", " reads prompt", [("aug", 1, "base", 2), ("aug", 2, "base", 3)]),
    "round": ("llama", "gemma", "", [("base", 1, "aug", 2), ("aug", 3, "base", 2)]),
    "aligned": ("llama", "gemma", " reads aligned", [("aug", 1, "base", 2), ("aug", 2, "base", 3)]),
}
THETA = {"prompt": "forth", "aligned": "forth"}      # whose parameters a spec has, where they are another's
SHIFT = {"forth": -1, "back": 1}   # what one visible token less or more would have made of a row's logits


def write_model(name, seed):
    config = MODELS[name][1]
    torch.manual_seed(seed)
    m = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for n, p in m.named_parameters():
            if "norm" in n: p.copy_((0 if name == "gemma" else 1) + 0.3 * torch.randn_like(p))
            elif "embed" in n: p.copy_(torch.randn_like(p) * (0.5 if name == "gemma" else 1.5))
            else: p.copy_(torch.randn_like(p) * 1.5 / p.shape[1] ** 0.5)
    d = os.path.join(HERE, name)
    shutil.rmtree(d, ignore_errors=True)
    m.to(torch.bfloat16).save_pretrained(d)
    if os.path.exists(os.path.join(d, "generation_config.json")): os.remove(os.path.join(d, "generation_config.json"))


def spec_text(anchor, augment, reads, pairs):
    lines = [f'anchor  base = "{anchor}"', f'augment aug  = "{augment}"{reads}']
    lines += [f"connect {a}[{i}] -> {b}[{j}] with cross_attention(heads = {HEADS})" for a, i, b, j in pairs]
    return "\n".join(lines) + "\n"


# ---- what calm says is visible, and whether it is right

def score(d, spec):
    """Ids of the anchor and the augment, and visible counts, per row; d has the models with their tokenizers."""
    subprocess.run([CALMC, "build", f"{d}/{spec}.calm", "-o", f"{d}/{spec}"], check=True, stderr=subprocess.DEVNULL)
    subprocess.run([f"{d}/{spec}", "score", "--data", f"{d}/rows.jsonl", "--out", f"{d}/{spec}.st"], check=True, stderr=subprocess.DEVNULL)
    t = load_file(f"{d}/{spec}.st")
    return [{k: t[f"{i}.{k}"].tolist() for k in ("input_ids", "input_ids.aug", "visible.aug")} for i in range(len(ROWS))]


def text_so_far(tok, ids):
    """Without a character that is not complete, which decodes to U+FFFD."""
    best = ""
    for n in range(1, len(ids) + 1):
        s = tok.decode(ids[:n], skip_special_tokens=True).rstrip(REPLACEMENT)
        if len(s) > len(best): best = s
    return best


def continuations(rng):
    words = ["", " ", "a", "e", "d", "s", "word", "d and", "L]", "LONG]", "\u0301", "\u6f22", "\u6587", "\U0001F600", "\u200d", "'", "'s", "1", "23", "\n", "  ", "!", "\u00e9", "x", "t", "he", "on"]
    return ["".join(rng.choice(words) for _ in range(rng.randint(1, 4))) for _ in range(400)] + words


def begins_added(tok, text):
    """The longest end of text that is a proper beginning of an added token (spaces before it too, where the token takes these in)."""
    best = 0
    for t in tok.get_added_tokens_decoder().values():
        for n in range(len(t.content)):
            rest = text[:len(text) - n]
            if text.endswith(t.content[:n]): best = max(best, len(text) - len(rest.rstrip() if t.lstrip else rest))
    return best


def open_end_is_allowed(name, tok, text, covered):
    """Whether what is not covered is an open end as runtime/text/settled.h has it: an added token begun, then the last piece that the pre-tokenizer
    might still change (the words at the end); or, where there is no pre-tokenizer, no place that no token spans."""
    rest = text[covered:len(text) - begins_added(tok, text)]
    if name == "llama": return len(tok.pre_tokenizer.pre_tokenize_str(rest)) <= 2
    vocab = ["".join(m) for m in json.loads(tok.to_str())["model"]["merges"]]
    spaced = rest.replace(" ", "\u2581")
    return all(any(spaced[i:i + 2] in t for t in vocab) for i in range(len(spaced) - 1))


def goes_on(tok):
    """The tokenizer of a text that goes on from another: without what it puts before a text."""
    t = json.loads(tok.to_str())
    first = t["normalizer"]["normalizers"][0]
    assert first["type"] == "Prepend"
    del t["normalizer"]["normalizers"][0]
    return Tokenizer.from_str(json.dumps(t))


def check_aligned(base, aug, prompt, of_prompt, result):
    """Behind the prompt, of so many tokens, what is visible are the tokens of what each anchor token adds to the text, each by itself."""
    ids, seen, visible = result["input_ids"], result["input_ids.aug"], result["visible.aug"]
    want, text, later = list(aug.encode(prompt).ids), prompt, goes_on(aug)
    assert of_prompt == 0 or visible[of_prompt - 1] == len(want)
    for i in range(of_prompt, len(ids)):
        now = text_so_far(base, ids[:i + 1])
        if now != text: want += (later if text else aug).encode(now[len(text):], add_special_tokens=False).ids
        text = now
        assert visible[i] == len(want) and seen[:visible[i]] == want, (i, text)


def check_visible(anchor, augment, reads, row, result, rng):
    base, aug = (Tokenizer.from_file(os.path.join(TOKENIZERS, MODELS[m][0] + ".json")) for m in (anchor, augment))
    ids, seen, visible = result["input_ids"], result["input_ids.aug"], result["visible.aug"]
    prefix = len(aug.encode("").ids)
    prompt = len(base.encode(row["prompt"]).ids) if "prompt" in row else 0
    slack = []
    if reads == " reads aligned": check_aligned(base, aug, row.get("prompt", ""), prompt, result)
    for i in range(len(ids)):
        text = text_so_far(base, ids[:i + 1])
        if reads == " reads aligned" and i + 1 >= prompt: continue
        if reads and i + 1 >= prompt:
            assert seen[:visible[i]] == aug.encode(row.get("prompt", "")).ids, (row, i)
            continue
        common = aug.encode(text).ids
        for more in continuations(rng):
            other = aug.encode(text + more).ids
            n = next((k for k, (a, b) in enumerate(zip(common, other)) if a != b), min(len(common), len(other)))
            common = common[:n]
        assert visible[i] <= len(common) and seen[:visible[i]] == common[:visible[i]], (row, i, text)
        covered = max((b for a, b in aug.encode(text).offsets[prefix:visible[i]]), default=0)
        assert visible[i] == len(common) or open_end_is_allowed(augment, aug, text, covered), (row, i, text, covered)
        slack.append(len(common) - visible[i])
    return slack


# ---- the reference

def attend(b, a, p, heads, counts):
    """Section 3.2 of the paper; row i of b sees the first counts[i] rows of a, and with none of them gets zeros."""
    split = lambda x: x.view(x.shape[0], heads, -1).transpose(0, 1)
    x = a @ p["proj"].T
    q, k, v = split(b @ p["wq"].T), split(x @ p["wk"].T), split(x @ p["wv"].T)
    see = torch.arange(a.shape[0])[None] < torch.tensor(counts)[:, None]
    z = (q @ k.transpose(1, 2) / q.shape[-1] ** 0.5).masked_fill(~see, -1e300)
    w = torch.softmax(z, -1) * see
    return (w @ v).transpose(0, 1).reshape(b.shape[0], -1) @ p["wo"].T


def forward(model, ids, add):
    """Logits, and the states after every block with add(k, state) added."""
    states, hooks = {}, []
    def after(k):
        def f(m, i, o):
            x = o[0] if isinstance(o, tuple) else o
            states[k] = (x[0] + add(k, x[0])) if k > 0 else x[0]
            return (states[k][None],) + tuple(o[1:]) if isinstance(o, tuple) else states[k][None]
        return f
    def before(m, args, kwargs): states[0] = (args[0] if args else kwargs["hidden_states"])[0]
    hooks.append(model.model.layers[0].register_forward_pre_hook(before, with_kwargs=True))
    for k, layer in enumerate(model.model.layers): hooks.append(layer.register_forward_hook(after(k + 1)))
    logits = model(torch.tensor([ids]), use_cache=False).logits[0]
    for h in hooks: h.remove()
    return logits, states


def run(models, pairs, theta, result, shift=0):
    ids, aug_ids = result["input_ids"], result["input_ids.aug"]
    visible = [min(max(v + shift, 0), len(aug_ids)) for v in result["visible.aug"]]
    first = [next(i for i, v in enumerate(visible) if v > j) if visible[-1] > j else len(ids) - 1 for j in range(len(aug_ids))]   # which shows it
    def sum_of(name, layer, state, taps, counts):
        total = torch.zeros_like(state)
        for n, (a, i, b, j) in enumerate(pairs):
            if b == name and j == layer and taps: total = total + attend(state, taps[i], theta[n], HEADS, counts)
        return total
    base_taps = forward(models["base"], ids, lambda k, x: torch.zeros_like(x))[1]       # blocks below the first addition
    aug_taps = {}
    if aug_ids: aug_taps = forward(models["aug"], aug_ids, lambda k, x: sum_of("aug", k, x, base_taps, [i + 1 for i in first]))[1]
    return forward(models["base"], ids, lambda k, x: sum_of("base", k, x, aug_taps, visible))


def new_theta(pairs, width, seed):
    torch.manual_seed(seed)
    r = lambda o, i, s: (torch.randn(o, i) * s / i ** 0.5).double().requires_grad_()
    return [dict(proj=r(width[b], width[a], 1.0), wq=r(width[b], width[b], 0.6), wk=r(width[b], width[b], 0.6), wv=r(width[b], width[b], 1.0),
                 wo=r(width[b], width[b], 1.5)) for a, i, b, j in pairs]


def named(pairs, theta, what):
    shape = lambda n, x: x.reshape(HEADS, x.shape[0] // HEADS, x.shape[1]) if n in ("wq", "wk", "wv") else x
    return {f"{a}.{i}->{b}.{j}.{n}": shape(n, what(p).detach().float()).clone().contiguous() for (a, i, b, j), t in zip(pairs, theta) for n, p in t.items()}


def labels_of(row, result, base):
    """Where tokens are trained on: the completion, or all of a text but what the template puts before it."""
    ids = torch.tensor(result["input_ids"])
    prefix = len(base.encode("").ids)
    n = prefix if "text" in row else len(base.encode(row["prompt"]).ids)
    labels = ids.clone()
    labels[:n] = -100
    return labels


def main():
    os.makedirs(HERE, exist_ok=True)
    rng = random.Random(3)
    for seed, name in enumerate(MODELS, 1): write_model(name, seed)
    with open(os.path.join(HERE, "rows.jsonl"), "w") as f:
        for r in ROWS: f.write(json.dumps(r) + "\n")
    written = {}
    with tempfile.TemporaryDirectory() as d:
        shutil.copytree(HERE, d, dirs_exist_ok=True)
        for name, (tok, _) in MODELS.items(): shutil.copy(os.path.join(TOKENIZERS, tok + ".json"), os.path.join(d, name, "tokenizer.json"))
        for spec, (anchor, augment, reads, pairs) in SPECS.items():
            for folder in (HERE, d): open(os.path.join(folder, spec + ".calm"), "w").write(spec_text(anchor, augment, reads, pairs))
            results = score(d, spec)
            slack = [check_visible(anchor, augment, reads, row, res, rng) for row, res in zip(ROWS, results)]
            print(spec, "tokens", [len(r["input_ids"]) for r in results], "visible", [r["visible.aug"] for r in results], "short by", slack)
            written[spec] = [dict(row, **res) for row, res in zip(ROWS, results)]
            models = {k: AutoModelForCausalLM.from_pretrained(os.path.join(HERE, n), dtype=torch.float64, attn_implementation="eager").eval()
                      for k, n in (("base", anchor), ("aug", augment))}
            for m in models.values():
                for p in m.parameters(): p.requires_grad_(False)
            width = {k: m.config.hidden_size for k, m in models.items()}
            seed = list(SPECS).index(THETA.get(spec, spec))
            theta = new_theta(pairs, width, 10 + seed)
            base = Tokenizer.from_file(os.path.join(TOKENIZERS, MODELS[anchor][0] + ".json"))
            gold, total = {}, 0
            for i, (row, res) in enumerate(zip(ROWS, results)):
                logits, states = run(models, pairs, theta, res)
                labels = labels_of(row, res, base)
                total = total + F.cross_entropy(logits[:-1], labels[1:], ignore_index=-100, reduction="sum")
                gold[f"{i}.visible.aug"] = torch.tensor(res["visible.aug"])
                gold[f"{i}.input_ids.aug"] = torch.tensor(res["input_ids.aug"], dtype=torch.int64)
                for k, x in states.items() if spec in SHIFT else (): gold[f"{i}.hidden.base.{k}"] = x.detach().float()
                if i == 2 or (i == 1 and spec == "forth"): gold[f"{i}.logits"] = logits.detach().float()
                if i == 2 and spec in SHIFT: gold["shifted"] = run(models, pairs, theta, res, SHIFT[spec])[0].detach().float()
            total.backward()
            for k, v in named(pairs, theta, lambda p: p.grad).items(): gold[f"grad.{k}"] = v
            save_file({k: v.contiguous() for k, v in gold.items()}, os.path.join(HERE, spec + ".golden.safetensors"))
            if spec not in THETA: save_file(named(pairs, theta, lambda p: p), os.path.join(HERE, spec + ".theta.safetensors"))
            print(spec, {k: round(float(v.double().abs().max()), 3) for k, v in gold.items() if "logits" in k or k.startswith("grad")})
    with open(os.path.join(HERE, "visible.json"), "w") as f:
        f.write("{\n" + ",\n".join(f'"{s}": [\n ' + ",\n ".join(json.dumps(r) for r in rows) + "]" for s, rows in written.items()) + "\n}\n")
    print("size", sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(HERE) for f in fs))


main()
