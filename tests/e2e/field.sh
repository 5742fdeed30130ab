#!/bin/sh
# The operators of the literature (dsl/std/field.calm) against PyTorch (tests/parity/make_field_fixture.py): logits and every gradient; with shared tokens and
# with two tokenizers, where a row may see nothing; and that those with a gate begin as the anchor.
. "$(dirname "$0")/lib.sh"
two_tokenizers
cp -r "$root/tests/parity/fixture/base" "$root/tests/parity/fixture/aug" "$root/tests/parity/field/." .
p="--precision f32"
for n in same two; do
  [ $n = two ] || cp "$root/tests/parity/fixture/rows.jsonl" .
  [ $n = same ] || cp "$root/tests/parity/two_tokenizers/rows.jsonl" .
  build $n.calm -o $n
  ./$n score $p --params $n.theta.safetensors --data rows.jsonl --out $n.st --grads 2>err || fail "score: $(cat err)"
  "$STCMP" $n.st $n.golden.safetensors --key '*.logits' --tol 1e-4 || fail "$n: logits"
  "$STCMP" $n.st $n.golden.safetensors --key 'grad.*' --tol 1e-4 || fail "$n: gradients"
  # cached stepping sees the same row
  ./$n score $p --params $n.theta.safetensors --data rows.jsonl --out chunks.st --chunk 1,4,2 2>err || fail "score: $(cat err)"
  "$STCMP" chunks.st $n.st --key '*.logits' --exact || fail "$n: cached stepping"
done
# untrained, two.calm is its anchor
./two score $p --data rows.jsonl --out begun.st 2>err || fail "score: $(cat err)"
grep anchor two.calm >alone.calm
build alone.calm -o alone
./alone score $p --data rows.jsonl --out alone.st 2>err || fail "score: $(cat err)"
"$STCMP" begun.st alone.st --key '*.logits' --exact || fail "it does not begin as the anchor"
"$STCMP" begun.st two.st --key '*.logits' --differ 1e-2 >/dev/null || fail "the gates change nothing"
echo "as PyTorch computes them"
