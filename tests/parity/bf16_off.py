"""How far PyTorch's own bf16 is off on the compositions of this folder: autocast over f32 weights, against the goldens, which are of double. Each line is the worst tensor of
a kind, by the measure of tests/tool/stcmp.c (largest difference over largest magnitude). The tolerances of the bf16 twins in tests/e2e are of these. Run by hand:

    bf16_off.py"""
import json, os
import torch, torch.nn.functional as F
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM
import make_field_fixture as field, make_fixture as fixture, make_lora_fixture as lora, make_taps_fixture as taps

PARITY = os.path.dirname(os.path.abspath(__file__))


def load(path):
    m = AutoModelForCausalLM.from_pretrained(os.path.join(PARITY, path), dtype=torch.float32, attn_implementation="eager").eval()
    return m.requires_grad_(False)


def under(run):
    with torch.autocast("cpu", dtype=torch.bfloat16): return run()


def loss(logits, labels): return F.cross_entropy(logits.float()[:-1], labels[1:], ignore_index=-100, reduction="sum")


def tell(what, got, gold):
    worst = {}
    for name, want in gold.items():
        if name not in got: continue
        kind = next(k for k in ("grad", "hidden", "logits", "theta") if k in name or k == "theta")
        off = float((got[name].detach().float().reshape(want.shape) - want).abs().max() / want.abs().max())
        worst[kind] = max(worst.get(kind, (0, "")), (off, name))
    for kind, (off, name) in worst.items(): print(f"{what:8} {kind:7} {off:.4f}  {name}")


def set_all(ops, theta, names):
    """The operators' parameters from a theta.safetensors, by the names under which `names` lists them."""
    for name, p in names.items(): p.data = theta[name].reshape(p.shape).float().clone()
    for m in ops: m.float()


def of_taps():
    models = {n: load(d) for n, d in taps.MODELS.items()}
    width = {n: m.config.hidden_size for n, m in models.items()}
    cross = {(a, k, j): taps.operator(op, width["base"], width[a]) for a, ks, js, op in taps.LINES for k, j in zip(ks, js)}
    theta = load_file(os.path.join(taps.HERE, "theta.safetensors"))
    set_all(cross.values(), theta, {f"{a}.{k}->base.{j}.{n}": p for (a, k, j), c in cross.items() for n, p in c.named_parameters()})
    got = {}
    for i, line in enumerate(open(os.path.join(PARITY, "families", "rows.jsonl"))):
        row = json.loads(line)
        got[f"{i}.logits"] = under(lambda: taps.run(models, cross, torch.tensor(row["input_ids"])))
        loss(got[f"{i}.logits"], torch.tensor(row["labels"])).backward()
    got.update({f"grad.{n}": g for n, g in taps.tensors(cross, lambda p: p.grad).items()})
    tell("taps", got, load_file(os.path.join(taps.HERE, "golden.safetensors")))


def of_field():
    for name, (anchor, augment, lines) in field.SPECS.items():
        base, aug = load(anchor), load(augment)
        ops = {l: field.KINDS[l[2]](base.config.hidden_size, aug.config.hidden_size, field.HEADS.get(l[2])) for l in lines}
        theta = load_file(os.path.join(field.HERE, f"{name}.theta.safetensors"))
        for (i, j, kind), m in ops.items():
            m.float()
            t = {n.rsplit(".", 1)[1]: x for n, x in theta.items() if n.startswith(f"aug.{i}->base.{j}.")}
            if kind != "cross_attention_released": set_all([m], t, dict(m.named_parameters()))
            else:
                m.mha.in_proj_weight.data, m.mha.in_proj_bias.data = (torch.cat([t[k + x].reshape(-1, *t[k + x].shape[2:]) for x in "qkv"]) for k in "wb")
                set_all([m], t, {"proj": m.proj.weight, "proj_bias": m.proj.bias, "wo": m.mha.out_proj.weight, "bo": m.mha.out_proj.bias, "norm": m.norm.weight})
        got = {}
        for i, (ids, labels, aug_ids, last) in enumerate(field.rows_of(name)):
            got[f"{i}.logits"] = under(lambda: field.run(base, aug, ops, ids, aug_ids, last))
            loss(got[f"{i}.logits"], labels).backward()
        got.update({f"grad.{n}": t for n, t in field.numbers(ops, True).items()})
        tell("field " + name, got, load_file(os.path.join(field.HERE, f"{name}.golden.safetensors")))


