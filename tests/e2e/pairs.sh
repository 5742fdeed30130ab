#!/bin/sh
# Compositions of families that have little in common (linear biases with RoPE, learned positions with longrope, tied with untied, …), against PyTorch
# (tests/parity/make_pairs_fixture.py): logits, the gradient of every parameter through the whole anchor, in f32 and in bf16, and cached stepping.
. "$(dirname "$0")/lib.sh"
cp -r "$root/tests/parity/families/." "$root/tests/parity/pairs/." .
twins=0
for spec in *.calm; do
  name=${spec%.calm}
  build "$spec" -o app
  ./app score --precision f32 --params "$name.theta.safetensors" --data rows.jsonl --out got.safetensors --grads 2>/dev/null || fail "$name: score"
  "$STCMP" got.safetensors "$name.golden.safetensors" --key '*.logits' --tol 1e-4 || fail "$name: logits"
  "$STCMP" got.safetensors "$name.golden.safetensors" --key 'grad.*' --tol 1e-4 || fail "$name: gradients"
  # the same in bf16, within what its 8 bits give and off f32's; a model in F16, which holds more bits, is refused
  if ./app score --precision bf16 --params "$name.theta.safetensors" --data rows.jsonl --out twin.safetensors --grads 2>err; then
    twins=$((twins + 1))
    "$STCMP" twin.safetensors "$name.golden.safetensors" --key '*.logits' --tol 4e-2 || fail "$name in bf16: logits"
    "$STCMP" twin.safetensors "$name.golden.safetensors" --key 'grad.*' --tol 1e-1 || fail "$name in bf16: gradients"
    "$STCMP" twin.safetensors got.safetensors --key '*.logits' --differ 1e-4 >/dev/null || fail "$name: bf16 is f32"
  else
    grep -q 'weights are stored in F16' err || fail "$name in bf16: $(cat err)"
  fi
  ./app score --precision f32 --params "$name.theta.safetensors" --data rows.jsonl --out chunks.safetensors --chunk 1,4,2 2>/dev/null
  "$STCMP" chunks.safetensors got.safetensors --key '*.logits' --exact || fail "$name: cached stepping"
done
[ $twins -ge 5 ] || fail "only $twins pairs in bf16"
# what the augment reads is seen: another slope, another set of factors
sed -i 's/"n_head": 6/"n_head": 4/' bloom_a/config.json
build falcon_d.calm -o app
./app score --precision f32 --force --params falcon_d.theta.safetensors --data rows.jsonl --out m.safetensors --grads 2>/dev/null
"$STCMP" m.safetensors falcon_d.golden.safetensors --key 'grad.*' --differ 1e-2 >/dev/null || fail "nobody sees other slopes"
