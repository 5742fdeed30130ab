"""calm against transformers on the loss of the first windows of 512 tokens of WikiText-2's test text, for real checkpoints stored in bf16, both in f32 and
in bf16. In f32 every way's loss must agree with calm's within 1e-4; in bf16 calm's must be within 0.1 % of f32's, and nearer to it than transformers'. All run
one after the other, round after round, each in its own process. `eval` is what the windows take once the model is loaded (transformers: after one
warm-up window; calm: none), `load` from the start of the process, imports of Python not counted, to the loaded model (calm: mapped and packed);
`cpu` is processor time of both, over all threads, which other work on the machine touches least; memory is the peak of the process.

  written   model(ids).logits of a window, cross-entropy of all of them
  lean      the body, then head and cross-entropy for 128 positions at a time: never [512, vocabulary]"""
import argparse, json, os, statistics, sys, tempfile, time
from side import Machine, call, cpu_of_children, peer_env, processor, table

HERE = os.path.dirname(os.path.abspath(__file__))
TEXT = os.path.join(HERE, "../../shared/data/text/wikitext-2/test.txt")
WAYS = ("f32-written", "f32-lean", "bf16-written", "bf16-lean")
CALM = ("f32-calm", "bf16-calm")
TITLE = {"calm": "calm", "written": "transformers as written", "lean": "transformers, lean head"}
AGREE, NARROW = 1e-4, 1e-3                               # f32: nats; calm's bf16: of f32's loss
WINDOW, POSITIONS = 512, 128


def windows(model, count):
    """Of four: the ids of tests/parity/make_real_goldens.py."""
    from transformers import AutoTokenizer
    tok = AutoTokenizer.from_pretrained(model)
    prefix, body = list(tok("").input_ids), WINDOW - len(tok("").input_ids)
    ids = tok("".join(open(TEXT, encoding="utf-8").readlines()[:15 * count]), add_special_tokens=False).input_ids
    if len(ids) < count * body: sys.exit(f"--windows {count}: the text has {len(ids) // body}")
    return [prefix + ids[i * body:(i + 1) * body] for i in range(count)]


def run_torch(model, rows, way, threads):
    """In a process of its own."""
    import torch, torch.nn.functional as F
    from transformers import AutoModelForCausalLM
    torch.set_num_threads(threads)
    dtype, how = way.split("-")
    start, cpu = time.perf_counter(), time.process_time()
    m = AutoModelForCausalLM.from_pretrained(model, dtype={"f32": torch.float32, "bf16": torch.bfloat16}[dtype]).eval()
    loaded = time.perf_counter()
    rows = [json.loads(line)["input_ids"] for line in open(rows)]

    def nll(row):
        x, labels = torch.tensor([row]), torch.tensor(row[1:])
        if how == "written": return float(F.cross_entropy(m(x, use_cache=False).logits[0, :-1].float(), labels, reduction="sum").double())
        h = m.model(x, use_cache=False).last_hidden_state[0, :-1]
        return sum(float(F.cross_entropy(m.lm_head(h[i:i + POSITIONS]).float(), labels[i:i + POSITIONS], reduction="sum").double()) for i in range(0, len(h), POSITIONS))

    with torch.inference_mode():
        warm = time.process_time()
        nll(rows[0])
        cpu += time.process_time() - warm
        began = time.perf_counter()
        loss = sum(nll(r) for r in rows) / sum(len(r) - 1 for r in rows)
    print(json.dumps(dict(loss=loss, eval=time.perf_counter() - began, load=loaded - start, cpu=time.process_time() - cpu)))


def one(dir, model, way, threads):
    rows = f"{dir}/rows.jsonl"
    dtype, how = way.split("-")
    if how == "calm":
        start, cpu = time.perf_counter(), cpu_of_children()
        out, peak = call([f"{dir}/app", "eval", "--data", rows, "--metric", "loss", "--json", "--precision", dtype], env=peer_env(CALM_THREADS=str(threads)), watch=True)
        whole, r = time.perf_counter() - start, json.loads(out)
        return dict(loss=r["loss"], eval=r["seconds"], load=whole - r["seconds"], cpu=cpu_of_children() - cpu, mb=peak["VmHWM"] / 1024)
    out, peak = call([sys.executable, os.path.abspath(__file__), "--torch", way, "--model", model, "--rows", rows, "--threads", str(threads)], watch=True)
    return dict(json.loads(out.splitlines()[-1]), mb=peak["VmHWM"] / 1024)


