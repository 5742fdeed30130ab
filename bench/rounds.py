"""Rounds of calm and of PyTorch's ways (ways.py), one process after the other, and the table of what they were: no figure in it without its dtype,
way, threads and processor."""
import statistics, sys
from side import processor, table
from ways import DEFAULT, TOLERANCE, WAYS, chosen


def options(ap, rounds):
    """Those that train_step and real_pair share."""
    ap.add_argument("--ways", type=chosen, default=",".join(DEFAULT), metavar="A,B", help=f"some of: {', '.join(WAYS)} (default: {','.join(DEFAULT)})")
    ap.add_argument("--rounds", type=int, default=rounds)
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--limit", type=float, default=900, help="seconds for a process of PyTorch's; of a way too slow for it the table has fewer steps, and says so (%(default)s)")
    ap.add_argument("--json", action="store_true", help="everything measured, as one JSON object on standard output")


def agree(way, start, trained):
    """Pairs (what, calm's loss, the way's), before any step and after some. Ends the bench where one differs by more than the dtype allows; a loss that
    is no number does as well. Returns the largest difference, relative."""
    worst = 0
    for pairs, allowed in zip((start, trained), TOLERANCE[way.dtype]):
        for what, calm, theirs in pairs:
            off = abs(theirs / calm - 1)
            if not off <= allowed: sys.exit(f"losses differ, {what}: calm {calm:.6f}, {way.name} {theirs:.6f}, {off:.1e} of it; {allowed:.1e} is allowed")
            worst = max(worst, off)
    return worst


def measures(timed, peak, cpu):
    """A process's timed steps as the table shows them; cpu: processor seconds that they took."""
    tokens = sum(l["tokens"] for l in timed)
    return dict(timed=timed, tok_s=tokens / sum(l["seconds"] for l in timed), cpu_s=1000 * cpu / tokens, mb=peak["VmHWM"] / 1024, anon_mb=peak["RssAnon"] / 1024,
                file_mb=peak["RssFile"] / 1024)


def of_check(log, peak):
    """Of a way too slow for rounds, what its check showed: the steps after the first, where there were any."""
    rest = log[1:] or log
    return dict(only=len(rest), round=measures(rest, peak, sum(l["cpu"] for l in rest)))


def take(n, ways, seen, one):
    """n rounds; one(way) runs calm where way is None. seen: what check found of every way. Returns {name: [measures]}."""
    rounds = {"calm": []} | {w.name: [seen[w.name]["round"]] if "only" in seen[w.name] else [] for w in ways if "cannot" not in seen[w.name]}
    for k in range(n):
        for way in [None, *(w for w in ways if not seen[w.name].keys() & {"cannot", "only"})]:
            name, r = way.name if way else "calm", one(way)
            rounds[name].append(r)
            print(f"round {k + 1}/{n}  {name:14} {r['tok_s']:8.1f} tokens/s  {r['cpu_s']:7.2f} cpu s/1000 tokens  {r['mb']:6.0f} MB", file=sys.stderr, flush=True)
    return rounds


def quiet(rounds, period):
    """Tokens/s where every batch (they come again after `period` steps) took its shortest time of all rounds: what a machine with nothing else on it
    would show."""
    batches = [[t for r in rounds for t in r["timed"][k::period]] for k in range(min(period, len(rounds[0]["timed"])))]
    return sum(b[0]["tokens"] for b in batches) / sum(min(t["seconds"] for t in b) for b in batches)


def summary(rounds, period):
    """Medians of every way's rounds, and of the ratios of calm and the way in each round."""
    keys = ("tok_s", "cpu_s", "mb", "anon_mb", "file_mb")
    out = {name: {k: statistics.median(x[k] for x in r) for k in keys} | dict(quiet_tok_s=quiet(r, period)) for name, r in rounds.items()}
    for name, r in rounds.items():
        if name == "calm": continue
        ratio = lambda f: statistics.median(f(c, p) for c, p in zip(rounds["calm"], r))
        out[name] |= dict(speed=ratio(lambda c, p: c["tok_s"] / p["tok_s"]), speed_quiet=out["calm"]["quiet_tok_s"] / out[name]["quiet_tok_s"],
                          less_cpu=ratio(lambda c, p: p["cpu_s"] / c["cpu_s"]), memory=out["calm"]["mb"] / out[name]["mb"])
    return out


def heading(seen, machine):
    """What stands above the table: the peer's version, how quiet it was, how far the losses are apart."""
    version = next((x["torch"] for x in seen.values()), None)
    worst = ", ".join(f"{n} {x['worst']:.0e}" for n, x in seen.items() if "worst" in x)
    return f"PyTorch {version}; {machine}\nlosses, relative difference from calm's at most: {worst}"


HEAD = ["dtype", "way", "threads", "processor", "tokens/s", "quietest", "cpu s/1000", "of the limit", "peak MB", "anon", "files", "calm's: speed", "quietest", "cpu", "memory", "compile s"]


def limit(work, dtype, tok_s):
    """Useful operations a second, of what the processor can do in a dtype; None where it has no such instruction. Every way is held against the same
    operations: those that calm finds necessary."""
    rate = work["rates"].get("f32" if dtype == "f32" else "bf16")
    return f"{100 * work['gflop'] * tok_s / rate:.0f} %" if rate else None


def report(a, s, seen, built, work):
    """The table; s as summary gives it, built: seconds of calmc, work: calm_work's."""
    here = [str(a.threads), processor()]
    figures = lambda dtype, r: [f"{r['tok_s']:.0f}", f"{r['quiet_tok_s']:.0f}", f"{r['cpu_s']:.2f}", limit(work, dtype, r["tok_s"]), f"{r['mb']:.0f}", f"{r['anon_mb']:.0f}", f"{r['file_mb']:.0f}"]
    own = work["precision"]
    rows, notes = [[own, "calm", *here, *figures(own, s["calm"]), None, None, None, None, f"{built:.1f}"]], []
    for way in a.ways:
        how, start = seen[way.name], [way.dtype, way.title]
        if "cannot" in how:
            rows.append([way.dtype, way.title + " !", *here] + [None] * (len(HEAD) - 4))
            notes.append(f"! {way.name} cannot be run here: {how['cannot']}")
            continue
        r = s[way.name]
        if "only" in how:
            start[1] += " *"
            notes.append(f"* {way.name}: {how['only']} step{'s' * (how['only'] != 1)} of the check, once; too slow for rounds within {a.limit:.0f} s a process (--limit)")
        rows.append([*start, *here, *figures(way.dtype, r), f"{r['speed']:.2f}x", f"{r['speed_quiet']:.2f}x", f"{r['less_cpu']:.2f}x", f"{r['memory']:.2f}",
                     f"{how['compile_s']:.0f}" if "compile_s" in how else None])
    table(HEAD, rows, 4)
    for note in notes: print(note)
