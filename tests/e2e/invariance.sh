#!/bin/sh
# Row invariance and causality, bit for bit, through a composition with random weights: one sequence alone, between others, at another
# offset, with 1, 2 and 3 threads, in both precisions, and through the caches in chunks of 1, 7 and 64 with one sequence leaving midway; later tokens never
# reach earlier logits.
. "$(dirname "$0")/lib.sh"
only=
cp -r "$root/tests/parity/fixture/." .
build spec.calm -o app
rows() { awk -v seed="$1" -v lens="$2" 'BEGIN { srand(seed); n = split(lens, l, " "); for (i = 1; i <= n; i++) { s = ""; for (k = 0; k < l[i]; k++)
  s = s (k ? ", " : "") int(3 + rand() * 94); print "{\"input_ids\": [" s "], \"labels\": [" s "]}" } }'; }
rows 1 "60 41 7 64" >four.jsonl
sed -n 2p four.jsonl >one.jsonl
tac four.jsonl >moved.jsonl
other=$(rows 2 "41" | sed 's/.*"labels": \[\(.*\)\]}/\1/' | cut -d, -f21-)
head_=$(sed 's/.*"labels": \[\(.*\)\]}/\1/' one.jsonl | cut -d, -f1-20)
echo "{\"input_ids\": [$head_,$other], \"labels\": [$head_,$other]}" >leak.jsonl
score() { out=$1; shift; ./app score --params theta0.safetensors --precision $precision --out "$out" "$@" 2>/dev/null || fail "$isa $precision: score $*"; }
for way in "avx512 f32" "avx2 f32" "avx512 bf16" "avx2 bf16"; do
  isa=${way% *} precision=${way#* }
  CALM_ISA=$isa ./app info >/dev/null 2>&1 || { echo "this machine has no $isa"; continue; }
  export CALM_ISA=$isa
  score all.st --data four.jsonl
  [ ! -e all.$precision.st ] || "$STCMP" all.st all.$precision.st --key '*.logits' --exact >/dev/null || fail "$way: other bits than the path before"
  cp all.st all.$precision.st
  score one.st --data one.jsonl
  "$STCMP" one.st all.st --key 0.logits --as 1.logits --exact || fail "alone"
  score moved.st --data moved.jsonl
  for r in 0 1 2 3; do "$STCMP" moved.st all.st --key $r.logits --as $((3 - r)).logits --exact >/dev/null || fail "moved, row $r"; done
  for n in 1 2 3; do
    CALM_THREADS=$n score threads.st --data four.jsonl
    "$STCMP" threads.st all.st --key '*.logits' --exact >/dev/null || fail "$n threads"
  done
  for c in 1 7 64 1,7,64,5; do
    score chunks.st --data four.jsonl --chunk $c
    "$STCMP" chunks.st all.st --key '*.logits' --exact >/dev/null || fail "$way: chunks of $c"
  done
  # rows longer than a step may be go alone, whatever is asked for beside the gradients
  score whole.st --data four.jsonl --grads --tokens-cap 8
  score pieces.st --data four.jsonl --grads --tokens-cap 8 --chunk 7
  "$STCMP" pieces.st whole.st --exact >/dev/null || fail "gradients beside chunks"
  score all_grads.st --data four.jsonl --grads
  "$STCMP" whole.st all_grads.st --key 'grad.*' --tol 1e-5 >/dev/null || fail "gradients of rows alone and together"
  score leak.st --data leak.jsonl
  "$STCMP" leak.st one.st --key 0.logits --rows 20 --exact >/dev/null || fail "a later token reached an earlier position"
  "$STCMP" leak.st one.st --key 0.logits --rows 20 --after --differ 1e-3 >/dev/null || fail "the later tokens change nothing"
done
echo "equal bits throughout"