def bench(a, model):
    with tempfile.TemporaryDirectory() as dir:
        with open(f"{dir}/rows.jsonl", "w") as f:
            for w in windows(model, a.windows): f.write(json.dumps(dict(input_ids=w, labels=w)) + "\n")
        with open(f"{dir}/spec.calm", "w") as f: f.write(f'anchor base = "{model}"\n')
        call([a.calmc, "build", f"{dir}/spec.calm", "-o", f"{dir}/app"])
        rounds = {way: [] for way in (*CALM, *a.ways)}
        for k in range(a.rounds):
            for way in rounds:
                r = one(dir, model, way, a.threads)
                rounds[way].append(r)
                print(f"round {k + 1}/{a.rounds}  {way:13} loss {r['loss']:.6f}  eval {r['eval']:6.2f} s  load {r['load']:5.2f} s  cpu {r['cpu']:6.2f} s  {r['mb']:6.0f} MB", file=sys.stderr)
                exact = rounds["f32-calm"][k]["loss"]
                off = abs(r["loss"] - exact)
                if way[:3] == "f32" and not off <= AGREE: sys.exit(f"{model}, {way}: the loss differs from calm's by {off:.1e}")
                if way == "bf16-calm" and not off <= NARROW * exact: sys.exit(f"{model}: the loss in bf16 is {off / exact:.2%} off f32's")
                if way[:4] == "bf16" and not off >= (mine := abs(rounds["bf16-calm"][k]["loss"] - exact)): sys.exit(f"{model}: calm's loss in bf16 is {mine:.1e} off f32's, {way}'s {off:.1e}")
    med = {way: {key: statistics.median(x[key] for x in r) for key in ("loss", "eval", "load", "cpu", "mb")} for way, r in rounds.items()}
    for way in med: med[way]["off"] = med[way]["loss"] / med["f32-calm"]["loss"] - 1
    for way in a.ways:
        calm = way.split("-")[0] + "-calm"
        ratio = lambda f: statistics.median(f(t) / f(c) for c, t in zip(rounds[calm], rounds[way]))
        med[way] |= dict(calm_times_faster=ratio(lambda x: x["eval"]), calm_times_faster_loaded=ratio(lambda x: x["eval"] + x["load"]), calm_times_less_cpu=ratio(lambda x: x["cpu"]),
                         calm_memory_share=med[calm]["mb"] / med[way]["mb"])
    return med


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--calmc", help=argparse.SUPPRESS)
    p.add_argument("--model", action="append", help="a directory, or a name below ~/.cache/calm-real (default: both)")
    p.add_argument("--ways", default=",".join(WAYS), help="some of: %(default)s (all)")
    p.add_argument("--windows", type=int, default=16, help="of the text: the mean over few is off by chance (default: %(default)s)")
    p.add_argument("--rounds", type=int, default=2)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--json", action="store_true")
    p.add_argument("--torch", choices=WAYS, help=argparse.SUPPRESS)
    p.add_argument("--rows", help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.torch: return run_torch(a.model[0], a.rows, a.torch, a.threads)
    a.ways, result, machine = [w for w in a.ways.split(",") if w], {}, Machine()
    for way in a.ways:
        if way not in WAYS: p.error(f"--ways: no way '{way}'; there are: {', '.join(WAYS)}")
    for name in a.model or ["smollm2-135m", "gemma3-270m"]:
        model = name if os.path.isdir(name) else os.path.expanduser(f"~/.cache/calm-real/{name}")
        if not os.path.isfile(f"{model}/config.json"): sys.exit(f"no model {model} (../shared/data/real/fetch makes it)")
        result[name] = bench(a, model)
    if a.json: return print(json.dumps(result, indent=1))
    print(f"{a.windows} windows of {WINDOW} tokens, weights stored in bf16, medians of {a.rounds} rounds; times are those of the row over calm's of its dtype; {machine}")
    rows = []
    for name, med in result.items():
        for way, r in med.items():
            dtype, how = way.split("-")
            tail = [None] * 4 if how == "calm" else [f"{r['calm_times_faster']:.2f}x", f"{r['calm_times_faster_loaded']:.2f}x", f"{r['calm_times_less_cpu']:.2f}x", f"{r['calm_memory_share']:.2f}"]
            rows.append([name, dtype, TITLE[how], str(a.threads), processor(), f"{r['loss']:.5f}", f"{r['off']:+.3%}", f"{r['eval']:.2f}", f"{r['load']:.2f}", f"{r['cpu']:.2f}", f"{r['mb']:.0f}", *tail])
    table(["model", "dtype", "way", "threads", "processor", "loss", "off f32", "eval s", "load s", "cpu s", "MB", "eval", "with load", "cpu", "calm's memory"], rows, 5)


if __name__ == "__main__": main()
