#!/bin/sh
# adapt with lora: updates of low rank beside frozen products, against PEFT (tests/parity/make_lora_fixture.py), alone and beside a connection.
. "$(dirname "$0")/lib.sh"
cp -r "$root/tests/parity/fixture/." "$root/tests/parity/lora/." "$root/tests/parity/families/gpt2_a" .
p="--precision f32"

# --- against PEFT: logits, gradients, ten steps; biases, two ranks, several heads; weights stored the other way round
for n in llama gpt2; do
  [ $n = llama ] || cp "$root/tests/parity/families/rows.jsonl" .
  build $n.calm -o $n
  for isa in avx512 avx2; do
    CALM_ISA=$isa ./$n info >said 2>/dev/null || { echo "this machine has no $isa"; continue; }
    CALM_ISA=$isa ./$n score $p --params $n.theta.safetensors --data rows.jsonl --out got.st --grads 2>err || fail "score: $(cat err)"
    "$STCMP" got.st $n.golden.safetensors --key '*.logits' --tol 1e-4 || fail "$n: logits"
    "$STCMP" got.st $n.golden.safetensors --key 'grad.*' --tol 1e-4 || fail "$n: gradients"
    CALM_ISA=$isa ./$n train $p --params $n.theta.safetensors --out run 2>err || fail "train: $(cat err)"
    "$STCMP" run/last/theta.safetensors $n.ten.safetensors --tol 1e-4 || fail "$n: parameters after ten steps"
    tail -n +2 run/log.csv | cut -d, -f3 | paste $n.losses - | awk '{ d = $1 - $2; if (d < 0) d = -d; if (d > 1e-4 * $1) bad = 1; n++ } END { exit bad || n != 10 }' ||
      fail "$n: losses: $(cut -d, -f3 run/log.csv)"
    rm -rf run
  done
done

# --- no gradient of a frozen product: what is summed over tokens has the rank as one of its extents
"$CALMC" build llama.calm --emit=plan -o plan 2>err || fail "plan: $(cat err)"
grep -E '^k[0-9]+ dw ' plan >dw
awk '$3 > 4 && $4 > 4 { bad = 1 } END { exit bad || NR < 6 }' dw || fail "the plan's weight gradients: $(cat dw)"

# --- as it begins it adds nothing, and begins as PEFT does: down uniform in 1 / sqrt(in), up zero
cp "$root/tests/parity/fixture/rows.jsonl" .
echo 'anchor base = "base"' >alone.calm
build alone.calm -o alone
./alone score $p --data rows.jsonl --out alone.st 2>err || fail "score: $(cat err)"
./llama score $p --data rows.jsonl --out begun.st --grads 2>err || fail "score: $(cat err)"
"$STCMP" begun.st alone.st --key '*.logits' --exact || fail "untrained, it is not the anchor"

# --- beside a connection that adds nothing yet, gradients are those it has alone; and the augment's own products can be adapted
{ grep -v '^train' spec.calm | sed '/^  /d; /^}/d'; grep adapt llama.calm; echo 'adapt aug with lora(rank = 2)'; } >both.calm
build both.calm -o both
./both score $p --data rows.jsonl --out both.st --grads 2>err || fail "score: $(cat err)"
"$STCMP" both.st begun.st --key 'grad.base.*' --tol 1e-5 || fail "gradients beside a connection"
./both train $p --data rows.jsonl --steps 3 --lr 1e-2 --out both.run 2>err || fail "train: $(cat err)"
./both info | grep -q 'aug.model.layers.2.mlp.down_proj.lora_A' || fail "info: $(./both info)"
./both info | grep -q 'aug.model.layers.3' && fail "what stands above the last layer read is adapted"
for q in bf16 f32; do
  ./both train --precision $q --data rows.jsonl --steps 3 --out b.run --overwrite 2>err || fail "train in $q: $(cat err)"
done

# --- what a pattern fits
none() {
  printf 'anchor base = "base"\nadapt base %s with lora(rank = 4)\n' "$2" >none.calm
  expect 1 "$1" "$CALMC" build none.calm -o never
}
none 'did you mean .q_proj.?; those of its blocks end in q_proj, k_proj' '"*.qproj"'
none 'is called like "\*.w_proj.weight"' '"*.w_proj.weight"'
none 'fits .model.layers.0.input_layernorm.weight. of model .base., which no product reads' '"*norm*"'
none 'stands outside of its blocks' '"lm_head"'
none 'is adapted twice' '"*.q_proj" with lora(rank = 2) adapt base "*.layers.0.*.q_proj"'
none 'is tuned' '"*.q_proj" with lora(rank = 2) tune base "*.q_proj.*" adapt base "*.v_proj"'
echo "as PEFT computes it"
