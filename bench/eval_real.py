"""calm against transformers on the loss of the first four windows of 512 tokens of WikiText-2's test text, for real checkpoints in bf16, both in
f32. The losses must agree within 1e-4; then calm and the two ways of transformers run one after the other, round after round, each in its own
process. `eval` is what the four windows take once the model is loaded (transformers: after one warm-up window; calm: none), `load` from the
start of the process, imports of Python not counted, to the loaded model (calm: mapped and packed); `cpu` is processor time of both, over all
threads, which other work on the machine touches least; memory is the peak of the process.

  written   model(ids).logits of a window, cross-entropy of all of them
  lean      the body, then head and cross-entropy for 128 positions at a time: never [512, vocabulary]"""
import argparse, json, os, resource, statistics, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
TEXT = os.path.join(HERE, "../../shared/data/text/wikitext-2/test.txt")
WAYS = ("calm", "written", "lean")
TITLE = {"calm": "calm", "written": "transformers as written", "lean": "transformers, lean head"}
WINDOWS, WINDOW, LINES, POSITIONS = 4, 512, 60, 128


def windows(model):
    """The ids of tests/parity/make_real_goldens.py."""
    from transformers import AutoTokenizer
    tok = AutoTokenizer.from_pretrained(model)
    prefix, body = list(tok("").input_ids), WINDOW - len(tok("").input_ids)
    ids = tok("".join(open(TEXT, encoding="utf-8").readlines()[:LINES]), add_special_tokens=False).input_ids
    return [prefix + ids[i * body:(i + 1) * body] for i in range(WINDOWS)]


def run_torch(model, rows, way, threads):
    """In a process of its own."""
    import torch, torch.nn.functional as F
    from transformers import AutoModelForCausalLM
    torch.set_num_threads(threads)
    start, cpu = time.perf_counter(), time.process_time()
    m = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    loaded = time.perf_counter()
    rows = [json.loads(line)["input_ids"] for line in open(rows)]

    def nll(row):
        x, labels = torch.tensor([row]), torch.tensor(row[1:])
        if way == "written": return float(F.cross_entropy(m(x, use_cache=False).logits[0, :-1], labels, reduction="sum").double())
        h = m.model(x, use_cache=False).last_hidden_state[0, :-1]
        return sum(float(F.cross_entropy(m.lm_head(h[i:i + POSITIONS]), labels[i:i + POSITIONS], reduction="sum").double()) for i in range(0, len(h), POSITIONS))

    with torch.inference_mode():
        warm = time.process_time()
        nll(rows[0])
        cpu += time.process_time() - warm
        began = time.perf_counter()
        loss = sum(nll(r) for r in rows) / sum(len(r) - 1 for r in rows)
    print(json.dumps(dict(loss=loss, eval=time.perf_counter() - began, load=loaded - start, cpu=time.process_time() - cpu)))


def cpu_of_children():
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime


def one(dir, model, way, threads):
    from side import call
    rows = f"{dir}/rows.jsonl"
    if way == "calm":
        start, cpu = time.perf_counter(), cpu_of_children()
        out, peak = call([f"{dir}/app", "eval", "--data", rows, "--metric", "loss", "--json"], env=dict(os.environ, CALM_THREADS=str(threads)), watch=True)
        whole, r = time.perf_counter() - start, json.loads(out)
        return dict(loss=r["loss"], eval=r["seconds"], load=whole - r["seconds"], cpu=cpu_of_children() - cpu, mb=peak["VmHWM"] / 1024)
    out, peak = call([sys.executable, os.path.abspath(__file__), "--torch", way, "--model", model, "--rows", rows, "--threads", str(threads)], watch=True)
    return dict(json.loads(out.splitlines()[-1]), mb=peak["VmHWM"] / 1024)


def bench(a, model):
    from side import call
    with tempfile.TemporaryDirectory() as dir:
        with open(f"{dir}/rows.jsonl", "w") as f:
            for w in windows(model): f.write(json.dumps(dict(input_ids=w, labels=w)) + "\n")
        with open(f"{dir}/spec.calm", "w") as f: f.write(f'anchor base = "{model}"\n')
        call([a.calmc, "build", f"{dir}/spec.calm", "-o", f"{dir}/app"])
        rounds = {way: [] for way in WAYS}
        for k in range(a.rounds):
            for way in WAYS:
                r = one(dir, model, way, a.threads)
                rounds[way].append(r)
                print(f"round {k + 1}/{a.rounds}  {TITLE[way]:<24} loss {r['loss']:.6f}  eval {r['eval']:6.2f} s  load {r['load']:5.2f} s  cpu {r['cpu']:6.2f} s  {r['mb']:6.0f} MB", file=sys.stderr)
            off = max(abs(rounds[way][k]["loss"] - rounds["written"][k]["loss"]) for way in WAYS)
            if off > 1e-4: sys.exit(f"{model}: the losses differ by {off:.1e}")
    med = {way: {key: statistics.median(r[key] for r in rounds[way]) for key in ("loss", "eval", "load", "cpu", "mb")} for way in WAYS}
    for way in WAYS[1:]:
        med[way]["calm_times_faster"] = statistics.median(t["eval"] / c["eval"] for c, t in zip(rounds["calm"], rounds[way]))
        med[way]["calm_times_faster_loaded"] = statistics.median((t["eval"] + t["load"]) / (c["eval"] + c["load"]) for c, t in zip(rounds["calm"], rounds[way]))
        med[way]["calm_times_less_cpu"] = statistics.median(t["cpu"] / c["cpu"] for c, t in zip(rounds["calm"], rounds[way]))
        med[way]["calm_memory_share"] = med["calm"]["mb"] / med[way]["mb"]
    return med


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--calmc")
    p.add_argument("--model", action="append", help="a directory, or a name below ~/.cache/calm-real (default: both)")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--json", action="store_true")
    p.add_argument("--torch", choices=WAYS[1:], help=argparse.SUPPRESS)
    p.add_argument("--rows", help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.torch: return run_torch(a.model[0], a.rows, a.torch, a.threads)
    sys.path.insert(0, HERE)
    result = {}
    for name in a.model or ["smollm2-135m", "gemma3-270m"]:
        model = name if os.path.isdir(name) else os.path.expanduser(f"~/.cache/calm-real/{name}")
        if not os.path.isfile(f"{model}/config.json"): sys.exit(f"no model {model} (../shared/data/real/fetch makes it)")
        result[name] = bench(a, model)
    if a.json: return print(json.dumps(result, indent=1))
    print(f"{WINDOWS} windows of {WINDOW} tokens, f32, {a.threads} threads, medians of {a.rounds} rounds; times are those of the row over calm's")
    print(f"{'':40} {'loss':>9} {'eval s':>7} {'load s':>7} {'cpu s':>7} {'MB':>6}   {'eval':>6} {'with load':>10} {'cpu':>6}  calm's memory")
    for name, med in result.items():
        for way in WAYS:
            r = med[way]
            tail = f"   {r['calm_times_faster']:5.2f}x {r['calm_times_faster_loaded']:9.2f}x {r['calm_times_less_cpu']:5.2f}x  {r['calm_memory_share']:5.2f}" if way != "calm" else ""
            print(f"{name:15} {TITLE[way]:24} {r['loss']:9.5f} {r['eval']:7.2f} {r['load']:7.2f} {r['cpu']:7.2f} {r['mb']:6.0f}{tail}")


main()