def of_fixture():
    base, aug = (load(f"fixture/{m}") for m in ("base", "aug"))
    cross = torch.nn.ModuleList(fixture.Cross(48, 40, fixture.HEADS) for _ in fixture.PAIRS)
    theta = load_file(os.path.join(fixture.HERE, "theta0.safetensors"))
    set_all(cross, theta, {f"aug.{s}->base.{d}.{n}": p for (s, d), c in zip(fixture.PAIRS, cross) for n, p in c.named_parameters()})
    rows = [json.loads(l) for l in open(os.path.join(fixture.HERE, "rows.jsonl"))]
    rows, got, losses = [(torch.tensor(r["input_ids"]), torch.tensor(r["labels"])) for r in rows], {}, []
    count = sum(int((l[1:] != -100).sum()) for _, l in rows)
    opt = torch.optim.AdamW(cross.parameters(), lr=fixture.LR, betas=fixture.BETAS, weight_decay=fixture.DECAY, eps=fixture.EPS)
    for step in range(fixture.STEPS):
        opt.zero_grad()
        total = 0
        for i, (ids, labels) in enumerate(rows):
            logits, states, _ = under(lambda: fixture.run(base, aug, cross, ids))
            if not step: got.update({f"{i}.logits": logits, **{f"{i}.hidden.base.{k}": v for k, v in states.items()}})
            total = total + loss(logits, labels)
        if not step:
            total.backward(retain_graph=True)
            got.update({f"grad.{n}": g for n, g in fixture.grads(cross).items()})
            opt.zero_grad()
        (total / count).backward()
        torch.nn.utils.clip_grad_norm_(cross.parameters(), fixture.CLIP)
        opt.step()
        losses.append((total / count).item())
    tell("fixture", got, load_file(os.path.join(fixture.HERE, "golden.safetensors")))
    tell("fixture", fixture.theta(cross), load_file(os.path.join(fixture.HERE, "theta10.safetensors")))
    want = json.load(open(os.path.join(fixture.HERE, "losses.json")))["losses"]
    print(f"fixture  losses  {max(abs(a / b - 1) for a, b in zip(losses, want)):.4f}")


def of_lora():
    for name, case in lora.CASES.items():
        torch.manual_seed(7)
        path = os.path.join(PARITY, case["model"])
        strip = "" if any(k.startswith(("model.", "transformer.")) for k in load_file(os.path.join(path, "model.safetensors"))) else "transformer."
        peft = lora.get_peft_model(load(case["model"]), lora.LoraConfig(task_type="CAUSAL_LM", **case["config"]))
        params, theta = lora.parameters(peft, strip), load_file(os.path.join(lora.HERE, f"{name}.theta.safetensors"))
        for n, p in params.items(): p.data = theta[n].clone()
        rows = lora.read_rows(os.path.join(PARITY, case["rows"]))
        got = {f"{i}.logits": under(lambda: peft(ids[None], use_cache=False).logits[0]) for i, (ids, _) in enumerate(rows)}
        for i, (_, labels) in enumerate(rows): loss(got[f"{i}.logits"], labels).backward()
        got.update({f"grad.{n}": p.grad for n, p in params.items()})
        tell("lora " + name, got, load_file(os.path.join(lora.HERE, f"{name}.golden.safetensors")))


of_taps(), of_field(), of_fixture(), of_lora()
