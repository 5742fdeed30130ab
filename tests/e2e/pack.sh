# pack: weights, tokenizers and parameters as one file. From it: the same bits as from the models' directories, which need not be there; two processes share
# its pages. Refused by name: what it was made from having changed, another program, path or precision, a file that was cut or changed. verify-files
# reads every byte. It takes the place of nothing but a pack file.
. "$(dirname "$0")/lib.sh"
only=
two_tokenizers
cp forth.calm app.calm
build app.calm -o app
cat >rows.jsonl <<'END'
{"prompt": "The 12 words", "completion": " end here."}
{"text": "of 3+7= many kinds, one after the other"}
END
./app train --data rows.jsonl --steps 2 --out run 2>err || fail "train: $(cat err)"
pack() { ./app pack "$@" 2>err || fail "pack $*: $(cat err)"; }
pack --params run/last
[ -f app.pack ] && grep -q '^wrote app.pack, .*parameters for .* in .*--pack app.pack' err || fail "pack said: $(cat err)"

# --- the same bits, from the pack alone too: generate, eval, score with gradients, tokenize
use() { ./app generate "$@" --prompt 'The 12' --max-tokens 12 --temperature 1 --seed 3 --ignore-eos >said.txt 2>err || fail "generate $*: $(cat err)"; }
answers() {                    # NAME FLAGS…
  name=$1; shift
  use "$@"; mv said.txt $name.txt
  ./app eval --data rows.jsonl --max-tokens 5 "$@" >$name.eval 2>err || fail "eval $*: $(cat err)"
  ./app score --data rows.jsonl --grads --hidden base.1 --out $name.st "$@" 2>err || fail "score $*: $(cat err)"
}
answers files --params run/last
answers packed --pack app.pack
mkdir away; mv llama gemma run away/
answers alone --pack app.pack
answers elsewhere --pack app.pack --params away/run/last
mv away/* .
answers given --pack app.pack --params run/last
for n in packed alone elsewhere given; do
  for k in txt eval st; do cmp -s files.$k $n.$k || fail "$n.$k differs from files.$k"; done
done
echo '"The 12 words, of many  kinds"' >text
for m in base aug; do
  ./app tokenize --model $m <text >a 2>err && ./app tokenize --model $m --pack app.pack <text >b 2>>err || :
  cmp -s a b || fail "tokenize --model $m from the pack: $(cat b err)"
done
# a training takes frozen weights from it, and starts from parameters of its own
./app train --data rows.jsonl --steps 2 --out again --pack app.pack 2>err || fail "train --pack: $(cat err)"
cmp -s run/last/theta.safetensors again/last/theta.safetensors || fail "a training from the pack ends elsewhere"
# without parameters it has none
pack --out plain.pack; grep -q 'no parameters' err || fail "nothing said: $(cat err)"
expect 0 'untrained parameters are used' ./app generate --pack plain.pack --prompt x --max-tokens 1
use --pack plain.pack --params run/last; cmp -s said.txt files.txt || fail "other parameters beside the pack"
# info says which, and what it has
./app info --pack app.pack >out 2>err || fail "info: $(cat err)"
grep -q '^pack file app.pack, .*parameters of /.*run/last' out || fail "info: $(cat out)"
./app info --pack app.pack --json | tr -d '\n' | grep -q '"pack": {"path": "app.pack"\|"pack": { *"path": "app.pack"' || fail "info --json says nothing of it"
./app info --json | grep -q '"pack": null' || fail "info --json without one"

# --- two processes have its pages once
if [ -r /proc/self/smaps ]; then
  mkfifo hold; ./app tokenize --pack app.pack <hold >/dev/null 2>err & one=$!
  exec 8>hold
  until_that $one err grep -q 'app.pack' /proc/$one/maps
  grep 'app.pack' /proc/$one/maps | grep -q 'r--s' || fail "the pack is not mapped shared and read-only: $(grep app.pack /proc/$one/maps)"
  exec 8>&-
  wait $one || :
fi

# --- verify-files reads it all, and what it was made from
bytes=$(wc -c <app.pack)
verify() { ./app verify-files app.pack >out 2>err; }
verify || fail "verify-files: $(cat out err)"
grep -q '^app.pack: .* 0 bad$' out || fail "verify-files: $(cat out)"
cp app.pack whole.pack
for part in 17 5000 $((bytes / 2)) $((bytes - 200)); do
  cp whole.pack app.pack; flip app.pack $part
  ! verify || fail "a flipped bit at $part is not seen"
  grep -q 'app.pack: changed\|pack file was changed\|byte order\|format' out err || fail "at $part: $(cat out err)"
done
cp whole.pack app.pack
flip llama/model.safetensors 4000; ! verify || fail "a changed model is not seen"
grep -q 'llama/model.safetensors: changed' out || fail "changed: $(cat out)"; flip llama/model.safetensors 4000
rm -rf away; mkdir away; mv gemma away/
verify || fail "verify-files without gemma: $(cat out err)"; grep -q 'gemma/model.safetensors: not here' out || fail "not here: $(cat out)"
mv away/gemma .

# --- stale by each thing it was made from: named, with the command that makes it anew
stale() { text=$1; shift; expect 1 "$text" ./app generate --pack app.pack --prompt x --max-tokens 1 "$@"; grep -q 'make it anew: ./app pack --out app.pack --params /.*/run/last' said || fail "no way out: $(cat said)"; }
sleep 3; use --pack app.pack                       # hashes are remembered by now, for what has been left alone a while
for f in llama/model.safetensors gemma/model.safetensors llama/config.json gemma/tokenizer.json run/last/theta.safetensors; do
  cp -p $f keep
  flip $f 100;       stale "^error: app.pack is stale: .*$f of .* is not what was packed (SHA-256"
  cp keep $f; printf ' ' >>$f; stale "^error: app.pack is stale: .*$f of .* bytes, and had .* when it was packed"
  cp keep $f
  use --pack app.pack
