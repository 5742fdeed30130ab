"""What the benches against PyTorch share: processes run to their end, their peak memory and processor time, the log of a training by calm, what a figure
must never travel without (the processor, how busy it was), and the table."""
import csv, os, re, resource, shutil, subprocess, sys, tempfile, threading, time


class Watch(threading.Thread):
    """Peak resident memory of one process, and how much of what is resident is anonymous or mapped from files. ru_maxrss of a child would start
    from this process's own memory."""
    KEYS = ("VmHWM", "RssAnon", "RssFile")

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak = pid, dict.fromkeys(self.KEYS, 0)
        self.start()

    def run(self):
        while True:
            try:
                lines = dict(l.split(":", 1) for l in open(f"/proc/{self.pid}/status"))
            except OSError:
                return
            if "VmHWM" not in lines: return           # a zombie
            for k in self.KEYS: self.peak[k] = max(self.peak[k], int(lines[k].split()[0]))
            time.sleep(0.02)


def call(command, env=None, watch=False, **kw):
    p = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env or peer_env(), **kw)
    w = Watch(p.pid) if watch else None
    out, err = p.communicate()
    if w: w.join()
    if p.returncode: sys.exit(f"{' '.join(command)}: exit {p.returncode}\n{err}")
    return (out, w.peak) if watch else out


def peer_env(**more):
    """The environment without what a shell may hold that slows one side: OpenBLAS's kernels and block sizes."""
    return {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")} | more


def cpu_of_children():
    """Processor seconds of every process waited for so far, over all threads: what other work on the machine touches least."""
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime


def calm_train(command, dir, threads):
    """A training by a program of calm's, its output under dir for as long as it takes: every step's loss, tokens and seconds, the held-out loss
    where there was a look; the peak memory, and the processor seconds of the whole process."""
    out, cpu = tempfile.mkdtemp(dir=dir), cpu_of_children()
    _, peak = call([*command, "--out", out], env=peer_env(CALM_THREADS=str(threads)), watch=True)
    log, before = [], 0
    with open(f"{out}/log.csv") as f:
        for row in csv.DictReader(f):
            tokens, held = int(row["tokens"]), row["held_out_loss"]
            log.append(dict(loss=float(row["loss"]), tokens=tokens - before, seconds=(tokens - before) / float(row["tokens_per_s"]), held=float(held) if held else None))
            before = tokens
    shutil.rmtree(out)
    return log, peak, cpu_of_children() - cpu


def calm_work(calmc, command, dir, threads):
    """What a training by calm asks of a processor and what this one can do, as calm counts and measures it: the precision of its products, their Gflop a
    token (of what has to be computed: nothing that is skipped), Gflop/s of each precision on all threads (`calmc doctor`)."""
    env, out = peer_env(CALM_THREADS=str(threads)), tempfile.mkdtemp(dir=dir)
    said = subprocess.run([*command, "--out", out, "--profile"], capture_output=True, text=True, env=env)
    if said.returncode: sys.exit(f"{' '.join(command)} --profile: exit {said.returncode}\n{said.stderr}")
    with open(f"{out}/log.csv") as f: tokens = int(list(csv.DictReader(f))[-1]["tokens"])
    shutil.rmtree(out)
    return work_of(said.stderr, call([calmc, "doctor"], env=env), tokens)


def work_of(profile, doctor, tokens):
    """The same, from what was said."""
    steps = re.search(r"^steps: .*; products ([0-9.e+-]+) Gflop in (\w+),", profile, re.M)
    rates = re.findall(r"^(f32|bf16) +(?:.* on one thread, )?([0-9.]+)(?: Gflop/s| on)", doctor, re.M)
    if not steps or not rates: sys.exit(f"no operations or rates in:\n{profile}\n{doctor}")
    return dict(precision=steps[2], gflop=float(steps[1]) / tokens, rates={k: float(v) for k, v in rates})


def cpuinfo():
    lines = (l.split(":", 1) for l in open("/proc/cpuinfo").read().split("\n\n")[0].splitlines() if ":" in l)
    return {k.strip(): v.strip() for k, v in lines}


def processor():
    """What every row says: the name without its trimmings, family and model (which tell what a cloud's name hides), and the instructions that decide
    how fast f32 and bf16 are."""
    info = cpuinfo()
    name = re.sub(r"\((R|TM)\)| CPU\b| @.*| \d+-Core Processor| Processor", "", info.get("model name", "unknown")).strip()
    flags = set(info.get("flags", "").split())
    isa = "AVX-512" if "avx512f" in flags else "AVX2 only" if "avx2" in flags else "no AVX2"
    for flag, what in (("avx512_bf16", " bf16"), ("amx_bf16", " AMX")):
        if flag in flags: isa += what
    return f"{name} {info.get('cpu family', '?')}/{info.get('model', '?')}, {isa}"


class Machine:
    """How much of the processors other work took between two moments."""
    def __init__(self): self.start = self.now()

    def now(self):
        """Seconds of the clock, of all processors busy, and of this process and its children."""
        user, nice, system, _, _, irq, soft, steal = (int(x) / os.sysconf("SC_CLK_TCK") for x in open("/proc/stat").readline().split()[1:9])
        own = resource.getrusage(resource.RUSAGE_SELF)
        return time.monotonic(), user + nice + system + irq + soft + steal, cpu_of_children() + own.ru_utime + own.ru_stime

    def others(self):
        """The share, 0 to 1."""
        clock, busy, own = (b - a for a, b in zip(self.start, self.now()))
        return max(0.0, busy - own) / (clock * os.cpu_count())

    def __str__(self): return f"other work took {100 * self.others():.0f} % of its {os.cpu_count()} processors"


def table(head, rows, words):
    """Columns as wide as their widest cell; the first `words` of them are words and stand to the left, the rest are figures. None is a dash."""
    cells = [head] + [["-" if c is None else c for c in r] for r in rows]
    wide = [max(len(r[k]) for r in cells) for k in range(len(head))]
    for r in cells: print("  ".join(c.ljust(w) if k < words else c.rjust(w) for k, (c, w) in enumerate(zip(r, wide))).rstrip())
