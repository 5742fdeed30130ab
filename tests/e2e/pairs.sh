#!/bin/sh
# Compositions of families that have little in common (linear biases with RoPE, learned positions with longrope, tied with untied, …), against PyTorch
# (tests/parity/make_pairs_fixture.py): logits, the gradient of every parameter through the whole anchor, and cached stepping.
. "$(dirname "$0")/lib.sh"
cp -r "$root/tests/parity/families/." "$root/tests/parity/pairs/." .
for spec in *.calm; do
  name=${spec%.calm}
  build "$spec" -o app
  ./app score --precision f32 --params "$name.theta.safetensors" --data rows.jsonl --out got.safetensors --grads 2>/dev/null || fail "$name: score"
  "$STCMP" got.safetensors "$name.golden.safetensors" --key '*.logits' --tol 1e-4 || fail "$name: logits"
  "$STCMP" got.safetensors "$name.golden.safetensors" --key 'grad.*' --tol 1e-4 || fail "$name: gradients"
  ./app score --precision f32 --params "$name.theta.safetensors" --data rows.jsonl --out chunks.safetensors --chunk 1,4,2 2>/dev/null
  "$STCMP" chunks.safetensors got.safetensors --key '*.logits' --exact || fail "$name: cached stepping"
done
# what the augment reads is seen: another slope, another set of factors
sed -i 's/"n_head": 6/"n_head": 4/' bloom_a/config.json
build falcon_d.calm -o app
./app score --precision f32 --force --params falcon_d.theta.safetensors --data rows.jsonl --out m.safetensors --grads 2>/dev/null
"$STCMP" m.safetensors falcon_d.golden.safetensors --key 'grad.*' --differ 1e-2 >/dev/null || fail "nobody sees other slopes"
