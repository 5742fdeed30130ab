"""calm against transformers on reading a prompt of WikiText-2's test text up to its next token, for a real checkpoint in bf16, whose weights both keep as
they are stored or, in f32, widen. transformers runs its fused attention (scaled_dot_product_attention), fills its cache and takes the logits of the last
position only. Ways run one after the other, round after round, each in its own process; in f32 both must choose the same next token. `prompt` is the
reading alone, the model loaded (transformers: after a warm-up of 64 tokens; calm: none); `cpu` the processor time of it, over all threads, which other
work on the machine touches least (calm: of the whole process, loading and packing counted); `of the limit` the operations a second that calm counts in
it, of what the processor can do in that dtype."""
import argparse, json, os, re, statistics, sys, tempfile, time
from rounds import limit
from side import Machine, call, cpu_of_children, peer_env, processor, table, work_of

HERE = os.path.dirname(os.path.abspath(__file__))
TEXT = os.path.join(HERE, "../../shared/data/text/wikitext-2/test.txt")
WAYS = ("calm-f32", "calm-bf16", "torch-f32", "torch-bf16")


def prompt(model, tokens):
    """The longest text of whole lines with at most so many tokens."""
    from transformers import AutoTokenizer
    tok, lines = AutoTokenizer.from_pretrained(model), open(TEXT, encoding="utf-8").readlines()
    few, many = 1, len(lines)
    while few < many:
        half = (few + many + 1) // 2
        if len(tok("".join(lines[:half])).input_ids) <= tokens: few = half
        else: many = half - 1
    return "".join(lines[:few]).rstrip()


def run_torch(model, file, dtype, threads):
    """In a process of its own."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    torch.set_num_threads(threads)
    tok = AutoTokenizer.from_pretrained(model)
    m = AutoModelForCausalLM.from_pretrained(model, dtype={"f32": torch.float32, "bf16": torch.bfloat16}[dtype], attn_implementation="sdpa").eval()
    x = torch.tensor([tok(open(file, encoding="utf-8").read()).input_ids])
    with torch.inference_mode():
        m(x[:, :64], use_cache=True, logits_to_keep=1)
        start, cpu = time.perf_counter(), time.process_time()
        last = m(x, use_cache=True, logits_to_keep=1).logits[0, -1]
        print(json.dumps(dict(prompt=time.perf_counter() - start, cpu=time.process_time() - cpu, tokens=x.shape[1], next=tok.decode([int(last.argmax())]))))


def one(dir, model, way, threads):
    program, dtype = way.split("-")
    file = f"{dir}/prompt.txt"
    if program == "torch":
        out, peak = call([sys.executable, os.path.abspath(__file__), "--torch", dtype, "--model", model, "--file", file, "--threads", str(threads)], watch=True)
        return dict(json.loads(out.splitlines()[-1]), mb=peak["VmHWM"] / 1024)
    cpu = cpu_of_children()
    out, peak = call(["sh", "-c", 'exec "$@" 2>&1', "sh", f"{dir}/app", "generate", "--prompt-file", file, "--max-tokens", "1", "--ignore-eos", "--precision", dtype, "--profile"],
                     env=peer_env(CALM_THREADS=str(threads)), watch=True)
    said = re.search(r"(\d+) prompt tokens? in ([\d.]+) s", out)
    if not said: sys.exit(f"{way}: no 'prompt tokens in' in {out!r}")
    return dict(prompt=float(said[2]), cpu=cpu_of_children() - cpu, tokens=int(said[1]), next=out[:said.start()].splitlines()[-1], mb=peak["VmHWM"] / 1024, profile=out[said.end():])


def bench(a, model, tokens):
    with tempfile.TemporaryDirectory() as dir:
        with open(f"{dir}/prompt.txt", "w", encoding="utf-8") as f: f.write(prompt(model, tokens))
        with open(f"{dir}/spec.calm", "w") as f: f.write(f'anchor base = "{model}"\n')
        call([a.calmc, "build", f"{dir}/spec.calm", "-o", f"{dir}/app"])
        rounds = {way: [] for way in a.ways}
        for k in range(a.rounds):
            for way in rounds:
                r = one(dir, model, way, a.threads)
                rounds[way].append(r)
                print(f"round {k + 1}/{a.rounds}  {way:10} {r['tokens']} tokens  {r['prompt']:7.2f} s  cpu {r['cpu']:7.2f} s  {r['mb']:6.0f} MB  next {r['next']!r}", file=sys.stderr)
            exact = {(r[k]["tokens"], r[k]["next"].strip()) for way, r in rounds.items() if way.endswith("f32")}
            if len(exact) > 1: sys.exit(f"{model}: in f32 the prompt is not read alike: {exact}")
    counted = next((r[0] for way, r in rounds.items() if way.startswith("calm")), None)
    work = work_of(counted["profile"], call([a.calmc, "doctor"], env=peer_env(CALM_THREADS=str(a.threads))), counted["tokens"]) if counted else None
    return work, {way: {key: statistics.median(x[key] for x in r) for key in ("prompt", "cpu", "tokens", "mb")} | dict(rounds=r) for way, r in rounds.items()}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--calmc", help=argparse.SUPPRESS)
    p.add_argument("--model", default="smollm2-135m", help="a directory, or a name below ~/.cache/calm-real (default: %(default)s)")
    p.add_argument("--tokens", default="512,8000", help="lengths of prompts, at most (default: %(default)s)")
    p.add_argument("--ways", default=",".join(WAYS), help="some of: %(default)s (all)")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--json", action="store_true")
    p.add_argument("--torch", choices=("f32", "bf16"), help=argparse.SUPPRESS)
    p.add_argument("--file", help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.torch: return run_torch(a.model, a.file, a.torch, a.threads)
    a.ways, machine, result = a.ways.split(","), Machine(), {}
    for way in a.ways:
        if way not in WAYS: p.error(f"--ways: no way '{way}'; there are: {', '.join(WAYS)}")
    model = a.model if os.path.isdir(a.model) else os.path.expanduser(f"~/.cache/calm-real/{a.model}")
    if not os.path.isfile(f"{model}/config.json"): sys.exit(f"no model {model} (../shared/data/real/fetch makes it)")
    for tokens in a.tokens.split(","): result[tokens] = bench(a, model, int(tokens))
    if a.json: return print(json.dumps({tokens: ways for tokens, (_, ways) in result.items()}, indent=1))
    best = a.ways[0] if not any(w.startswith("calm") for w in a.ways) else None
    print(f"{os.path.basename(model)}, weights stored in bf16, medians of {a.rounds} rounds; times are those of the row over calm's fastest; {machine}")
    rows = []
    for work, r in result.values():
        calm = best or min((w for w in r if w.startswith("calm")), key=lambda w: r[w]["prompt"])
        for way, x in r.items():
            over = lambda key: statistics.median(t[key] / c[key] for t, c in zip(x["rounds"], r[calm]["rounds"]))
            rows.append([f"{x['tokens']:.0f}", *way.split("-"), str(a.threads), processor(), f"{x['prompt']:.2f}", f"{x['tokens'] / x['prompt']:.0f}",
                         limit(work, way.split("-")[1], x["tokens"] / x["prompt"]) if work else None, f"{x['cpu']:.2f}", f"{x['mb']:.0f}",
                         f"{over('prompt'):.2f}x", f"{over('cpu'):.2f}x"])
    table(["tokens", "program", "dtype", "threads", "processor", "prompt s", "tokens/s", "of the limit", "cpu s", "MB", "prompt", "cpu"], rows, 3)


if __name__ == "__main__": main()
