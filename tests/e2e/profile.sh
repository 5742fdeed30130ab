#!/bin/sh
# --profile says where all of the time of every command went and what its kernels did; --trace writes it as JSON. Neither changes a bit of a result, and
# without them nothing is said.
. "$(dirname "$0")/lib.sh"
made m 16 32 2 2 1 64 1e4 >m.calm
build m.calm -o m
for i in 1 2 3 4 5 6 7 8; do echo '{"text": "once upon a time there was"}'; done >rows.jsonl
./m train --data rows.jsonl --steps 2 --out run 2>log || fail "train: $(cat log)"
grep -q 'profile\|Gflop' log && fail "a profile that nobody asked for: $(cat log)"

# adds_up FILE: the phases of FILE, whose last lines are a profile, are all of the time, each printed in milliseconds; those of kernels are no longer than the steps
adds_up() {
  awk '
    /^profile: [0-9.]* s$/ { whole = $2; next }
    whole != "" && /^  [a-z]+ +[0-9.]+ s +[0-9.]+ %$/ { sum += $2; phases++; seen[$1] = 1; if ($1 == "kernels") inside = $2 }
    /^steps: / { steps = $2 }
    /^ +seconds +% +calls/ { steps_table = / kernel$/ }
    /^ +[0-9.]+ +[0-9.]+ +[0-9]+ .* k[0-9]+ [a-z]/ && steps_table { kernels += $1; rows++ }
    END {
      if (phases != 7 || !("other" in seen) || sum - whole > 0.0045 || whole - sum > 0.0045) { print "phases: " phases ", sum " sum " of " whole; exit 1 }
      if (rows && (kernels > steps + 0.0001 * rows || kernels > inside + 0.001 + 0.0001 * rows)) { print "kernels " kernels " of steps " steps ", phase " inside; exit 1 }
    }' "$1" || fail "$2: $(cat "$1")"
}
# Two words of a table, each with its figures.
has_kernels() { for k in "$@"; do grep -q "^ *[0-9.]* *[0-9.]* *[0-9]* .* k[0-9]* $k" said || fail "no kernel $k: $(cat said)"; done; }

# --- every command
profiled() { what=$1; shift; "$@" --profile >out 2>said || fail "$what --profile: $(cat said)"; adds_up said "$what"; }
# spent PHASE WHAT COMMAND…: what it does last is in PHASE rather than in "other", by their shares; a machine that is busy elsewhere may say otherwise once
spent() {
  phase=$1; shift
  for try in 1 2 3 4 5 6 7 8 9 10; do
    profiled "$@"
    if awk -v p="$phase" '$1 == p && / s +[0-9.]+ %$/ { in_it = $4 } $1 == "other" && / s +[0-9.]+ %$/ { other = $4 } END { exit !(in_it > other) }' said; then return; fi
  done
  fail "$what: $phase is less than what is in no phase, ten times: $(cat said)"
}
profiled train ./m train --data rows.jsonl --steps 2 --out again
has_kernels 'gemm 16 -> 32+32' 'gemm_t 16 -> 32' 'attention 2/1 x 8' 'attention_grad 2/1 x 8' 'cross_entropy_grad 16 -> 45' 'row 16 ' 'pack 32 x 16' 'colsum'
grep -q '^measured on [0-9]* threads\{0,1\}: f32 [0-9.]* Gflop/s (avx' said || fail "no rates: $(cat said)"
grep -q '^steps: [0-9.]* s, [0-9.]* % of it in kernels; products [0-9.e-]* Gflop in f32, .* % of the rate; memory' said || fail "no sum of the steps: $(cat said)"
cmp run/last/theta.safetensors again/last/theta.safetensors || fail "training with --profile comes to other parameters"
profiled generate ./m generate --prompt once --params run/last --max-tokens 4
has_kernels 'gemm 16 -> 16+8+8' 'append' 'gemm 16 -> 45'
./m generate --prompt once --params run/last --max-tokens 4 >plain 2>log; cmp out plain || fail "generate --profile makes another text"
sed 's/"text"/"prompt"/' rows.jsonl >prompts.jsonl
spent writing 'generate --data' ./m generate --data prompts.jsonl --params run/last --max-tokens 4 --out answers.jsonl --overwrite
has_kernels 'gemm 16 -> 16+8+8' 'append' 'gemm 16 -> 45'
profiled 'train --dry-run' ./m train --data rows.jsonl --steps 2 --dry-run
has_kernels 'cross_entropy_grad 16 -> 45' 'colsum'
profiled 'train --check' ./m train --data rows.jsonl --check
profiled eval ./m eval --data rows.jsonl --params run/last
profiled score ./m score --data rows.jsonl --params run/last --out s.st
profiled info ./m info
spent writing export ./m export exported --params run/last
# 80 KB are read in less time than a busy machine takes to come back to the program: that some of it is in that phase
profiled verify-files ./m verify-files run
grep -q '^  read .* s  *[0-9.]*[1-9][0-9.]* %$' said || fail "verify-files: nothing in read: $(cat said)"
spent writing pack ./m pack --params run/last --out m.pack
echo '"once"' >strings; profiled tokenize ./m tokenize <strings
expect 1 'error: ' ./m eval --data none.jsonl --params run/last --profile; adds_up said "an eval that fails"

