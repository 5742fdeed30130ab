"""calm against llama.cpp on one model's shape: reading a prompt of 512 tokens and decoding 48 behind it, on the same threads, one process after the other, round
after round. The weights may differ (a random GGUF of the shape will do: neither program's speed depends on them). bf16 against BF16, `as int8` against
Q8_0. Of llama.cpp's two repetitions in a process the second counts, which is warm. Ratios are medians of each round's; `of reading` is the weights' bytes
times the tokens a second over what `calmc doctor` reads on as many threads at the end of the round."""
import argparse, json, os, re, statistics, sys, tempfile
from prefill import prompt
from side import Machine, call, peer_env, processor, table

NEW, PROMPT = 48, 512


def calm(dir, way, threads):
    out, peak = call(["sh", "-c", f"exec {dir}/{way} generate --prompt-file {dir}/prompt.txt --max-tokens {NEW} --ignore-eos 2>&1 >/dev/null"],
                     env=peer_env(CALM_THREADS=str(threads)), watch=True)
    read, made = re.search(r"(\d+) prompt tokens? in ([\d.]+) s", out), re.search(r"tokens at ([0-9.]+) a second", out)
    if not read or not made: sys.exit(f"{way}: no figures in {out!r}")
    return dict(prefill=int(read[1]) / float(read[2]), decode=float(made[1]), mb=peak["VmHWM"] / 1024)


def reading(calmc, threads):
    """GB/s of memory on so many threads, as it is now: other tenants of a machine take their share of it."""
    said = re.search(r"^reading +([0-9.]+) GB/s(?: on one thread, ([0-9.]+) on)?", call([calmc, "doctor"], env=peer_env(CALM_THREADS=str(threads))), re.M)
    return float(said[2] or said[1])


def llama(node, file):
    out, peak = call(["node", "llamacpp_bench.mjs", os.path.abspath(file), str(PROMPT), str(NEW)], cwd=node, watch=True)
    last = [json.loads(l) for l in out.splitlines() if l.startswith("{")][-1]
    return dict(prefill=float(last["prefill_tok_s"]), decode=float(last["decode_tok_s"]), mb=peak["VmHWM"] / 1024)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--calmc", required=True, help=argparse.SUPPRESS)
    p.add_argument("--model", required=True, help="a Hugging Face directory in bf16")
    p.add_argument("--node", required=True, help="a folder with node-llama-cpp and llamacpp_bench.mjs")
    p.add_argument("--gguf", required=True, help="a model of the same shape in BF16")
    p.add_argument("--gguf-q8", help="the same in Q8_0")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--threads", type=int, default=2, help="of calm (llamacpp_bench.mjs has 2)")
    a = p.parse_args()
    machine, ways = Machine(), {"bf16": ("", a.gguf)} | ({"int8": (" as int8", a.gguf_q8)} if a.gguf_q8 else {})
    size = sum(os.path.getsize(os.path.join(a.model, f)) for f in os.listdir(a.model) if f.endswith(".safetensors"))
    with tempfile.TemporaryDirectory() as dir:
        with open(f"{dir}/prompt.txt", "w", encoding="utf-8") as f: f.write(prompt(a.model, PROMPT))
        for way, (kept, _) in ways.items():
            with open(f"{dir}/{way}.calm", "w") as f: f.write(f'anchor base = "{a.model}"{kept}\n')
            call([a.calmc, "build", "--isa", "native", f"{dir}/{way}.calm", "-o", f"{dir}/{way}"])
        rounds, readings = [], []
        for _ in range(a.rounds):
            rounds.append({way: (calm(dir, way, a.threads), llama(a.node, file)) for way, (_, file) in ways.items()})
            readings.append(reading(a.calmc, a.threads))
    print(f"{a.model}: {size / 1e6:.0f} MB, {a.rounds} rounds, {processor()}, {a.threads} threads, reading {min(readings)} to {max(readings)} GB/s; {machine}")
    rows = []
    for way in ways:
        for i, program in enumerate(("calm", "llama.cpp")):
            med = lambda key: statistics.median(r[way][i][key] for r in rounds)
            over = lambda key: "" if not i else f"{statistics.median(r[way][0][key] / r[way][1][key] for r in rounds):.2f}x"
            rows.append([way, program, f"{med('prefill'):.1f}", over("prefill"), f"{med('decode'):.2f}", over("decode"), f"{statistics.median(r[way][i]['decode'] * size / g / 1e9 for r, g in zip(rounds, readings)):.0%}" if way == "bf16" else None, f"{med('mb'):.0f}"])
    table(["weights", "", "prefill/s", "calm's", "decode/s", "calm's", "of reading", "MB"], rows, 2)


main()
