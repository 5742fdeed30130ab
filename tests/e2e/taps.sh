#!/bin/sh
# Taps after an augment's next norm, one augment of every family, and the operators that normalise and scale, against PyTorch
# (tests/parity/make_taps_fixture.py): logits, and the gradient of every parameter. Then each of it is left out, and must be seen.
. "$(dirname "$0")/lib.sh"
for m in gpt2_a gpt2_b gemma3_a qwen3_b; do cp -r "$root/tests/parity/families/$m" .; done
cp -r "$root/tests/parity/fixture/aug" "$root/tests/parity/taps/." .
cp "$root/tests/parity/families/rows.jsonl" .
only= build spec.calm -o app
for isa in avx512 avx2; do
  CALM_ISA=$isa ./app info >said 2>/dev/null || { echo "this machine has no $isa"; continue; }
  grep -q 'gemma.3->base.2  *gemma after block 3, normed -> base after block 2, cross_attention_scaled' said || fail "info: $(cat said)"
  echo "$isa"
  CALM_ISA=$isa ./app score --precision f32 --params theta.safetensors --data rows.jsonl --out got.safetensors --grads 2>/dev/null
  "$STCMP" got.safetensors golden.safetensors --key '*.logits' --tol 1e-4 || fail "logits"
  "$STCMP" got.safetensors golden.safetensors --key 'grad.*' --tol 1e-4 || fail "gradients"
done
./app score --precision f32 --params theta.safetensors --data rows.jsonl --out got.safetensors 2>/dev/null
./app score --precision f32 --params theta.safetensors --data rows.jsonl --out chunks.safetensors --chunk 1,4,2 2>/dev/null
"$STCMP" chunks.safetensors got.safetensors --key '*.logits' --exact || fail "cached stepping"
# untrained it is the anchor, bit for bit
./app score --precision f32 --data rows.jsonl --out untrained.safetensors 2>/dev/null
grep anchor spec.calm >alone.calm
build alone.calm -o alone
./alone score --precision f32 --data rows.jsonl --out alone.safetensors 2>/dev/null
"$STCMP" untrained.safetensors alone.safetensors --key '*.logits' --exact || fail "identity at start"

# The same in bf16, one model widened from F16, whose numbers bf16 does not take. PyTorch's own bf16 (tests/parity/bf16_off.py) is off by 8 % in logits and 20 % in gradients at
# worst; held to a half more. Cached stepping gives the same bits, and so does the emulation.
printf 'anchor base = "qwen3_b"\ntune base\n' >widen.calm
build widen.calm -o widen
./widen export qwen3_wide --dtype f32 2>err || fail "export: $(cat err)"
expect 1 "model qwen's weights are stored in F16" ./app score --precision bf16 --params theta.safetensors --data rows.jsonl --out never.safetensors
sed 's/"qwen3_b"/"qwen3_wide"/' spec.calm >wide.calm
only= build wide.calm -o wide
for isa in avx512 avx2; do
  CALM_ISA=$isa ./wide info --precision bf16 >/dev/null 2>&1 || { echo "this machine has no bf16 on $isa"; continue; }
  CALM_ISA=$isa ./wide score --precision bf16 --params theta.safetensors --data rows.jsonl --out twin.safetensors --grads 2>err || fail "score in bf16: $(cat err)"
  "$STCMP" twin.safetensors golden.safetensors --key '*.logits' --tol 0.12 || fail "bf16 on $isa: logits"
  "$STCMP" twin.safetensors golden.safetensors --key 'grad.*' --tol 0.3 || fail "bf16 on $isa: gradients"
  "$STCMP" twin.safetensors got.safetensors --key '*.logits' --differ 1e-4 >/dev/null || fail "bf16 is f32"
  CALM_ISA=$isa ./wide score --precision bf16 --params theta.safetensors --data rows.jsonl --out chunks.safetensors --chunk 1,4,2 2>err || fail "chunks in bf16: $(cat err)"
  "$STCMP" chunks.safetensors twin.safetensors --key '*.logits' --exact || fail "bf16 on $isa: cached stepping"
  [ ! -e before.safetensors ] || "$STCMP" twin.safetensors before.safetensors --key '*.logits' --exact || fail "bf16 on $isa: other bits"
  mv twin.safetensors before.safetensors
done

# differs KEYS: a hundred times the tolerance is broken
differs() {
  build m.calm -o m
  ./m score --precision f32 --force --params theta.safetensors --data rows.jsonl --out m.safetensors --grads 2>/dev/null || fail "score of m.calm"
  "$STCMP" m.safetensors golden.safetensors --key "$1" --differ 1e-2 >/dev/null || fail "nobody sees the change in $(cat m.calm)"
}
for s in 's/gemma\[1, 3\].normed/gemma[1, 3]/' 's/gpt\[2, 3\].normed/gpt[2, 3]/' 's/qwen\[1, 2\].normed/qwen[1, 2]/' \
  's/llama\[1, 4\].normed/llama[1, 4]/' 's/_scaled(/_normed(/' 's/_normed(/_scaled(/' 's/_normed(/(/'; do
  sed "$s" spec.calm >m.calm
  ! cmp -s spec.calm m.calm || fail "the change '$s' changes nothing"
  differs '*.logits'
done
# each_seen OP CHANGE…: the library's op with each change of its text, written in the spec, is found before the library's own, and is seen in the gradients
each_seen() {
  name=$1; shift
  for s; do
    op=$(sed -n "/^op $name(/,/^}/p" "$root/dsl/std/calm.calm" | sed "$s")
    { cat spec.calm; echo "$op"; } >m.calm
    differs 'grad.*'
  done
}
# the scale differentiated, and each state as it is, among them
each_seen cross_attention_scaled 's/stop_gradient(usual(b))/usual(b)/' 's/even(a)/unit(a)/' 's/even(b)/unit(b)/' 's/settled(o, wo)/linear(o, wo)/'
each_seen joint_feed_forward 's/silu(\(.*\))$/gelu(\1)/' 's/even(b)/unit(b)/' 's/ linear(s, wa)/ 0.9 * linear(s, wa)/' 's/settled(h, wo)/linear(h, wo)/' 's/settled(s, last)/linear(s, last)/'
each_seen joint_feed_forward_gated 's/2 \* sigmoid/1.8 * sigmoid/' 's/sigmoid(settled/sigmoid(0.9 * settled/' 's/ + settled(s, gate_a)/ + 0.9 * settled(s, gate_a)/' 's/even(b)/unit(b)/'
each_seen linear_last 's/even(a)/unit(a)/' 's/stop_gradient(usual(b))/1/' 's/settled(\(.*\), last)/linear(\1, last)/'
# an option of an augment
sed -i 's/"rms_norm_eps": 0.1/"rms_norm_eps": 0.9/' gemma3_a/config.json
cp spec.calm m.calm
differs '*.logits'
echo "every change seen"
