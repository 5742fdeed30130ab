#!/bin/sh
# `as int8`: a model whose matrices are kept in 8 bits and a scale a group computes, bit for bit, what one does whose file holds these very numbers in
# f32 (tests/tool/stint8.c), in both precisions: states, logits and the gradient by the embedding output of two families on every path, whole and cached; a composition's
# training, loss and text. What it is kept as is shown, is part of what a run belongs to, and takes the memory that is said.
. "$(dirname "$0")/lib.sh"
only=
cp -r "$root/tests/parity/families/." .
chmod -R u+w .
# twin DIR: two programs, DIR.int8 of it as int8 and DIR.f32 of the numbers that this keeps
twin() {
  pattern=; case $1 in gpt2*) pattern='*.c_*.weight' ;; esac
  cp -r "$1" "$1.f32"
  "$STINT8" "$1" "$1.f32" "$pattern"
  echo "anchor base = \"$1\" as int8" >$1.int8.calm
  echo "anchor base = \"$1.f32\"" >$1.f32.calm
  build $1.int8.calm -o $1.int8.app
  build $1.f32.calm -o $1.f32.app
}
for model in qwen3_a gpt2_b; do           # gemma3: below
  twin $model
  echo "anchor base = \"$model\"" >$model.calm
  build $model.calm -o $model.app
  for isa in $(available_isas $model.app); do
    export CALM_ISA=$isa
    for p in f32 bf16; do
      for way in int8 f32; do ./$model.$way.app score --data rows.jsonl --hidden base.0,base.1 --grads --precision $p --out $way.st 2>err || fail "$model $way: $(cat err)"; done
      "$STCMP" int8.st f32.st --exact || fail "$model on $isa in $p: int8 computes something else than its numbers in f32"
      ./$model.int8.app score --data rows.jsonl --precision $p --out chunks.st --chunk 1,4,2 2>/dev/null
      "$STCMP" chunks.st int8.st --key '*.logits' --exact || fail "$model on $isa in $p: cached stepping"
    done
    ./$model.app score --data rows.jsonl --precision bf16 --out stored.st 2>/dev/null
    "$STCMP" int8.st stored.st --key '*.logits' --differ 1e-6 >/dev/null || fail "$model on $isa: int8 changes nothing"
  done
  unset CALM_ISA
done

# ---- a composition: both models as int8, and one of them
two_tokenizers
chmod -R u+w .
for m in llama gemma; do cp -r $m $m.f32; "$STINT8" $m $m.f32; done
cat >body <<'END'
connect code[every 1] -> base[spread] with cross_attention(heads = 2)
train { data = "rows.jsonl" steps = 3 batch = 4 rows seed = 1 }
END
printf '{"text": "the quick brown fox"}\n{"prompt": "a dog", "completion": " and a cat"}\n{"text": "abc abc"}\n{"text": "x"}\n' >rows.jsonl
{ echo 'anchor base = "llama" as int8'; echo 'augment code = "gemma" as int8 reads prompt'; cat body; } >both.calm
{ echo 'anchor base = "llama.f32"'; echo 'augment code = "gemma.f32" reads prompt'; cat body; } >numbers.calm
{ echo 'anchor base = "llama"'; echo 'augment code = "gemma" reads prompt as int8'; cat body; } >augment.calm
for s in both numbers augment; do build $s.calm -o $s; done
for s in both numbers; do
  ./$s train --out $s.run >/dev/null 2>err || fail "train $s: $(cat err)"
  ./$s eval --data rows.jsonl --metric loss --params $s.run/last --json 2>/dev/null | tr ',' '\n' | grep '"loss"' >$s.loss
  ./$s generate --prompt 'the quick' --max-tokens 12 --ignore-eos --params $s.run/last >$s.text 2>/dev/null
done
"$STCMP" both.run/last/theta.safetensors numbers.run/last/theta.safetensors --exact || fail "training over int8 is not training over its numbers"
cmp both.loss numbers.loss || fail "the loss over int8 is not that over its numbers"
cmp both.text numbers.text || fail "what is generated over int8 is not what is over its numbers"

# ---- told
./both info >info 2>/dev/null
[ "$(grep -c 'matrices as int8' info)" = 2 ] || fail "info does not say what is kept as int8: $(cat info)"
./both info --json 2>/dev/null | tr -d ' \n' | grep -q '"name":"base","role":"anchor","keep":"int8"' || fail "info --json does not say it"
[ "$(./augment info 2>/dev/null | grep -c 'matrices as int8')" = 1 ] || fail "one of two models is kept as int8"
expect 1 'last: .*model base is kept as stored, and was kept as int8' ./augment generate --prompt a --params both.run/last
expect 0 'model base is kept as stored, and was kept as int8; used all the same' ./augment generate --prompt a --max-tokens 1 --params both.run/last --force
# in memory: a byte a number, and two more for every 64 of a row, where bf16 takes two
packed() { ./"$1" info --json 2>/dev/null | tr ',{' '\n\n' | sed -n 's/^ *"packed": *//p'; }
few=$(packed qwen3_a.int8.app) many=$(packed qwen3_a.app)
[ "$few" -gt 0 ] && [ $((few * 100)) -lt $((many * 65)) ] || fail "packed as int8 it takes $few bytes, as stored $many"
