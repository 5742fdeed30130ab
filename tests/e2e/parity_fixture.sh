#!/bin/sh
# Two small random models composed: hidden states, logits, gradients and ten AdamW steps against PyTorch (tests/parity/make_fixture.py);
# then every option that enters the arithmetic is changed, and must be seen.
. "$(dirname "$0")/lib.sh"
cp -r "$root/tests/parity/fixture/." .
only= build spec.calm -o app
p="--precision f32 --params theta0.safetensors"
# losses PART: those of run/log.csv are within that part of PyTorch's
losses() {
  tr -d ' \n' <losses.json | sed 's/.*\[\(.*\)\].*/\1/' | tr ',' '\n' >want
  tail -n +2 run/log.csv | cut -d, -f3 >loss
  paste want loss | awk -v part="$1" '{ d = $1 - $2; if (d < 0) d = -d; if (d > part * $1) bad = 1; n++ } END { exit bad || n != 10 }' || fail "losses: $(paste want loss)"
}
for isa in avx512 avx2; do
  CALM_ISA=$isa ./app info >/dev/null 2>&1 || { echo "this machine has no $isa"; continue; }
  export CALM_ISA=$isa
  ./app score $p --data rows.jsonl --out got.safetensors --grads --hidden base.0,base.1,base.2,base.3,base.4 2>/dev/null
  echo "$isa"
  "$STCMP" got.safetensors golden.safetensors --key '*hidden*' --tol 1e-4 || fail "hidden states"
  "$STCMP" got.safetensors golden.safetensors --key '*logits' --tol 1e-4 || fail "logits"
  "$STCMP" got.safetensors golden.safetensors --key 'grad.*' --tol 1e-4 || fail "gradients"
  ./app train $p --out run >/dev/null 2>&1 || fail "train"
  "$STCMP" run/last/theta.safetensors theta10.safetensors --tol 1e-3 || fail "parameters after ten steps"
  losses 1e-4
  rm -rf run
  ./app info --precision bf16 >/dev/null 2>&1 || { echo "$isa has no bf16 here"; continue; }
  # the same in bf16. PyTorch's own (tests/parity/bf16_off.py) is off by 6.5, 8.3 and 11.6 %, and its losses by 3 %; held to a half more, and the losses, which fall from
  # 5.6 to 2.0, to 1.5 %
  q="--precision bf16 --params theta0.safetensors"
  ./app score $q --data rows.jsonl --out twin.safetensors --grads --hidden base.0,base.1,base.2,base.3,base.4 2>/dev/null
  "$STCMP" twin.safetensors golden.safetensors --key '*hidden*' --tol 0.1 || fail "bf16: hidden states"
  "$STCMP" twin.safetensors golden.safetensors --key '*logits' --tol 0.125 || fail "bf16: logits"
  "$STCMP" twin.safetensors golden.safetensors --key 'grad.*' --tol 0.17 || fail "bf16: gradients"
  "$STCMP" twin.safetensors got.safetensors --key '*logits' --differ 1e-4 >/dev/null || fail "bf16 is f32"
  [ ! -e before.safetensors ] || "$STCMP" twin.safetensors before.safetensors --key '*logits' --exact || fail "bf16 on $isa: other bits"
  mv twin.safetensors before.safetensors
  ./app train $q --out run >/dev/null 2>&1 || fail "train in bf16"
  losses 1.5e-2
  rm -rf run
done
unset CALM_ISA

# One changed option each: file, sed expression. A hundred times the tolerance must break.
mutate() {
  rm -rf m; mkdir m; cp -r base aug spec.calm rows.jsonl m
  sed -i "$2" "m/$1"
  cmp -s "$1" "m/$1" && fail "the mutation '$2' changed nothing in $1"
  (cd m && "$CALMC" build $only spec.calm -o app >log 2>&1 || { cat log; exit 1; }) || fail "mutated spec does not build: $2"
  ./m/app score --force $p --data rows.jsonl --out m.safetensors 2>/dev/null || fail "mutated: $2"
  "$STCMP" m.safetensors golden.safetensors --key '*logits' --differ 1e-2 >/dev/null || fail "nobody sees the change '$2' in $1"
}
mutate base/config.json 's/"rope_theta": 500.0/"rope_theta": 400.0/'
mutate base/config.json 's/"factor": 4.0,/"factor": 2.0,/'
mutate base/config.json 's/"high_freq_factor": 4.0/"high_freq_factor": 3.0/'
mutate base/config.json 's/"low_freq_factor": 1.0/"low_freq_factor": 2.0/'
mutate base/config.json 's/"original_max_position_embeddings": 16/"original_max_position_embeddings": 32/'
mutate base/config.json 's/"rope_type": "llama3"/"rope_type": "default"/'
mutate base/config.json 's/"rms_norm_eps": 0.1/"rms_norm_eps": 0.01/'
mutate aug/config.json 's/"rope_theta": 100.0/"rope_theta": 10000.0/'
mutate aug/config.json 's/"rms_norm_eps": 0.2/"rms_norm_eps": 1e-5/'
# parameters of another layer map or head count are refused by name, also with --force
for change in 's/aug\[1, 3\]/aug[2, 3]/' 's/base\[2, 4\]/base[1, 4]/' 's/heads = 3/heads = 6/'; do
  rm -rf m; mkdir m; cp -r base aug spec.calm rows.jsonl m
  sed -i "$change" m/spec.calm
  build m/spec.calm -o m/app
  expect 1 'aug.*->base' ./m/app score --force $p --data rows.jsonl --out m.safetensors
done
# biases that are there but switched off are refused: the file holds tensors nobody would read
for key in attention_bias mlp_bias; do
  rm -rf m; mkdir m; cp -r base aug spec.calm m
  sed -i "s/\"$key\": true/\"$key\": false/" m/base/config.json
  expect 1 "bias' of model 'base' is not used" "$CALMC" build m/spec.calm -o m/app
done
echo "every mutation seen"