done
echo '{"eos_token_id": 7}' >llama/generation_config.json.new
if [ ! -e llama/generation_config.json ]; then
  mv llama/generation_config.json.new llama/generation_config.json
  stale 'llama/generation_config.json is there, and was not when it was packed'
  rm llama/generation_config.json
fi
# what conversations are rendered by
printf '{{ messages[0].content }}' >llama/chat_template.jinja
stale 'llama/chat_template.jinja is there, and was not when it was packed'
./app pack --out chat.pack 2>err || fail "pack: $(cat err)"
printf 'a {{ messages[0].content }}' >llama/chat_template.jinja
expect 1 'chat.pack is stale: .*llama/chat_template.jinja of .* bytes, and had' ./app generate --pack chat.pack --chat --prompt x --max-tokens 1
rm llama/chat_template.jinja
# its parameters count where they are used
cp -p run/last/theta.safetensors keep; printf ' ' >>run/last/theta.safetensors
use --pack app.pack --params again/last
cp keep run/last/theta.safetensors
# another program; another path
build app.calm -o other; cp other app2; printf 'x' >>app2
expect 1 '^error: app.pack was packed by another program (another build of app.calm' ./app2 generate --pack app.pack --prompt x
sed 's/heads = [0-9]*/heads = 1/' app.calm >edited.calm; build edited.calm -o edited
expect 1 'packed by another program (another text of app.calm' ./edited generate --pack app.pack --prompt x
cp app renamed; cmp -s app renamed && ./renamed generate --pack app.pack --prompt x --max-tokens 1 >/dev/null 2>err || fail "the same program by another name: $(cat err)"
set -- $(available_isas app 2>/dev/null)
if [ $# -gt 1 ]; then
  CALM_ISA=$2; export CALM_ISA
  stale "^error: app.pack was packed for $1 in .*, and this runs on $2 in"
  unset CALM_ISA
fi

# a precision: kept where nobody says, refused where another is asked for
pack --precision bf16 --out narrow.pack
./app eval --data rows.jsonl --metric loss --params run/last --precision bf16 >a.eval 2>err || fail "bf16: $(cat err)"
./app pack --precision bf16 --params run/last --out narrow.pack 2>err || fail "pack bf16: $(cat err)"
./app eval --data rows.jsonl --metric loss --pack narrow.pack >b.eval 2>err || fail "bf16 from the pack: $(cat err)"
grep -q 'bf16: the pack file is in it' err || fail "which precision, and why: $(cat err)"
cmp -s a.eval b.eval || fail "bf16 from the pack: $(cat a.eval b.eval)"
expect 1 'narrow.pack was packed for .* in bf16, and this runs on .* in f32; make it anew' ./app generate --pack narrow.pack --precision f32 --prompt x

# the command that makes it anew makes what was asked for, of the directories that were
again() { eval "$(sed -n 's/.*make it anew: \(.*\)/\1/p' said)" 2>err || fail "made anew as told: $(cat said err)"; }
./app pack --precision bf16 --params run/last --out narrow.pack 2>err || fail "pack bf16: $(cat err)"
echo '{}' >gemma/generation_config.json
expect 1 'narrow.pack is stale.*make it anew: .* --precision bf16$' ./app generate --pack narrow.pack --prompt x --max-tokens 1
again; grep -q ' in bf16; next' err || fail "made anew in another precision than it was asked for: $(cat err)"
rm gemma/generation_config.json
./app pack --precision bf16 --params run/last --out narrow.pack 2>err || fail "pack bf16: $(cat err)"
cp -r llama placed
expect 1 'make it anew' ./app generate --pack narrow.pack --precision f32 --prompt x --max-tokens 1 --model base=placed
grep -q -e ' --precision f32 --model base=placed$' said || fail "the way out leaves out what was asked for: $(cat said)"
again; expect 0 '' ./app generate --pack narrow.pack --precision f32 --prompt x --max-tokens 1 --model base=placed
# a model kept as something else is named
mkdir kept; sed '1s/$/ as int8/' app.calm >kept/app.calm
(cd kept && cp -r ../llama ../gemma . && build app.calm -o app)
expect 1 'packed by another program (another text of app.calm, calm [^,]*, in which model base was kept as stored, and here it is as int8)' ./kept/app generate --pack app.pack --prompt x

# --- cut, or not a pack file at all
for n in 0 7 15 100 4096 5000 $((bytes / 2)) $((bytes - 1)); do
  head -c $n whole.pack >cut.pack
  expect 1 '^error: cut.pack' ./app generate --pack cut.pack --prompt x
done
expect 1 'rows.jsonl is no pack file' ./app generate --pack rows.jsonl --prompt x
expect 1 'cannot read nowhere' ./app generate --pack nowhere --prompt x
mkfifo pipe.pack; expect 1 'not a regular file' ./app generate --pack pipe.pack --prompt x

# --- where it goes: over nothing but a pack file, and nothing that is read; nothing is left of one that could not be finished
cp rows.jsonl mine; expect 1 'what is there is no pack file' ./app pack --out mine
cmp -s rows.jsonl mine || fail "a user's file was written over"
expect 1 'cannot write' ./app pack --out llama/model.safetensors
expect 1 'cannot write' ./app pack --params run/last --out run/last/theta.safetensors
pack --params run/last --out app.pack; cmp -s app.pack whole.pack || [ "$(wc -c <app.pack)" = "$bytes" ] || fail "packed anew it has $(wc -c <app.pack) bytes, and had $bytes"
use --pack app.pack; cmp -s said.txt files.txt || fail "packed anew it says something else"
(ulimit -f 20; ! ./app pack --out small.pack 2>err) || fail "a file too large was written"
[ -z "$(ls | grep 'small.pack')" ] || fail "left behind: $(ls)"
for c in export verify-files; do expect 2 'pack' ./app $c x --pack app.pack; done

# --- calmc pack: the program and its pack file
"$CALMC" pack app.calm -o made --params run/last --precision f32 >out 2>&1 || fail "calmc pack: $(cat out)"
grep -q 'in f32; next' out || fail "calmc pack --precision f32: $(cat out)"
expect 2 "--precision takes auto, f32 or bf16, or one of them behind MODEL=; found 'fp8'" "$CALMC" pack app.calm -o never --precision fp8
expect 2 "--precision takes .*; found 'base=fp8'" "$CALMC" pack app.calm -o never --precision bf16 --precision base=fp8
expect 2 '--precision is given twice for all models' "$CALMC" pack app.calm -o never --precision bf16 --precision f32
[ ! -e never ] || fail "something was built for a command line that was refused"
"$CALMC" pack app.calm -o made --precision base=bf16 --precision=aug=f32 >out 2>&1 || fail "calmc pack of each model: $(cat out)"
grep -q 'in bf16 (base) and f32 (aug); next' out || fail "calmc pack --precision base=bf16 --precision aug=f32: $(cat out)"
expect 2 '--precision nope=f32: this program has no model of that name' "$CALMC" pack app.calm -o made --precision nope=f32
"$CALMC" pack app.calm -o made --params run/last >out 2>&1 || fail "calmc pack: $(cat out)"
./made generate --pack made.pack --prompt 'The 12' --max-tokens 12 --temperature 1 --seed 3 --ignore-eos >said.txt 2>err || fail "made: $(cat err)"
cmp -s said.txt files.txt || fail "calmc pack's says something else"
expect 2 'params is an option of pack' "$CALMC" build app.calm --params run/last
# a model made from nothing: its parameters are all there is
made new 32 48 1 4 2 64 1000 >new.calm; build new.calm -o new
echo '{"input_ids": [0, 5, 9, 7], "labels": [0, 5, 9, 7]}' >ids.jsonl
./new train --data ids.jsonl --steps 1 --out new.run 2>err || fail "train new: $(cat err)"
./new pack --params new.run/last 2>err || fail "pack new: $(cat err)"
for p in '--params new.run/last' '--pack new.pack'; do ./new generate $p --prompt 3+ --max-tokens 6 --ignore-eos 2>err || fail "new $p: $(cat err)"; done >both
[ "$(sed -n 1p both)" = "$(sed -n 2p both)" ] || fail "new: $(cat both)"
