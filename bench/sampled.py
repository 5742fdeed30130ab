"""Samples a program that compiled kernels into libraries it has loaded and removed (tests/unit/native_object.c), and prints, of each library, the share of its
samples in each of its functions. The libraries are read where the kernel still has them, in /proc/PID/map_files."""
import argparse, collections, re, shutil, subprocess, sys, tempfile, time


def maps(pid):
    """Of each removed library: a range of its mapped addresses, as map_files names it, which holds the whole file."""
    found = {}
    for line in open(f"/proc/{pid}/maps"):
        m = re.match(r"([0-9a-f]+-[0-9a-f]+) .* (\S+\.so)(?: \(deleted\))?$", line)
        if m and "calm_kernel" in m[2]: found.setdefault(m[2], m[1])
    return found


def functions(library):
    """Address of each function, ascending."""
    out = subprocess.run(["objdump", "-d", "--no-show-raw-insn", library], capture_output=True, text=True, check=True).stdout
    return sorted((int(a, 16), name) for a, name in re.findall(r"^([0-9a-f]+) <(.*)>:$", out, re.M))


def main():
    ap = argparse.ArgumentParser(prog="sampled")
    ap.add_argument("--seconds", type=float, default=10)
    ap.add_argument("--after", type=float, default=2.5, help="seconds until the kernels run that are meant")
    ap.add_argument("command", nargs=argparse.REMAINDER)
    o = ap.parse_args()
    command = o.command[1:] if o.command[:1] == ["--"] else o.command
    if not command: ap.error("expected a command behind --")
    with tempfile.TemporaryDirectory(prefix="calm-sampled-") as tmp:
        program = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(o.after)
        if program.poll() is not None: sys.exit(f"sampled: the command ended within {o.after} seconds")
        code = {}
        for i, (name, at) in enumerate(maps(program.pid).items()):
            shutil.copyfile(f"/proc/{program.pid}/map_files/{at}", f"{tmp}/{i}.so")
            code[name] = functions(f"{tmp}/{i}.so")
        subprocess.run(["perf", "record", "-q", "-o", f"{tmp}/perf", "-e", "cpu-clock", "-c", "500000", "-p", str(program.pid), "--", "sleep", str(o.seconds)],
                       check=True, capture_output=True)
        program.kill()
        def script(*args): return subprocess.run(["perf", "script", "-i", f"{tmp}/perf", *args], capture_output=True, text=True).stdout
        base = {}
        for start, offset, name in re.findall(r"MMAP2.*?\[0x([0-9a-f]+)\(\S+\) @ 0x([0-9a-f]+).*r-xp (\S+)", script("--show-mmap-events")):
            base[name] = int(start, 16) - int(offset, 16)
        hits = {name: collections.Counter() for name in code}
        for at, name in re.findall(r"^\s*([0-9a-f]+) .*\((\S+\.so)", script("-F", "ip,sym,dso"), re.M):
            if name not in code or name not in base: continue
            where = [f for a, f in code[name] if a <= int(at, 16) - base[name]]
            hits[name][where[-1] if where else "?"] += 1
    if not any(hits.values()): sys.exit(f"sampled: no compiled kernel ran from {o.after} seconds on; --after says when to look")
    for name, of in hits.items():
        n = sum(of.values())
        if not n: continue
        print(f"{n} samples in a library of {len(code[name])} functions")
        for function, k in of.most_common(6): print(f"  {100 * k / n:5.1f} %  {function}")


main()
