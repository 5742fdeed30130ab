#!/bin/sh
# What is written, and over what: never over something that the command reads, a program only over a program, a link is followed, and what was made is said.
. "$(dirname "$0")/lib.sh"
cp -r "$root/tests/parity/fixture/." .
cp "$root/tests/parity/tokenizer/synthetic/chars.json" .
mkdir tmp; export TMPDIR="$dir/tmp"
cat >new.calm <<'END'
use "parts.calm"
model new = llama {
  vocab_size = 45  hidden_size = 32  intermediate_size = 48  num_hidden_layers = 1  num_attention_heads = 4  num_key_value_heads = 2
  max_position_embeddings = 64  bos_token_id = 0  eos_token_id = 1  rms_norm_eps = 1e-6  rope_theta = 1000  hidden_act = "silu"
  tie_word_embeddings = false
} tokenizer "chars.json" init { "*norm.weight" = ones  "*" = fan_in(1) }
END
echo 'fn twice(x) = x * 2' >parts.calm
sum() { find "$@" -type f -exec sha256sum {} + | sort -k2; }
# keeps TEXT COMMAND…: refused with TEXT, and every file and link is as it was
keeps() {
  text=$1; shift
  find . ! -path ./said ! -path './*before' -printf '%p %y %l\n' | sort >list.before; sum . | grep -v 'said$\|before$' >sum.before
  expect 1 "$text" "$@"
  find . ! -path ./said ! -path './*before' -printf '%p %y %l\n' | sort | diff list.before - || fail "$*: other files than before"
  sum . | grep -v 'said$\|before$' | diff sum.before - || fail "$*: changed a file"
  rm list.before sum.before
}

# --- calmc: what a build reads is no place for its result, under whatever name
ln -s new.calm link.calm; ln chars.json hard.json
for out in new.calm ./new.calm "$PWD/new.calm" link.calm parts.calm chars.json hard.json "$CALMC"; do
  for what in '' --emit=tree --emit=plan --emit=obj; do
    [ "$what:$out" != --emit=tree:chars.json ] && [ "$what:$out" != --emit=tree:hard.json ] || continue      # the tree reads specs alone
    keeps "cannot write .*$(basename "$out"): this build reads it" "$CALMC" build new.calm $what -o "$out"
  done
done
for f in config.json model.safetensors; do keeps 'this build reads it' "$CALMC" build spec.calm -o base/$f; done
ln -s base/config.json spec.out
keeps 'this build reads it' "$CALMC" build spec.calm -o spec.out
rm spec.out

# --- a program takes the place of a program, and of nothing else; also where its name was not said
echo 'my notes' >spec; echo '#!/bin/sh' >script; cp /bin/true tool
keeps 'spec: a file is there that is no program of calmc' "$CALMC" build spec.calm
keeps 'script: a file is there that is no program of calmc.*-o' "$CALMC" build spec.calm -o script
keeps 'tool: a file is there that is no program of calmc' "$CALMC" build spec.calm -o tool
rm spec script tool
"$CALMC" build spec.calm --emit=obj -o object 2>said || fail "--emit=obj: $(cat said)"
grep -q '^wrote object, [0-9.]* kB$' said || fail "--emit says $(cat said)"
keeps 'no program of calmc' "$CALMC" build spec.calm -o object
"$CALMC" build spec.calm -o app 2>said || fail "build: $(cat said)"
grep -q "^wrote app, [0-9.]* MB; next: ./app train --data $PWD/rows.jsonl\$" said || fail "build says $(cat said)"
"$CALMC" build new.calm -o app 2>said || fail "over a program: $(cat said)"
grep -q '^wrote app, [0-9.]* MB; next: ./app train --data FILE.jsonl$' said || fail "build says $(cat said)"
cp -r base tokens && cp chars.json tokens/tokenizer.json && echo 'anchor base = "tokens"' >alone.calm
"$CALMC" build alone.calm -o "$PWD/alone" 2>said || fail "build: $(cat said)"
grep -q "^wrote $PWD/alone, [0-9.]* MB; next: $PWD/alone generate --prompt TEXT\$" said || fail "build says $(cat said)"
strip app 2>/dev/null && build new.calm -o app
# a link to a program stays one, and so does a link to what is not there yet
mkdir bin; mv app bin; ln -s bin/app app; ln -s bin/fresh fresh
build new.calm -o app; build new.calm -o fresh
[ -L app ] && [ -L fresh ] && [ -x bin/fresh ] && cmp -s bin/app bin/fresh || fail "links were not followed: $(ls -l . bin)"
rm app fresh; mv bin/app app

# --- devices: written where they are, and nothing is left elsewhere
rm -f said; ls -A >before
for what in '' --emit=plan --emit=obj; do
  "$CALMC" build spec.calm $what -o /dev/null >said 2>&1 || fail "$what to /dev/null: $(cat said)"
  [ ! -s said ] || fail "/dev/null was said to be made: $(cat said)"
done
echo first >all; "$CALMC" build spec.calm --emit=plan -o /dev/stdout >>all 2>said || fail "to /dev/stdout: $(cat said)"
"$CALMC" build spec.calm --emit=plan >plan 2>said; (echo first; cat plan) | cmp - all || fail "/dev/stdout was not added to"
rm all plan said
ls -A | diff before - && [ -z "$(ls -A tmp)" ] && [ -c /dev/null ] || fail "left behind: $(ls -A tmp)"

# --- no name becomes an option or a list of options of cc
mkdir odd; cp -r base aug odd; cp spec.calm odd/-x.calm; cp spec.calm odd/@x.calm
(cd odd && "$CALMC" build ./-x.calm 2>../said && "$CALMC" build @x.calm 2>../said && "$CALMC" build @x.calm -o -xc 2>../said && ./-x info >/dev/null && ./@x info >/dev/null && ./-xc info >/dev/null) ||
  fail "odd names: $(cat said)"
mkdir odd/-t odd/@t odd/@d
(cd odd && TMPDIR=-t "$CALMC" build @x.calm -o /dev/null 2>../said && TMPDIR=@t "$CALMC" build @x.calm -o /dev/null 2>../said && "$CALMC" build @x.calm -o @d/app 2>../said && ./@d/app info >/dev/null) ||
  fail "odd folders: $(cat said)"
