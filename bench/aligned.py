"""What it costs an augment to read a completion cut where the anchor's tokens end (`reads aligned`), in its own loss: the ids that a program of such a composition
gives it (`score`), and its tokenizer's own, both through transformers, nats of the completions summed."""
import argparse, json, subprocess, tempfile
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer


def nats(model, ids, prompt):
    with torch.no_grad(): p = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    return -sum(p[k - 1, ids[k]].item() for k in range(prompt, len(ids)))


def main():
    ap = argparse.ArgumentParser(prog="aligned", description="what reading aligned costs an augment")
    ap.add_argument("--program", required=True, help="of the composition")
    ap.add_argument("--name", required=True, help="of the augment in its spec")
    ap.add_argument("--model", required=True, help="the augment's directory")
    ap.add_argument("--data", required=True, help="rows of prompt and completion")
    ap.add_argument("--every", type=int, default=4, help="of so many rows one is looked at (4)")
    a = ap.parse_args()
    with tempfile.TemporaryDirectory() as d:
        subprocess.run([a.program, "score", "--data", a.data, "--out", d + "/ids.st", "--model", f"{a.name}={a.model}"], check=True, capture_output=True)
        ids = load_file(d + "/ids.st")
    tok, model = AutoTokenizer.from_pretrained(a.model), AutoModelForCausalLM.from_pretrained(a.model, dtype=torch.float32).eval()
    rows, sums, counts = [json.loads(line) for line in open(a.data, encoding="utf-8")][:: a.every], [0.0, 0.0], [0, 0]
    for i, r in enumerate(rows):
        prompt = tok(r["prompt"]).input_ids
        aligned, own = ids[f"{i * a.every}.input_ids.{a.name}"].tolist(), prompt + tok(r["completion"], add_special_tokens=False).input_ids
        assert aligned[: len(prompt)] == prompt, (i, aligned, prompt)
        for k, x in enumerate((aligned, own)): sums[k] += nats(model, x, len(prompt)); counts[k] += len(x) - len(prompt)
    for k, what in enumerate(("aligned", "its own tokens")): print(f"{what:15} {counts[k]:6} tokens {sums[k]:9.1f} nats of {len(rows)} completions")


if __name__ == "__main__": main()
