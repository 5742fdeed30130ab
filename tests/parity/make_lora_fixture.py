"""Makes tests/parity/lora: LoRA as PEFT computes it on two random checkpoints that are here already, one whose products have biases and are adapted with
two ranks (fixture/base), one whose weights are stored [in, out] with q, k and v in one (families/gpt2_a). For each NAME.calm:
  NAME.theta.safetensors     where it begins, by calm's names; up is not zero, so that every gradient is seen
  NAME.golden.safetensors    logits, and the gradient of the summed loss of all rows by every parameter
  NAME.ten.safetensors       the parameters after ten steps of AdamW
  NAME.losses                of these steps
  NAME.adapter.safetensors   the same beginning as PEFT's save_pretrained writes it
Run by hand; what it writes is committed. In double, from the stored weights.

    make_lora_fixture.py                                  makes them
    make_lora_fixture.py --loads MODEL EXPORT LOGITS      a directory that calm exported, an adapter or merged, in transformers and PEFT: its logits against calm's"""
import json, os, sys
import torch, torch.nn.functional as F
from safetensors.torch import load_file, save_file
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

PARITY = os.path.dirname(os.path.abspath(__file__))
HERE = os.path.join(PARITY, "lora")
LR, BETAS, DECAY, EPS, STEPS = 2e-3, (0.9, 0.95), 0.1, 1e-8, 10
CASES = {
    "llama": dict(model="fixture/base", rows="fixture/rows.jsonl", config=dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj", "o_proj"],
                  rank_pattern={"o_proj": 2}, alpha_pattern={"o_proj": 6}),
                  adapt=['"*.q_proj", "*.v_proj", "*.down_proj" with lora(rank = 4, alpha = 8)', '"*.o_proj" with lora(rank = 2, alpha = 6)']),
    "gpt2": dict(model="families/gpt2_a", rows="families/rows.jsonl", config=dict(r=3, lora_alpha=6, target_modules=["c_attn", "attn.c_proj"], fan_in_fan_out=True),
                 adapt=['"*.c_attn", "*.attn.c_proj" with lora(rank = 3, alpha = 6)']),
}


def load(path): return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float64, attn_implementation="eager").eval()
def read_rows(path): return [tuple(torch.tensor(json.loads(l)[k]) for k in ("input_ids", "labels")) for l in open(path)]


def parameters(peft, strip):
    """By calm's names: those of the checkpoint's tensors behind the model's."""
    short = lambda n: "base." + n.removeprefix("base_model.model.").removeprefix(strip).replace(".default.weight", "")
    return {short(n): p for n, p in peft.named_parameters() if "lora_" in n}


def loss_of(peft, rows):
    total, n = 0, 0
    for ids, labels in rows:
        logits = peft(ids[None], use_cache=False).logits[0]
        total = total + F.cross_entropy(logits[:-1], labels[1:], ignore_index=-100, reduction="sum")
        n += int((labels[1:] != -100).sum())
    return total / n, n


def make(name, case):
    torch.manual_seed(7)
    path = os.path.join(PARITY, case["model"])
    stored = load_file(os.path.join(path, "model.safetensors"))
    strip = "" if any(k.startswith(("model.", "transformer.")) for k in stored) else "transformer."
    peft = get_peft_model(load(path), LoraConfig(task_type="CAUSAL_LM", **case["config"]), autocast_adapter_dtype=False)
    params, rows = parameters(peft, strip), read_rows(os.path.join(PARITY, case["rows"]))
    for n, p in params.items():
        p.data = (torch.randn_like(p) * 0.2 if n.endswith("lora_B") else p.data).float().double()
    out = lambda what: os.path.join(HERE, f"{name}.{what}")
    numbers = lambda of: {n: of(p).detach().float().clone().contiguous() for n, p in params.items()}
    save_file(numbers(lambda p: p), out("theta.safetensors"))
    peft.save_pretrained(out("tmp"))
    saved = load_file(os.path.join(out("tmp"), "adapter_model.safetensors"))
    save_file({k: v.float() for k, v in saved.items()}, out("adapter.safetensors"))
    for f in os.listdir(out("tmp")): os.unlink(os.path.join(out("tmp"), f))
    os.rmdir(out("tmp"))
    gold = {f"{i}.logits": peft(ids[None], use_cache=False).logits[0].detach().float() for i, (ids, _) in enumerate(rows)}
    opt = torch.optim.AdamW(list(params.values()), lr=LR, betas=BETAS, eps=EPS, weight_decay=DECAY)
    losses = []
    for step in range(STEPS):
        opt.zero_grad()
        loss, labelled = loss_of(peft, rows)
        loss.backward()
        if step == 0: gold.update({f"grad.{n}": t for n, t in numbers(lambda p: p.grad * labelled).items()})
        torch.nn.utils.clip_grad_norm_(list(params.values()), 1.0)
        opt.step()
        losses.append(loss.item())
    save_file(numbers(lambda p: p), out("ten.safetensors"))
    save_file(gold, out("golden.safetensors"))
    with open(out("losses"), "w") as f: f.write("".join(f"{x:.9f}\n" for x in losses))
    with open(out("calm"), "w") as f:
        f.write(f'anchor base = "{os.path.basename(case["model"])}"\n' + "".join(f"adapt base {a}\n" for a in case["adapt"]))
        f.write(f'train {{\n  data = "rows.jsonl"  steps = {STEPS}  batch = {len(rows)} rows  clip = 1.0  shuffle = false\n'
                f"  optimizer = adamw(lr = {LR}, betas = {BETAS}, weight_decay = {DECAY}, eps = {EPS})\n  schedule = constant(warmup = 0)\n}}\n")
    print(name, losses, {k: round(float(v.abs().max()), 4) for k, v in gold.items() if "grad" in k})


def loads(model, export, logits):
    m = load(model if os.path.exists(os.path.join(export, "adapter_config.json")) else export)
    if os.path.exists(os.path.join(export, "adapter_config.json")):
        m = PeftModel.from_pretrained(m, export, autocast_adapter_dtype=False).double()
    want = load_file(logits)
    rows = read_rows(os.path.join(os.path.dirname(os.path.abspath(logits)), "rows.jsonl"))
    worst = max(float((m(ids[None], use_cache=False).logits[0] - want[f"{i}.logits"].double()).abs().max()) for i, (ids, _) in enumerate(rows))
    print(f"{export}: logits differ by {worst:.2e} at most")
    sys.exit(worst > 1e-4)


if __name__ != "__main__": pass
elif sys.argv[1:2] == ["--loads"]: loads(*sys.argv[2:])
else:
    os.makedirs(HERE, exist_ok=True)
    for name, case in CASES.items(): make(name, case)
