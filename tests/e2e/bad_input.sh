#!/bin/sh
# Every kind of broken input is answered by name, with exit status 1, and nothing that was there before is lost or changed.
. "$(dirname "$0")/lib.sh"
cp -r "$root/tests/parity/fixture/." .
build spec.calm -o app
./app train --data rows.jsonl --steps 2 --out good 2>err || fail "train: $(cat err)"
find . -type f ! -name before ! -name said ! -path "./cache/*" -exec sha256sum {} + | sort -k2 >before

# broken NAME: a copy of the anchor's directory to spoil, and the spec that uses it
broken() { rm -rf bad; cp -r base bad; sed 's/"base"$/"bad"/' spec.calm >bad.calm; }
refused() { text=$1; expect 1 "$text" "$CALMC" build bad.calm -o never; [ ! -e never ] || fail "a program in spite of: $text"; }
# header JSON: a safetensors file of this header and 64 bytes of data
header() { n=$(printf %s "$1" | wc -c); { printf "\\$(printf %o $((n % 256)))\\$(printf %o $((n / 256)))\0\0\0\0\0\0%s" "$1"; head -c 64 /dev/zero; } >bad/model.safetensors; }

# --- safetensors
broken; head -c 1000 base/model.safetensors >bad/model.safetensors; refused 'bad/model.safetensors'
broken; head -c 20000 base/model.safetensors >bad/model.safetensors; refused 'bad/model.safetensors'
broken; : >bad/model.safetensors; refused 'bad/model.safetensors'
broken; printf '\377\377\377\377\377\377\377\177{}' >bad/model.safetensors; refused 'bad/model.safetensors'
for h in '{"a":{"dtype":"F32","shape":[16],"data_offsets":[0,65]}}' '{"a":{"dtype":"F32","shape":[16],"data_offsets":[0,4096]}}' \
         '{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,64]}}' '{"a":{"dtype":"F32","shape":[-16],"data_offsets":[0,64]}}' \
         '{"a":{"dtype":"F99","shape":[16],"data_offsets":[0,64]}}' '{"a":{"dtype":"F32","shape":[16],"data_offsets":[64,0]}}' \
         '{"a":{"dtype":"F32","shape":[8],"data_offsets":[0,32]},"b":{"dtype":"F32","shape":[12],"data_offsets":[16,64]}}' \
         '{"a":{"dtype":"F32","shape":[8],"data_offsets":[0,32]},"a":{"dtype":"F32","shape":[8],"data_offsets":[32,64]}}' '{"a":' '[]'; do
  broken; header "$h"; refused 'bad/model.safetensors'
done
broken; rm bad/model.safetensors; refused 'bad'

# --- config.json
spoil() { broken; sed "$1" base/config.json >bad/config.json; cmp -s bad/config.json base/config.json && fail "sed $1 changes nothing"; refused "$2"; }
spoil '/"hidden_size"/d' 'hidden_size'
spoil 's/"num_attention_heads": [0-9]*/"num_attention_heads": "four"/' 'H is num_attention_heads of .*bad/config.json'
spoil 's/"hidden_act": "silu"/"hidden_act": "snake"/' 'hidden_act'
spoil 's/"intermediate_size": [0-9]*/"intermediate_size": 17/' 'mlp\.'
spoil '0,/{/s/{/{ "mystery_scale": 3.5,/' 'mystery_scale'
broken; echo '{' >bad/config.json; refused 'bad/config.json'
broken; rm bad/config.json; refused 'config.json'

# --- the spec
sed 's/base\[2, 4\]/base[2, 99]/' spec.calm >bad.calm; refused 'bad.calm:3:.*99'
sed 's/cross_attention/cross_attentoin/' spec.calm >bad.calm; refused 'bad.calm:3:.*cross_attentoin'
sed 's/"base"$/"nowhere"/' spec.calm >bad.calm; refused 'nowhere'

# --- data: the line is named
row=$(head -1 rows.jsonl)
data() { printf '%s\n%s\n' "$row" "$1" >bad.jsonl; expect 1 "bad.jsonl:2" ./app score --data bad.jsonl --out never.st
  expect 1 "bad.jsonl:2" ./app train --data bad.jsonl --steps 1 --out never.run; [ ! -e never.st ] || fail "scored $1"; }
data '{"input_ids": [3, 4'
data '{"input_ids": [3, 4000000], "labels": [3, 4]}'
data '{"input_ids": [3, -4], "labels": [3, 4]}'
data '{"input_ids": [3, 4, 5], "labels": [3, 4]}'
data '{"input_ids": "3 4"}'
data '{"surprise": 1}'
data '["no object"]'
expect 1 'gone.jsonl' ./app score --data gone.jsonl --out never.st
echo '{"text": "words"}' >text.jsonl
expect 1 'tokenizer' ./app score --data text.jsonl --out never.st
expect 1 'tokenizer' ./app generate --prompt words

# --- parameters
head -c 3000 good/last/theta.safetensors >cut.safetensors
expect 1 'cut.safetensors' ./app eval --data rows.jsonl --params cut.safetensors
expect 1 'gone' ./app eval --data rows.jsonl --params gone
cp -r good spoilt; echo '{' >spoilt/last/theta.json
expect 1 'theta.json' ./app eval --data rows.jsonl --params spoilt/last
expect 1 'spoilt\|theta' ./app train --data rows.jsonl --steps 4 --out spoilt --resume

# --- models that changed after the build
cp -r base later; head -c 20000 base/model.safetensors >later/model.safetensors
expect 1 'later/model.safetensors' ./app score --data rows.jsonl --out never.st --model base=later

# --- no room for the checkpoint: the earlier one stays
cp -r good full
sum=$(cat full/last/* | sha256sum)
got=0
(ulimit -f 8; trap "" XFSZ; ./app train --data rows.jsonl --steps 6 --out full --resume >said 2>&1) || got=$?
[ "${got:-0}" = 1 ] || fail "a full disk: exit status $got ($(cat said))"
grep -q 'full/' said || fail "a full disk is not explained: $(cat said)"
[ "$sum" = "$(cat full/last/* | sha256sum)" ] || fail "a full disk spoilt the earlier checkpoint"
[ -z "$(find full -name '*tmp*')" ] || fail "left behind: $(find full -name '*tmp*')"
if [ "$(id -u)" != 0 ]; then
  mkdir closed && chmod 500 closed
  expect 1 'closed' ./app train --data rows.jsonl --steps 1 --out closed/run
fi
echo occupied >occupied
expect 1 'occupied' ./app train --data rows.jsonl --steps 1 --out occupied

rm -rf bad bad.calm bad.jsonl text.jsonl cut.safetensors spoilt later full closed occupied said never.run
find . -type f ! -name before ! -name after ! -name said ! -path './cache/*' -exec sha256sum {} + | sort -k2 >after
cmp -s before after || fail "files changed: $(diff before after | head -5)"
echo "every broken input named"
