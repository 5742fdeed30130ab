#!/bin/sh
# What the benches against PyTorch print, without PyTorch: their ways are listed; no row stands without dtype, way, threads and processor; a way that
# cannot be run, or only in part, is marked and says why; losses that differ, or are no numbers, end a bench; a shell's OpenBLAS settings reach neither side.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip "no python3"
export PYTHONDONTWRITEBYTECODE=1
for bench in train_step real_pair; do
  python3 "$root/bench/$bench.py" --calmc none --help >help
  tr -d ' \n' <help >flat                                # argparse breaks lines at hyphens
  for way in f32-written f32-tuned f32-packed bf16-written bf16-tuned bf16-packed bf16-compiled; do
    grep -q "default:.*$way" flat || fail "$bench --help does not name $way among the default: $(cat help)"
  done
  expect 2 "no way 'bf16-quick'; there are: .*bf16-tuned" python3 "$root/bench/$bench.py" --calmc none --ways f32-tuned,bf16-quick
done

cat >tables.py <<'E2'
import argparse, sys
sys.path.insert(0, sys.argv[1])
from rounds import of_check, measures, report, summary
from side import processor, work_of
from ways import chosen
a = argparse.Namespace(ways=chosen("f32-tuned,bf16-written,bf16-compiled,mixed-tuned"), threads=3, limit=60)
peak = dict(VmHWM=2048, RssAnon=1024, RssFile=1024)
step = lambda seconds: dict(loss=1.0, tokens=100, seconds=seconds, cpu=2 * seconds)
ran = lambda *seconds: measures([step(s) for s in seconds], peak, 2 * sum(seconds))
seen = {"f32-tuned": dict(worst=0), "bf16-written": dict(worst=0) | of_check([step(50), step(40)], peak), "bf16-compiled": dict(worst=0, compile_s=7),
        "mixed-tuned": dict(cannot="a reason")}
# three rounds; the machine was slow in the second, for all: ratios are of neighbours in time
rounds = {"calm": [ran(1, 1), ran(4, 4), ran(1, 1)], "f32-tuned": [ran(2, 2), ran(9, 9), ran(2, 2)], "bf16-written": [seen["bf16-written"]["round"]],
          "bf16-compiled": [ran(0.5, 0.5), ran(2, 2), ran(0.5, 0.5)]}
s = summary(rounds, 2)
assert abs(s["f32-tuned"]["speed"] - 2) < 1e-9 and abs(s["bf16-compiled"]["speed"] - 0.5) < 1e-9, s
assert abs(s["f32-tuned"]["less_cpu"] - 2) < 1e-9 and abs(s["bf16-written"]["speed"] - 40) < 1e-9, s
# 400 Gflop of 1,000 tokens; calm makes 100 tokens/s, 40 Gflop/s, of 200 that 3 threads can do in bf16
profile = "steps: 10.000 s, 99.9 % of it in kernels; products 400 Gflop in bf16, 40.0 Gflop/s, 20.0 % of the rate; memory 3 GB, 0.3 GB/s, 1.0 %"
doctor = "f32        40.0 Gflop/s on one thread, 100.0 on 3\nbf16       80.1 Gflop/s on one thread, 200.0 on 3\nreading    1.0 GB/s on one thread, 2.0 on 3\n"
work = work_of(profile, doctor, 1000)
assert work == dict(precision="bf16", gflop=0.4, rates=dict(f32=100.0, bf16=200.0)), work
assert work_of(profile, "f32        40.5 Gflop/s\nreading    1.0 GB/s\n", 1)["rates"] == dict(f32=40.5)
report(a, s, seen, 1.0, work)
E2
python3 tables.py "$root/bench" >table || fail "tables.py: $(cat table)"
processor=$(python3 -c 'import sys; sys.path.insert(0, sys.argv[1]); from side import processor; print(processor())' "$root/bench")
case $processor in *[0-9]/[0-9]*,\ *) ;; *) fail "the processor: '$processor'" ;; esac
row() { grep -E "^$1 +$2 +3 +$processor( |\$)" table >row || fail "no row '$1 $2' with threads and processor: $(cat table)"; }
row bf16 calm && grep -q ' 20 % ' row || fail "calm's share of the limit: $(cat row)"
row f32 'PyTorch tuned' && grep -q ' 50 .* 20 % .* 2.00x' row || fail "a ratio: $(cat row)"
row bf16 'PyTorch compiled' && grep -q ' 7$' row || fail "compile time: $(cat row)"
row bf16 'PyTorch written [*]' && grep -q '^[*] bf16-written: 1 step of the check, once' table || fail "a way too slow is not marked: $(cat table)"
row mixed 'PyTorch tuned !' && ! sed "s|$processor||" row | grep -q '[1-9][0-9]' && grep -q '^! mixed-tuned cannot be run here: a reason' table ||
  fail "a way that cannot be run: $(cat table)"

agree() { python3 -c 'import sys; sys.path.insert(0, sys.argv[1]); from rounds import agree; from ways import Way; first, second = map(float, sys.argv[3:]); agree(Way(sys.argv[2]), [("step 1", 5.0, first)], [("step 2", 5.0, second)])' "$root/bench" "$@"; }
agree bf16-tuned 5.01 5.04 || fail "5.01 and 5.04 are within what bf16 allows"
agree f32-tuned 5.0001 5.0006 || fail "5.0001 and 5.0006 are within what f32 allows"
for way in "bf16-tuned 5.03 5" "f32-tuned 5.002 5"; do expect 1 "losses differ, step 1: calm 5.000000, ${way%% *} 5.0" agree $way; done
for second in 5.06 nan inf; do expect 1 "losses differ, step 2: calm 5.000000, bf16-tuned" agree bf16-tuned 5 $second; done

OPENBLAS_CORETYPE=Nehalem OPENBLAS_L2_SIZE=1 python3 -c 'import sys; sys.path.insert(0, sys.argv[1]); from side import call; print(call(["env"]))' "$root/bench" >env
! grep '^OPENBLAS' env || fail "OpenBLAS settings reach what a bench runs"
echo "tables of the benches: complete"
