#!/bin/sh
# tune: weights of a checkpoint trained on from its values, alone and in a composition, and exported again.
. "$(dirname "$0")/lib.sh"
cp -r "$root/tests/parity/fixture/." .

# --- whole: the model that a training from nothing left is the same program's, whether its numbers come from a checkpoint or from a directory
made m 24 40 2 4 2 64 10000 >own.calm
echo '{"text": "abcab cab bca"}' >text.jsonl
echo '{"text": "cabba abc cab"}' >>text.jsonl
build own.calm -o own
./own train --data text.jsonl --steps 4 --batch 2rows --seed 3 --out own.run 2>err || fail "train: $(cat err)"
./own export model --params own.run/last 2>err || fail "export: $(cat err)"
printf 'anchor m = "model"\ntune m\n' >tuned.calm
build tuned.calm -o tuned
./own score --data text.jsonl --grads --params own.run/last --out own.st 2>err || fail "score: $(cat err)"
./tuned score --data text.jsonl --grads --out tuned.st 2>err || fail "score: $(cat err)"
cmp own.st tuned.st || fail "logits or gradients differ from those of the model made from nothing"
for p in own tuned; do
  [ $p = own ] && from="--params own.run/last" || from=
  ./$p export $p.model $from 2>err || fail "export: $(cat err)"
done
"$STCMP" own.model/model.safetensors tuned.model/model.safetensors --exact || fail "an untrained export differs from the model"
cmp model/tokenizer.json tuned.model/tokenizer.json

# --- resumed = uninterrupted, and the loss that training ended with is the export's
./tuned train --data text.jsonl --steps 6 --batch 2rows --out a.run 2>err || fail "train: $(cat err)"
./tuned train --data text.jsonl --steps 6 --batch 2rows --out b.run --stop-after 3 2>err || fail "train: $(cat err)"
./tuned train --data text.jsonl --resume --out b.run 2>err || fail "resume: $(cat err)"
cmp a.run/last/theta.safetensors b.run/last/theta.safetensors || fail "resumed differs from uninterrupted"
./tuned export tuned.model --params a.run/last --data text.jsonl >said 2>err || fail "export: $(cat err)"
# loss of rows under a model: as the program reads it from a directory that it is tuned from
loss() { ./tuned eval --data text.jsonl --model m="$1" --force 2>err | sed 's/.*loss \([0-9.]*\) .*/\1/'; }
./tuned eval --data text.jsonl --params a.run/last 2>err >x || fail "eval: $(cat err)"
want=$(sed 's/.*loss \([0-9.]*\) .*/\1/' x)
[ "$(cat said)" = "text.jsonl: loss $want before, $want as exported" ] || fail "of $want the export says $(cat said)"
[ "$(loss tuned.model)" = "$want" ] || fail "the export has another loss than $want: $(loss tuned.model)"
./tuned export half --params a.run/last --dtype bf16 --data text.jsonl >said 2>err || fail "export: $(cat err)"
[ "$(cat said)" = "text.jsonl: loss $want before, $(loss half) as exported" ] || fail "of $(loss half) the export says $(cat said)"
grep -q bfloat16 half/config.json || fail "config.json does not say bf16: $(cat half/config.json)"

# --- what stays frozen as int8 has its own types in the export, whose loss is another: said
printf 'anchor m = "model" as int8\ntune m "*.q_proj.weight"\n' >kept.calm
build kept.calm -o kept
./kept export kept.model --data text.jsonl >said 2>err || fail "export: $(cat err)"
grep -q "^text.jsonl: loss [0-9.]* before, [0-9.]* as exported; both by this program, which keeps frozen matrices as int8" said || fail "as int8 the export says $(cat said)"

# --- a head of the file's own beside a config.json that ties it: read as its own, and the export says so
cp -r model own_head
sed -i 's/"tie_word_embeddings": false/"tie_word_embeddings": true/' own_head/config.json
printf 'anchor m = "own_head"\ntune m\n' >own_head.calm
build own_head.calm -o own_head_app
./own_head_app export own_head.model 2>err || fail "export: $(cat err)"
grep -q '"tie_word_embeddings": true' own_head/config.json && grep -q '"tie_word_embeddings": false' own_head.model/config.json || fail "config.json ties two weights that differ"