# operations of a product are those of its shape, whatever ran: 2 * 45 * 16 for each of 8 rows' 25 labels, in a call
[ "$(awk '/ cross_entropy 16 -> 45/ { print $3 }' said)" = "" ] || fail "an eval of nothing has a loss"
profiled eval ./m eval --data rows.jsonl --params run/last --metric loss
grep -q ' 1 .* k[0-9]* cross_entropy 16 -> 45' said || fail "the loss is not one call: $(cat said)"

# --- the trace: whole JSON (tests/unit/test_trace.c), what ran on which track, under its name only when it is whole
./m score --data rows.jsonl --params run/last --out traced.st --trace t.json 2>said || fail "--trace: $(cat said)"
cmp s.st traced.st || fail "--trace changes what is computed"
grep -q "^wrote t.json: [0-9]* events$" said || fail "what was traced is not said: $(cat said)"
for has in '"cat": "kernel", "name": "gemm 16 -> 32+32"' '"cat": "step", "name": "score"' '"cat": "phase", "name": "open"' '"name": "phases"' '"name": "thread 0"' '"cut": false'; do
  grep -q "$has" t.json || fail "t.json has no $has"
done
[ "$(tail -n 1 t.json)" = ']}' ] || fail "t.json does not end"
grep -q 'profile:' said && fail "--trace alone prints a profile"
ls | grep -q '[.]tmp[.]' && fail "left behind: $(ls)"
expect 1 'no/t.json' ./m generate --prompt once --trace no/t.json
cp rows.jsonl kept.jsonl; cp chars.json kept.json
expect 1 'cannot write .*rows.jsonl: this command reads it' ./m score --data rows.jsonl --out u.st --trace rows.jsonl
expect 1 'cannot write .*rows.jsonl: this command reads it' ./m train --data rows.jsonl --out other --trace rows.jsonl
expect 1 'cannot write .*chars.json: this command reads it' ./m tokenize --trace chars.json
expect 1 'writes something else there' ./m score --data rows.jsonl --out same.st --trace same.st
expect 1 'writes something else there' ./m pack --out n.pack --trace n.pack
expect 1 'writes something else there' ./m train --data rows.jsonl --out run --overwrite --trace run/log.csv
cmp rows.jsonl kept.jsonl && cmp chars.json kept.json || fail "a trace took the place of an input"
ls | grep -q '[.]tmp[.]\|u.st\|same.st\|n.pack' && fail "left behind: $(ls)"
expect 2 'needs a value' ./m eval --trace
exit 0
