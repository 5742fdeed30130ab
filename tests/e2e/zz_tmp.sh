#!/bin/sh
# Families of the library that between them use every function of the language, compiled, on small random checkpoints
# (tests/parity/make_family_fixtures.py): hidden states after every block, logits and the gradient by the embedding output against transformers; then
# options that are not in the checkpoints' config.json, which must be seen; then keys and values that are not understood, which must be refused by
# name. All families, and every option that their config.json holds: tests/unit/test_families.c.
. "$(dirname "$0")/lib.sh"
cp -r "$root/tests/parity/families/." .
# run DIR OUT [OPTION…]: builds a spec of DIR alone and scores rows.jsonl
run() {
  model=$1 out=$2; shift 2
  echo "anchor base = \"$model\"" >spec.calm
  build spec.calm -o app
  ./app score --precision f32 --data rows.jsonl --out "$out" "$@" 2>/dev/null || fail "score of $model"
}
same() {
  "$STCMP" "$1" "$2" --key '*.hidden.base.*' --tol 1e-4 || fail "$3: hidden states"
  "$STCMP" "$1" "$2" --key '*.logits' --tol 1e-4 || fail "$3: logits"
  "$STCMP" "$1" "$2" --key '*.grad.hidden.base.0' --tol 1e-4 || fail "$3: gradient by the embedding output"
}
# The same in bf16, of the program that run made: as near as transformers' own bf16 is to its f32 on these checkpoints (logits: 0.8 to 3.0 %), gradients half as near; cached stepping gives
# the very same logits, and so does the emulation where there is the instruction. Numbers of F16 are no bf16.
twin() {
  if grep -aq '"F16"' "$model/model.safetensors"; then
    expect 1 "model base's weights are stored in F16" ./app score --precision bf16 --data rows.jsonl --out never.safetensors
    return
  fi
  ./app score --precision bf16 --data rows.jsonl --out twin.safetensors --grads --hidden $layers 2>/dev/null || fail "score of $model in bf16"
  "$STCMP" twin.safetensors "$model.golden.safetensors" --key '?.hidden.base.*' --tol 4e-2 || fail "$model in bf16: hidden states"
  "$STCMP" twin.safetensors "$model.golden.safetensors" --key '*.logits' --tol 4e-2 || fail "$model in bf16: logits"
  "$STCMP" twin.safetensors "$model.golden.safetensors" --key '*.grad.hidden.base.0' --tol 8e-2 || fail "$model in bf16: gradient by the embedding output"
  "$STCMP" twin.safetensors got.safetensors --key '*.logits' --differ 1e-4 >/dev/null || fail "$model: bf16 is f32"
  ./app score --precision bf16 --data rows.jsonl --out chunks.safetensors --chunk 1,4,2 2>/dev/null
  "$STCMP" chunks.safetensors twin.safetensors --key '*.logits' --exact || fail "$model in bf16: cached stepping"
  [ ! -e "$model.twin" ] || "$STCMP" twin.safetensors "$model.twin" --exact || fail "$model in bf16: $isa gives other bits"
  mv twin.safetensors "$model.twin"
}
echo 'anchor base = "gpt2_b"' >spec.calm
only= build spec.calm -o app
paths=
for isa in avx512 avx2; do
  if CALM_ISA=$isa ./app info >/dev/null 2>&1; then paths="$paths $isa"; else echo "this machine has no $isa"; fi
done
for model in $MODELS; do
  layers=base.0,base.1
  ! grep -q '"\(num_hidden_layers\|n_layer\)": [23]' $model/config.json || layers=$layers,base.2
  ! grep -q '"\(num_hidden_layers\|n_layer\)": 3' $model/config.json || layers=$layers,base.3
  for isa in $paths; do
    export CALM_ISA=$isa
    run $model got.safetensors --grads --hidden $layers
    echo "$model $isa"
    same got.safetensors $model.golden.safetensors "$model on $isa"
    if ./app info --precision bf16 >said 2>&1 || grep -q 'stored in F16' said; then twin; else echo "$isa has no bf16 here"; fi
  done
  unset CALM_ISA
  # cached stepping gives the very same logits
  ./app score --precision f32 --data rows.jsonl --out chunks.safetensors --chunk 1,4,2 2>/dev/null
  "$STCMP" chunks.safetensors got.safetensors --key '*.logits' --exact || fail "$model: cached stepping"
done