# --- what an arch reads as a constant is none to train, nor to decay: xIELU's beta and eps, which are buffers in transformers; read both ways, it is refused
printf 'anchor m = "%s"\ntune m\n' "$root/tests/parity/families/apertus_a" >constants.calm
build constants.calm -o constants
./constants train --data "$root/tests/parity/families/rows.jsonl" --steps 2 --lr 1e-2 --weight-decay 0.5 --out constants.run 2>err || fail "train: $(cat err)"
./constants export constants.before --dtype f32 2>err || fail "export: $(cat err)"
./constants export constants.model --dtype f32 --params constants.run/last 2>err || fail "export: $(cat err)"
for k in '*.act_fn.beta' '*.act_fn.eps'; do
  "$STCMP" constants.before/model.safetensors constants.model/model.safetensors --exact --key "$k" || fail "$k changed"
done
"$STCMP" constants.before/model.safetensors constants.model/model.safetensors --exact --key '*.act_fn.alpha_p' >/dev/null 2>&1 && fail "alpha_p did not move"
for both in 'stop_gradient(g) + 0 * g' '0 * g + stop_gradient(g)'; do
  printf 'arch odd for "LlamaForCausalLM" like llama { fn norm(x[T, D], at) = rmsnorm(x, %s, eps) }\nanchor m = "model"\ntune m\n' "$(echo "$both" | sed 's/\([( ]\|^\)g\b/\1weight("{at}.weight")[D]/g')" >odd.calm
  expect 1 'is tuned, and read as a constant' "$CALMC" build odd.calm -o never
done

# --- a part: what the pattern does not name stays, bit for bit
printf 'anchor m = "model"\ntune m "*.q_proj.weight", "*.v_proj.weight"\n' >part.calm
build part.calm -o part
./part train --data text.jsonl --steps 3 --batch 2rows --out part.run 2>err || fail "train: $(cat err)"
./part export part.model --params part.run/last 2>err || fail "export: $(cat err)"
"$STCMP" model/model.safetensors part.model/model.safetensors --exact --key '*.q_proj.weight' >/dev/null 2>&1 && fail "q_proj did not move"
for k in '*.k_proj.weight' '*.o_proj.weight' '*norm.weight' '*embed_tokens.weight' 'lm_head.weight'; do
  "$STCMP" model/model.safetensors part.model/model.safetensors --exact --key "$k" || fail "$k changed"
done

# --- beside a connection: the augment's weights below what is read of it; those above it, and the anchor, stay
{ cat spec.calm; echo 'tune aug'; } >both.calm
build both.calm -o both
./both train --data rows.jsonl --steps 3 --lr 3e-3 --weight-decay 0.1 --out both.run 2>err || fail "train: $(cat err)"
./both export aug.model --params both.run/last 2>err || fail "export: $(cat err)"
"$STCMP" aug/model.safetensors aug.model/model.safetensors --exact >/dev/null 2>&1 && fail "the augment did not move"
for k in 'model.layers.3.*' 'model.norm.weight'; do
  "$STCMP" aug/model.safetensors aug.model/model.safetensors --exact --key "$k" || fail "$k, which nothing reads, changed"
done
./both info | grep -q 'base .* frozen$' || fail "info: $(./both info)"

# --- what cannot be
expect 2 'expected f32, bf16 or f16' ./tuned export never --dtype int3
expect 2 'nothing is adapted of model m' ./tuned export never --merge
expect 2 'there is m' ./tuned export never --of n
expect 1 'is the directory of a model' ./tuned export model --overwrite
build spec.calm -o plain
expect 1 'nothing to export' ./plain export never
printf 'anchor m = "model"\ntune m "*.w_proj.weight"\n' >none.calm
expect 1 'no weight that is read of model .m. has a name like' "$CALMC" build none.calm -o never
./tuned pack --out t.pack 2>err || fail "pack: $(cat err)"
expect 1 'tuned from what its directory holds' ./tuned train --data text.jsonl --steps 1 --pack t.pack --out c.run
echo "tuned whole, in part and beside a connection"
