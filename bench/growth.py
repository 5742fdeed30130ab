"""Builds of compositions that grow, each over the smallest of its kind: what repeats in a model is a loop over a table in its program, so neither the
code nor the time that it takes should follow the number of layers, models or connections."""
import argparse, json, os, statistics, subprocess, sys, tempfile, time
import numpy as np
from safetensors.numpy import save_file
from side import processor

CONFIG = dict(architectures=["LlamaForCausalLM"], model_type="llama", hidden_act="silu", hidden_size=64, intermediate_size=172, num_attention_heads=8,
              num_key_value_heads=4, vocab_size=512, max_position_embeddings=512, rms_norm_eps=1e-5, rope_theta=10000.0, tie_word_embeddings=True,
              bos_token_id=1, eos_token_id=2, torch_dtype="float32")


def model(root, layers):
    """A directory of a Llama of so many layers, numbers all 0: nothing is computed with them."""
    name = os.path.join(root, f"layers{layers}")
    os.makedirs(name, exist_ok=True)
    d, f, kv = 64, 172, 32
    shape = {"model.embed_tokens.weight": (512, d), "model.norm.weight": (d,)}
    for i in range(layers):
        p = f"model.layers.{i}."
        shape |= {p + "input_layernorm.weight": (d,), p + "post_attention_layernorm.weight": (d,), p + "self_attn.q_proj.weight": (d, d),
                  p + "self_attn.k_proj.weight": (kv, d), p + "self_attn.v_proj.weight": (kv, d), p + "self_attn.o_proj.weight": (d, d),
                  p + "mlp.gate_proj.weight": (f, d), p + "mlp.up_proj.weight": (f, d), p + "mlp.down_proj.weight": (d, f)}
    save_file({k: np.zeros(s, np.float32) for k, s in shape.items()}, os.path.join(name, "model.safetensors"))
    with open(os.path.join(name, "config.json"), "w") as out: json.dump(CONFIG | {"num_hidden_layers": layers}, out)
    return name


def spec(root, name, layers, augments, step):
    m = model(root, layers)
    lines = [f'anchor base = "{m}"'] + [f'augment a{i} = "{m}"' for i in range(augments)]
    lines += [f"connect a{i}[every {step}] -> base[{'every 1' if step == 1 else 'spread'}] with cross_attention(heads = 4)" for i in range(augments)]
    path = os.path.join(root, name + ".calm")
    with open(path, "w") as out: out.write("\n".join(lines) + "\n")
    return path


def build(calmc, path):
    """Seconds on the wall and of processors, peak memory in MB, bytes of the program."""
    out, start = path[:-5], time.monotonic()
    p = subprocess.Popen([calmc, "build", path, "-o", out], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = p.stderr.read()
    _, status, use = os.wait4(p.pid, 0)
    if status: sys.exit(f"growth: {path}: {said.decode()}")
    size = os.path.getsize(out)
    os.remove(out)
    return time.monotonic() - start, use.ru_utime + use.ru_stime, use.ru_maxrss / 1024, size


# What grows: (layers of every model, augments, connections at every n-th layer), the smallest first.
KINDS = {"a model alone, layers": [(n, 0, 0) for n in (8, 32, 128)], "two models joined at every layer, layers": [(n, 1, 1) for n in (16, 64, 128)],
         "models of 4 layers joined to one": [(4, n, 2) for n in (1, 8, 32)]}


def main():
    ap = argparse.ArgumentParser(prog="growth", description="compile time, memory and size of programs against depth, models, connections")
    ap.add_argument("--calmc", required=True, help=argparse.SUPPRESS)
    ap.add_argument("--rounds", type=int, default=3)
    o = ap.parse_args()
    print(f"{processor()}; load average {os.getloadavg()[0]:.1f}; medians of {o.rounds} builds, and over the first of a kind")
    print(f"{'':46} {'seconds':>14} {'processor s':>14} {'memory MB':>14} {'program MB':>14}")
    with tempfile.TemporaryDirectory() as root:
        for kind, sizes in KINDS.items():
            first = None
            for layers, augments, step in sizes:
                path = spec(root, f"s{layers}-{augments}", layers, augments, step)
                runs = [build(o.calmc, path) for _ in range(o.rounds)]
                m = [statistics.median(r[k] for r in runs) for k in range(4)]
                m[3] /= 1e6
                first = first or m
                what = f"{kind}: {augments if 'to one' in kind else layers}"
                print(f"{what:46} " + " ".join(f"{v:7.2f} {v / f:5.2f}x" for v, f in zip(m, first)), flush=True)


main()
