"""What the benches against PyTorch share: processes run to their end, their peak memory, and the log of a training by calm."""
import os, shutil, subprocess, sys, tempfile, threading, time


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
    p = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, **kw)
    w = Watch(p.pid) if watch else None
    out, err = p.communicate()
    if w: w.join()
    if p.returncode: sys.exit(f"{' '.join(command)}: exit {p.returncode}\n{err}")
    return (out, w.peak) if watch else out


def torch_env():
    return {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}


def calm_train(command, dir, threads):
    """A training by a program of calm's, its output under dir for as long as it takes: every step's loss, tokens and seconds, the held-out loss
    where there was a look; and the peak memory."""
    out = tempfile.mkdtemp(dir=dir)
    _, peak = call([*command, "--out", out], env=dict(os.environ, CALM_THREADS=str(threads)), watch=True)
    log, before = [], 0
    for line in open(f"{out}/log.csv").read().splitlines()[1:]:
        _, tokens, loss, _, _, rate, held = line.split(",")
        log.append(dict(loss=float(loss), tokens=int(tokens) - before, seconds=(int(tokens) - before) / float(rate), held=float(held) if held else None))
        before = int(tokens)
    shutil.rmtree(out)
    return log, peak
