#!/bin/sh
# verify-files: an export's SHA256SUMS, which sha256sum -c reads too, and a checkpoint's theta.json: what is missing, changed or extra is named. A model
# that is there is not exported over unasked.
. "$(dirname "$0")/lib.sh"
made new 32 48 1 4 2 64 1000 >new.calm
build new.calm -o new
echo '{"input_ids": [0, 5, 9, 7, 12, 3, 40], "labels": [0, 5, 9, 7, 12, 3, 40]}' >rows.jsonl
./new export model --seed 1 2>err || fail "export: $(cat err)"
./new train --data rows.jsonl --validate rows.jsonl --steps 3 --out run 2>err || fail "train: $(cat err)"
rm chars.json                                     # no model is opened for it
verify() { ./new verify-files "$@" >out 2>err || fail "verify-files $*: $(cat out err)"; }
bad() { text=$1 dir=$2; expect 1 "$text" ./new verify-files "$dir"; grep -q "^error: $dir: .* missing or changed" said || fail "no error at the end: $(cat said)"; }

# --- an export, checked by calm and by sha256sum
files=$(ls model | grep -c -v SHA256SUMS) bytes=$(ls model | grep -v SHA256SUMS | sed 's|^|model/|' | xargs cat | wc -c)
[ "$files" -ge 5 ] || fail "exported: $(ls model)"
verify model
[ "$(cat out)" = "model: $files files, $bytes bytes read, 0 bad" ] || fail "said: $(cat out), $files files of $bytes bytes are there"
(cd model && sha256sum -c SHA256SUMS) >out || fail "sha256sum does not agree: $(cat out)"
[ "$(wc -l <out)" = "$files" ] || fail "SHA256SUMS lists $(cat out)"
for f in $(ls model | grep -v SHA256SUMS); do
  rm -rf spoilt; cp -r model spoilt
  flip spoilt/$f $(($(wc -c <spoilt/$f) / 2))
  bad "^spoilt/$f: changed: its SHA-256 is $(sha256sum <spoilt/$f | cut -c1-12).*$(sha256sum <model/$f | cut -c1-12)" spoilt
  ! (cd spoilt && sha256sum -c SHA256SUMS >/dev/null 2>&1) || fail "sha256sum sees nothing in $f"
  rm spoilt/$f
  bad "^spoilt/$f: missing$" spoilt
done
echo mine >model/notes
verify model; grep -q '^model/notes: not listed$' out || fail "an extra file is not named: $(cat out)"

# --- one that sha256sum wrote: binary mark, names that are escaped, a folder below, no newline at the end
mkdir -p other/sub; printf a >other/a; printf b >'other/sub/two words'; printf c >'other/back\slash'; printf d >'other/new
line'
(cd other && sha256sum -b a 'sub/two words' 'back\slash' 'new
line' | head -c -1 >SHA256SUMS)
verify other; grep -q '^other: 4 files, 4 bytes read, 0 bad$' out || fail "sha256sum's own: $(cat out)"
printf e >'other/new
line'
expect 1 '^line: changed' ./new verify-files other
for line in 'nonsense' "$(printf %064d 0) a" "$(printf %064d 0)  ../a" "$(printf %064d 0)  /etc/passwd" "$(printf %063d 0)g  a"; do
  { sha256sum other/a | sed 's|other/||'; echo "$line"; } >other/SHA256SUMS
  expect 1 '^error: other/SHA256SUMS:2: expected a SHA-256' ./new verify-files other
done
: >other/SHA256SUMS; expect 1 'lists no file' ./new verify-files other
mkfifo other/pipe; echo "$(printf %064d 0)  pipe" >other/SHA256SUMS
expect 1 'not a regular file' ./new verify-files other

# --- checkpoints, and a run of them
verify run/last; grep -q "^run/last: 2 files, $(cat run/last/*.safetensors | wc -c) bytes read, 0 bad$" out || fail "a checkpoint: $(cat out)"
verify run; grep -q "^run: 3 files, $(cat run/*/*.safetensors | wc -c) bytes read, 0 bad$" out || fail "a run: $(cat out)"
for f in last/theta last/optimizer best/theta; do
  rm -rf spoilt; cp -r run spoilt
  flip spoilt/$f.safetensors 3000
  bad "^spoilt/$f.safetensors: changed: its SHA-256" spoilt
  printf x >>spoilt/$f.safetensors
  bad "^spoilt/$f.safetensors: changed: .* bytes, listed with" spoilt
  rm spoilt/$f.safetensors
  bad "^spoilt/$f.safetensors: missing" spoilt
done
sed -i 's/"calm": [0-9]*/"calm": 1/; /^  "files": {/,/^  },/d' spoilt/last/theta.json
expect 1 'spoilt/last/theta.json has no hashes' ./new verify-files spoilt
mkdir empty; expect 1 'empty: nothing says' ./new verify-files empty
expect 1 'gone' ./new verify-files gone
expect 2 'usage' ./new verify-files

# --- exporting over a model
cp "$root/tests/parity/tokenizer/synthetic/chars.json" .
(cd model && sha256sum *) >before
./new export model --seed 2 2>err || fail "export over an export: $(cat err)"
verify model
! (cd model && sha256sum *) | cmp -s - before && [ "$(cat model/notes)" = mine ] || fail "--overwrite changed nothing, or too much"
echo "files are as they were saved, or named"
