"""Makes tests/parity/real: what transformers computes in f32 over the bf16 weights of two real checkpoints (../shared/data/real/fetch):
the loss of the first four windows of 512 tokens of WikiText-2's test text, the five largest next-token logits of eight prompts, and 32
greedy tokens after each. Run by hand; tests/e2e/real.sh reads what it writes.

Per model: NAME.windows (ids a window begins with, SHA-256 of the ids of all windows one a line, loss), NAME.prompts.jsonl and
NAME.greedy.jsonl (prompts, and prompts with their greedy tokens, as ids), NAME.texts.jsonl (prompt and greedy continuation as text),
NAME.prompts.safetensors (r.top.ids and r.top.values [tokens, 5] of row r of prompts.jsonl), NAME.greedy.safetensors (r.top.ids [tokens, 1]
of greedy.jsonl)."""
import hashlib, json, os, sys
import torch, torch.nn.functional as F
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "real")
TEXT = os.path.join(HERE, "../../../../shared/data/text/wikitext-2/test.txt")
CACHE = os.path.expanduser("~/.cache/calm-real")
LINES, WINDOWS, WINDOW, GREEDY = 60, 4, 512, 32
PROMPTS = ["The capital of France is", "Once upon a time there was a little girl who", "def fibonacci(n):\n    ", "#include <stdio.h>\n\nint main(void) {\n",
           "Habari za asubuhi. Jina langu ni", "日本の首都は", "12 + 30 =", "Question: What is 7 times 8?\nAnswer:"]


def make(name):
    d = os.path.join(CACHE, name)
    tok = AutoTokenizer.from_pretrained(d)
    m = AutoModelForCausalLM.from_pretrained(d, dtype=torch.float32).eval()
    text = "".join(open(TEXT, encoding="utf-8").readlines()[:LINES])
    prefix = [i for i in tok("").input_ids]
    ids = tok(text, add_special_tokens=False).input_ids
    body = WINDOW - len(prefix)
    windows = [prefix + ids[i * body:(i + 1) * body] for i in range(WINDOWS)]
    assert all(len(w) == WINDOW for w in windows)
    with torch.inference_mode():
        total = sum(float(F.cross_entropy(m(torch.tensor([w])).logits[0, :-1], torch.tensor(w[1:]), reduction="sum").double()) for w in windows)
    digest = hashlib.sha256("".join(f"{i}\n" for w in windows for i in w).encode()).hexdigest()
    with open(os.path.join(HERE, name + ".windows"), "w") as f:
        f.write(f"{','.join(map(str, prefix)) or '-'} {digest} {total / (WINDOWS * (WINDOW - 1)):.9f}\n")
    five, greedy, files = {}, {}, {k: open(os.path.join(HERE, f"{name}.{k}.jsonl"), "w", encoding="utf-8") for k in ("prompts", "greedy", "texts")}
    for i, p in enumerate(PROMPTS):
        x = tok(p).input_ids
        y = list(x)
        with torch.inference_mode():
            for _ in range(GREEDY): y.append(int(m(torch.tensor([y])).logits[0, -1].argmax()))
            logits = m(torch.tensor([y])).logits[0]
        top = logits.topk(6)
        gap = (top.values[:, :-1] - top.values[:, 1:]) / logits.abs().max()
        print(f"smallest gap: {float(gap[len(x) - 1].min()):.1e} among the six largest after the prompt, {float(gap[:, 0].min()):.1e} between the two largest")
        five[f"{i}.top.ids"], five[f"{i}.top.values"] = top.indices[:len(x), :5].clone(), top.values[:len(x), :5].clone()
        greedy[f"{i}.top.ids"] = top.indices[:, :1].clone()
        for k, ids in (("prompts", x), ("greedy", y)): files[k].write(json.dumps({"input_ids": ids, "labels": [-100] * len(ids)}) + "\n")
        text = lambda ids: tok.decode(ids, skip_special_tokens=True)
        files["texts"].write(json.dumps([p, text(y)[len(text(x)):]], ensure_ascii=False) + "\n")
        print(name, repr(p), "->", repr(tok.decode(y[len(x):])))
    save_file(five, os.path.join(HERE, name + ".prompts.safetensors"))
    save_file(greedy, os.path.join(HERE, name + ".greedy.safetensors"))
    print(open(os.path.join(HERE, name + ".windows")).read())


os.makedirs(HERE, exist_ok=True)
for n in sys.argv[1:] or ["smollm2-135m", "gemma3-270m"]: make(n)
