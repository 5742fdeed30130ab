#!/bin/sh
# A model in shards of mixed dtypes computes what the single bf16 file does, bit for bit, in either precision; a shard that is gone, a tensor said to be in another
# shard, a tensor in two, pickle files, GGUF: refused, naming the file, by the compiler and by the program.
. "$(dirname "$0")/lib.sh"
whole=$root/tests/parity/families/qwen3_a
echo '{"input_ids": [3, 5, 9, 2, 12, 7], "labels": [3, 5, 9, 2, 12, 7]}' >rows.jsonl
cp -r "$whole" one; chmod -R u+w one
mkdir m; cp one/config.json m; "$STSPLIT" one m 3
grep -q '"BF16"' m/model-00001-of-00003.safetensors && cat m/*.safetensors | grep -aq '"F32"' || fail "the shards are not of mixed dtypes"
for model in one m; do
  echo "anchor base = \"$model\"" >$model.calm
  build $model.calm -o $model.app
  for p in f32 bf16; do
    ./$model.app score --precision $p --data rows.jsonl --hidden base.0,base.1,base.3 --grads --out $model.$p.st 2>err || fail "score: $(cat err)"
  done
done
for p in f32 bf16; do "$STCMP" m.$p.st one.$p.st --exact || fail "shards compute something else in $p"; done
# refused FILE: by both
refused() {
  expect 1 "$1" "$CALMC" build m.calm -o none.app
  expect 1 "$1" ./m.app score --data rows.jsonl --out none.st
}
mv m/model-00002-of-00003.safetensors gone; refused 'model-00002-of-00003.safetensors'
cp m/model-00001-of-00003.safetensors m/model-00002-of-00003.safetensors; refused 'again in\|is not in'
mv gone m/model-00002-of-00003.safetensors
sed 's/00001-of/00003-of/' m/model.safetensors.index.json >i; cp i m/model.safetensors.index.json; refused 'is not in'
rm m/*.safetensors m/model.safetensors.index.json
for pickle in pytorch_model.bin model.pt consolidated.00.pth; do
  echo x >m/$pickle; refused "$pickle: pickle.*convert"; rm m/$pickle
done
echo x >m/q8.gguf; echo x >m/q4_k_m.gguf
way="m: no safetensors, only q4_k_m.gguf: GGUF files are .*X.from_pretrained('[^ ]*m', gguf_file='q4_k_m.gguf').save_pretrained('[^ ]*m')"
refused "$way"
rm m/config.json                                   # as such repositories mostly are
refused "$way"
"$CALMC" build m.calm -o none.app 2>said || :
[ "$(grep -c 'error: ' said)" = 1 ] || fail "a GGUF file alone is told twice: $(cat said)"
