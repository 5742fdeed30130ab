#!/bin/sh
# calmc verify against dumps that examples/verify/dump.py made of two small models: equal passes; with one tensor of the model spoilt the
# first block that diverges is named; dumps that do not fit are refused by key.
. "$(dirname "$0")/lib.sh"
mkdir tmp
export TMPDIR="$dir/tmp"
dumps=$root/tests/parity/verify
# spoil TENSOR: a copy m of the model whose tensor begins with other bytes
spoil() {
  rm -rf m; cp -r "$root/tests/parity/families/$model" m; chmod -R u+w m
  header=$(od -An -t u8 -N8 m/model.safetensors | tr -d ' ')
  at=$(tail -c +9 m/model.safetensors | head -c "$header" | tr '}' '\n' | sed -n "s/.*\"$1\":{.*\"data_offsets\":\[\([0-9]*\),.*/\1/p")
  [ -n "$at" ] || fail "no tensor $1 in $model"
  printf '\100\100\100\100\100\100\100\100' | dd of=m/model.safetensors bs=1 seek=$((8 + header + at)) conv=notrunc 2>/dev/null
}
for model in qwen3_b gpt2_b; do
  expect 0 'everything agrees' "$CALMC" verify "$root/tests/parity/families/$model" --ref "$dumps/$model.safetensors"
  for key in hidden.0 hidden.1 hidden.2 logits grad.hidden.0; do grep -q "^$key " said || fail "nothing told of $key"; done
  case $model in
    qwen3_b) one=model.layers.0.mlp.down_proj.weight two=model.layers.1.self_attn.q_norm.weight head=lm_head.weight ;;
    gpt2_b) one=h.0.mlp.c_proj.bias two=h.1.ln_2.weight head=ln_f.weight ;;
  esac
  for pair in "$one=block 1 diverges" "$two=block 2 diverges" "$head=the head diverges"; do
    spoil "${pair%%=*}"
    expect 1 "${pair#*=}" "$CALMC" verify m --ref "$dumps/$model.safetensors"
  done
  expect 0 'everything agrees' "$CALMC" verify "$root/tests/parity/families/$model" --ref "$dumps/$model.safetensors" --tol 1e-5
  expect 1 'diverges' "$CALMC" verify "$root/tests/parity/families/$model" --ref "$dumps/$model.safetensors" --tol 1e-9
done
# in bf16, where it is asked for, as near as families.sh has it
expect 1 'diverges' "$CALMC" verify "$root/tests/parity/families/gpt2_b" --ref "$dumps/gpt2_b.safetensors" --precision bf16
expect 0 'everything agrees' "$CALMC" verify "$root/tests/parity/families/gpt2_b" --ref "$dumps/gpt2_b.safetensors" --precision bf16 --tol 8e-2
# a spec in the model's place, for an arch that is the user's
{ sed 's/^arch gpt2 for .*{/arch mine for "MineForCausalLM" {/' "$root/dsl/std/gpt2.calm"; echo 'anchor m = "mine"'; } >mine.calm
cp -r "$root/tests/parity/families/gpt2_b" mine; chmod -R u+w mine
sed 's/GPT2LMHeadModel/MineForCausalLM/' "$root/tests/parity/families/gpt2_b/config.json" >mine/config.json
expect 0 'everything agrees' "$CALMC" verify mine.calm --ref "$dumps/gpt2_b.safetensors"
expect 1 '^mine: error: no arch serves "MineForCausalLM"' "$CALMC" verify mine --ref "$dumps/gpt2_b.safetensors"
expect 1 'calmc verify SPEC.calm' "$CALMC" verify mine --ref "$dumps/gpt2_b.safetensors"
model=qwen3_b
spoil model.embed_tokens.weight                    # row 0, which no token of the dump reads
expect 0 '^m: avx[^:]*, f32: ' "$CALMC" verify m --ref "$dumps/qwen3_b.safetensors"
grep -q 'everything agrees' said || fail "$(cat said)"
expect 1 'hidden.0: expected \[1, 10, 30\]' "$CALMC" verify m --ref "$dumps/gpt2_b.safetensors"
expect 1 'hidden.0: expected \[1, 10, 20\]' "$CALMC" verify "$root/tests/parity/families/gpt2_b" --ref "$dumps/qwen3_b.safetensors"
expect 1 'no tensor input_ids' "$CALMC" verify m --ref m/model.safetensors
expect 1 '^nowhere: error: nowhere: no such directory (expected a Hugging Face model directory)$' "$CALMC" verify nowhere --ref "$dumps/qwen3_b.safetensors"
! grep 'calm[.]\|calmc[.]\|[.]calm:' said || fail "a folder that nobody made is named"
expect 2 'verify needs' "$CALMC" verify m
# a name of the Hugging Face cache; what is not there is not fetched
export HF_HOME="$dir/hf"
unset HF_HUB_CACHE || true
mkdir -p hf/hub/models--org--small.1/refs hf/hub/models--org--small.1/snapshots hf/hub/models--org--small.1/blobs
cp "$root/tests/parity/families/qwen3_b/model.safetensors" hf/hub/models--org--small.1/blobs/1234
mkdir hf/hub/models--org--small.1/snapshots/0badcafe
cp "$root/tests/parity/families/qwen3_b/config.json" hf/hub/models--org--small.1/snapshots/0badcafe
ln -s ../../blobs/1234 hf/hub/models--org--small.1/snapshots/0badcafe/model.safetensors
printf 0badcafe >hf/hub/models--org--small.1/refs/main
expect 0 'everything agrees' "$CALMC" verify org/small.1 --ref "$dumps/qwen3_b.safetensors"
expect 1 "^org/other: error: org/other: no such directory, and no model org/other in the Hugging Face cache (calm downloads nothing; .hf download org/other. does)$" "$CALMC" verify org/other --ref "$dumps/qwen3_b.safetensors"
# a composed program compares its anchor, whatever the augments read, and leaves out the gradient that it cannot give
cp -r "$root/tests/parity/families/gpt2_b" base; chmod -R u+w base
cp "$root/tests/parity/tokenizer/synthetic/byte_words.json" base/tokenizer.json
cp -r "$root/tests/parity/two_tokenizers/gemma" aug; chmod -R u+w aug
cp "$root/tests/parity/tokenizer/synthetic/fallback_prepend.json" aug/tokenizer.json
cat >pair.calm <<END
anchor  base = "base"
augment aug  = "aug"
connect aug[1] -> base[1] with cross_attention(heads = 2)
END
build pair.calm -o pair
expect 0 'everything agrees' ./pair verify --ref "$dumps/gpt2_b.safetensors"
grep -q '^grad.hidden.0 is left out' said || fail "nothing said of the gradient"
left=$(ls tmp)
[ -z "$left" ] || fail "left behind: $left"
echo "every spoilt tensor found in its block"
