#!/bin/sh
# What is written, and over what: never over something that the command reads, a program only over a program, a link is followed, and what was made is said.
. "$(dirname "$0")/lib.sh"
cp -r "$root/tests/parity/fixture/." .
mkdir tmp; export TMPDIR="$dir/tmp"
{ echo 'use "parts.calm"'; made new 32 48 1 4 2 64 1000; } >new.calm
echo 'fn twice(x) = x * 2' >parts.calm
tiny >tiny.calm
# All that is here by inode, size and time of its last change.
state() { find . -type d -print -o ! -path ./said ! -path ./before -printf '%p %y %l %i %s %T@\n' | sort; }
# keeps TEXT COMMAND…: refused with TEXT, and every file and link is as it was
keeps() {
  text=$1; shift
  state >before
  expect 1 "$text" "$@"
  state | diff before - || fail "$*: files are not as before"
}

# --- calmc: what a build reads is no place for its result, under whatever name
ln -s new.calm link.calm; ln chars.json hard.json
for out in new.calm ./new.calm "$PWD/new.calm" link.calm parts.calm chars.json hard.json "$CALMC"; do
  for what in '' --emit=tree; do
    keeps "cannot write .*$(basename "$out"): this build reads it" "$CALMC" build new.calm $what -o "$out"
  done
done
for what in '' --emit=tree --emit=graph --emit=obj; do keeps 'this build reads it' "$CALMC" build spec.calm $what -o base/config.json; done
ln -s base/config.json spec.out
keeps 'this build reads it' "$CALMC" build spec.calm -o spec.out
rm spec.out

# --- a program takes the place of a program, and of nothing else; also where its name was not said
echo 'my notes' >spec; echo '#!/bin/sh' >script; cp /bin/true tool
keeps 'spec: a file is there that is no program of calm' "$CALMC" build spec.calm
keeps "script: a file is there that is no program of calm's.*name another place" "$CALMC" build spec.calm -o script
keeps 'tool: a file is there that is no program of calm' "$CALMC" build spec.calm -o tool
rm spec script tool
"$CALMC" build spec.calm --emit=obj -o object 2>said || fail "--emit=obj: $(cat said)"
grep -q '^wrote object, [0-9.]* [kM]B$' said || fail "--emit says $(cat said)"
keeps 'no program of calm' "$CALMC" build spec.calm -o object
"$CALMC" build spec.calm -o app 2>said || fail "build: $(cat said)"
grep -q "^wrote app, [0-9.]* MB; next: ./app train --data $PWD/rows.jsonl\$" said || fail "build says $(cat said)"
"$CALMC" build new.calm -o app 2>said || fail "over a program: $(cat said)"
grep -q '^wrote app, [0-9.]* MB; next: ./app train --data FILE.jsonl$' said || fail "build says $(cat said)"
cp -r base tokens && cp chars.json tokens/tokenizer.json && echo 'anchor base = "tokens"' >alone.calm
"$CALMC" build alone.calm -o "$PWD/alone" 2>said || fail "build: $(cat said)"
grep -q "^wrote $PWD/alone, [0-9.]* MB; next: $PWD/alone generate --prompt TEXT\$" said || fail "build says $(cat said)"
strip app 2>/dev/null && build tiny.calm -o app
# a link to a program stays one, and so does a link to what is not there yet
mkdir bin; mv app bin; ln -s bin/app app; ln -s bin/fresh fresh
build tiny.calm -o app; build tiny.calm -o fresh
[ -L app ] && [ -L fresh ] && [ -x bin/fresh ] && cmp -s bin/app bin/fresh || fail "links were not followed: $(ls -l . bin)"
rm app fresh; mv bin/app app

# --- so do what --emit asks for, in the place of another such, and a picture
for kind in tree graph plan llvm asm obj; do
  echo 'my notes' >mine; keeps 'cannot write mine: a file is there that is no output of --emit of calm' "$CALMC" build tiny.calm --emit=$kind -o mine
  cp object emitted; ln -sf emitted to_emitted
  for again in 1 2; do expect 0 "wrote to_emitted" "$CALMC" build tiny.calm --emit=$kind -o to_emitted; done
  ! cmp -s emitted object && [ -L to_emitted ] && : >mine && expect 0 'wrote mine' "$CALMC" build tiny.calm --emit=$kind -o mine
  cmp mine emitted
done
head -n 1 mine >/dev/null; echo '<svg xmlns="http://www.w3.org/2000/svg"></svg>' >mine; keeps 'no picture of calm' "$CALMC" draw spec.calm -o mine
keeps 'no picture of calm' "$CALMC" draw spec.calm -o emitted
rm mine emitted to_emitted

# --- devices: written where they are, and nothing is left elsewhere
rm -f said; ls -A >before
for what in '' --emit=plan --emit=obj; do
  "$CALMC" build tiny.calm $what -o /dev/null >said 2>&1 || fail "$what to /dev/null: $(cat said)"
  quiet said
  [ ! -s said ] || fail "/dev/null was said to be made: $(cat said)"
done
echo first >all; "$CALMC" build spec.calm --emit=plan -o /dev/stdout >>all 2>said || fail "to /dev/stdout: $(cat said)"
"$CALMC" build spec.calm --emit=plan >plan 2>said; (echo first; cat plan) | cmp - all || fail "/dev/stdout was not added to"
rm all plan said
ls -A | diff before - && [ -z "$(ls -A tmp)" ] && [ -c /dev/null ] || fail "left behind: $(ls -A tmp)"

# --- no name becomes an option or a list of options of cc
mkdir odd; cp chars.json odd; cp tiny.calm odd/-x.calm; cp tiny.calm odd/@x.calm
(cd odd && "$CALMC" build ./-x.calm 2>../said && "$CALMC" build @x.calm 2>../said && ./-x info >/dev/null && ./@x info >/dev/null) || fail "odd names: $(cat said)"
mkdir odd/-t odd/@t odd/@d
(cd odd && TMPDIR=-t "$CALMC" build @x.calm -o /dev/null 2>../said && TMPDIR=@t "$CALMC" build @x.calm -o /dev/null 2>../said && "$CALMC" build @x.calm -o @d/app 2>../said && ./@d/app info >/dev/null) ||
  fail "odd folders: $(cat said)"

# --- programs: nothing that a command reads is written
build spec.calm -o app; build new.calm -o new
for i in 1 2; do echo '{"prompt": "ab", "completion": "cd"}'; done >pairs.jsonl
./app train --data rows.jsonl --steps 2 --out run 2>err || fail "train: $(cat err)"
ln -s rows.jsonl rows.link; ln run/last/theta.safetensors theta.hard; ln -s base/config.json config.link
for out in rows.jsonl rows.link app ./base/model.safetensors aug/config.json config.link run/last/theta.safetensors run/last/theta.json theta.hard; do
  keeps 'cannot write .*: this command reads it' ./app score --data rows.jsonl --params run/last --out $out
done
for out in pairs.jsonl new chars.json hard.json; do keeps 'cannot write .*: this command reads it' ./new eval --data pairs.jsonl --out $out; done
keeps 'run/log.csv: this command reads it' ./app train --data run/log.csv --steps 2 --out run --overwrite
keeps 'run/last/theta.safetensors: this command reads it' ./app train --data rows.jsonl --params run/last --steps 2 --out run --overwrite
rm rows.link theta.hard config.link hard.json

# a single file that was named takes the place of its like alone, or of an empty file, through a link too; what was made is said
: >dump.real; ln -s dump.real dump
for again in 1 2; do
  ./new eval --data pairs.jsonl --out dump 2>err >/dev/null || fail "eval: $(cat err)"
  [ -L dump ] && [ "$(wc -l <dump.real)" = 2 ] && grep -q '^wrote dump: 2 rows$' err || fail "--out: $(cat dump.real err)"
done
echo '{"line": 1}' >mine; cp base/model.safetensors mine.st
for out in mine mine.st run/log.csv run/last/theta.json; do
  keeps "cannot write $out: a file is there that is no result of eval of calm's.*remove it" ./new eval --data pairs.jsonl --out $out
  keeps "cannot write $out: a file is there that is no result of score of calm's" ./app score --data rows.jsonl --out $out
  keeps "cannot write $out: a file is there that is no trace of calm's" ./app score --data rows.jsonl --out score.st --trace $out
done
keeps 'dump: a file is there that is no result of score' ./app score --data rows.jsonl --out dump
for again in 1 2; do ./app score --data rows.jsonl --out score.st --trace trace.json 2>err || fail "score: $(cat err)"; done
rm mine mine.st trace.json
./app score --data rows.jsonl --out score.st 2>err || fail "score: $(cat err)"
tensors=$(head -c $(($(od -An -tu4 -N4 score.st) + 8)) score.st | tail -c +9 | grep -ao '"dtype"' | wc -l)
grep -q "^wrote score.st: $tensors tensors\$" err || fail "score of $tensors tensors says $(cat err)"
echo before >log; ./app score --data rows.jsonl --out /dev/stdout >>log 2>err || fail "score to /dev/stdout: $(cat err)"
{ echo before; cat score.st; } | cmp - log || fail "/dev/stdout was not added to"

# --- export: into nothing, over an earlier export, or where --overwrite says so; what is not its own stays
./new export ex --seed 1 2>err || fail "export: $(cat err)"
tensors=$(head -c $(($(od -An -tu4 -N4 ex/model.safetensors) + 8)) ex/model.safetensors | tail -c +9 | grep -ao '"dtype"' | wc -l)
[ "$tensors" -gt 5 ] && grep -q "^wrote ex: $tensors tensors\$" err || fail "an export of $tensors tensors says $(cat err)"
echo mine >ex/notes; mkdir ex/own; echo mine >ex/own/x; ln -s notes ex/link
cp -r ex first
./new export ex --seed 2 2>err || fail "export over an export: $(cat err)"
! cmp -s ex/model.safetensors first/model.safetensors && [ "$(cat ex/notes ex/own/x ex/link | sort -u)" = mine ] || fail "an export over an export: $(ls -l ex)"
./new verify-files ex >said || fail "$(cat said)"
mkdir empty full; echo mine >full/thesis
./new export empty --seed 2 2>err || fail "export into an empty directory: $(cat err)"
keeps 'full holds thesis, and is no earlier export.*--overwrite' ./new export full
keeps 'cannot write into run/last: it is a checkpoint' ./new export run/last
keeps 'run holds .*, and is no earlier export' ./new export run
keeps 'base holds .*, and is no earlier export' ./new export base
keeps '^error: rows.jsonl: expected a directory, found a file' ./new export rows.jsonl
keeps '^error: rows.jsonl: expected a directory, found a file' ./new export rows.jsonl/ex --overwrite
# nor, whatever was asked, into what the command reads, or a checkpoint: a model's directory, the parameters', their run's, and what lies in them
{ cat new.calm; echo 'augment aug = "aug"'; echo 'connect aug[1] -> new[1] with cross_attention(heads = 4)'; } >two.calm
build two.calm -o two
./new train --data pairs.jsonl --validate pairs.jsonl --eval-every 1 --steps 2 --out made 2>err || fail "train: $(cat err)"
cp -r made/last ckpt; ln -s made/last to_last; mkdir made/last/own
for flag in '' --overwrite; do
  for out in made/last made/last/ to_last "$PWD/made/last" made/last/ex made/last/own/a/b; do keeps "^error: cannot write into $out: .*a checkpoint that this command reads" ./new export $out --params made/last $flag; done
  keeps 'cannot write into made/last' ./new export made/last --params made/last/theta.safetensors $flag
  for out in made made/ex made/best/ex; do keeps "^error: cannot write into $out: the run that to_last is of lies there" ./new export $out --params to_last $flag; done
  keeps 'cannot write into made/ex: the run that made/best is of' ./new export made/ex --params made/best/theta.safetensors $flag
  keeps 'cannot write into ckpt: .*a checkpoint that' ./new export ckpt --params ckpt $flag
  keeps 'cannot write into ckpt: it is a checkpoint' ./new export ckpt --params made/last $flag
  keeps 'cannot write into .*not there, and up again' ./new export nowhere/../ckpt --params made/last $flag
  for out in aug aug/ex; do keeps "^error: cannot write into $out: .*aug is the directory of a model that this command reads" ./two export $out $flag; done
done
./new export made.ex --params made/last 2>err && ./new export beside --params ckpt/theta.safetensors 2>err || fail "export beside a run: $(cat err)"
# what the user changed or added since is not an export's any more
echo ' ' >>ex/config.json; keeps 'ex/config.json: changed.*--overwrite' ./new export ex
cp first/config.json ex
./new export ex --overwrite 2>err || fail "export --overwrite: $(cat err)"
sed -i '/tokenizer_config/d' ex/SHA256SUMS; keeps 'ex/tokenizer_config.json is there, and is nothing that an export wrote' ./new export ex
./new export full --overwrite 2>err || fail "export --overwrite: $(cat err)"
[ "$(cat full/thesis)" = mine ] && ./new verify-files full >said || fail "--overwrite took the user's files"
cp chars.json full/tokenizer.json; sed 's|chars.json|full/tokenizer.json|' new.calm >from.calm; build from.calm -o from
keeps 'full/tokenizer.json: this command reads it' ./from export full --overwrite
expect 2 'no name' ./new export ''
# what an export wrote that was killed is nobody's
mkdir killed killed/.export.tmp.0123456789abcdef
./new export killed 2>err || fail "export beside what a killed one left: $(cat err)"

# --- a run: what calm did not make in last/ and best/ stays through every save
echo mine >run/last/notes; mkdir run/last/folder; echo mine >run/last/folder/x; echo mine >run/last/theta.json.tmp.mine; ln -s notes run/last/link
./app train --data rows.jsonl --validate rows.jsonl --steps 8 --save-every 1 --eval-every 1 --out run --resume 2>err || fail "train: $(cat err)"
echo mine >run/best/notes
./app train --data rows.jsonl --validate rows.jsonl --steps 12 --save-every 1 --eval-every 1 --out run --resume 2>err || fail "train: $(cat err)"
[ "$(cat run/last/notes run/last/folder/x run/last/theta.json.tmp.mine run/last/link run/best/notes | sort -u)" = mine ] || fail "a save took the user's files: $(ls -R run)"
./app train --data rows.jsonl --steps 2 --out run --overwrite 2>err || fail "train --overwrite: $(cat err)"
[ "$(cat run/last/notes run/last/folder/x run/last/theta.json.tmp.mine run/last/link run/best/notes | sort -u)" = mine ] || fail "--overwrite took the user's files: $(ls -R run)"
mkdir users users/last; echo mine >users/last/notes.txt
for flag in --no-shuffle --overwrite --resume; do keeps 'users' ./app train --data rows.jsonl --steps 2 --out users $flag; done
mv run/last elsewhere; ln -s ../elsewhere run/last
for flag in --overwrite --resume; do keeps 'run/last: expected a directory, found a symbolic link' ./app train --data rows.jsonl --steps 2 --out run $flag; done
[ -z "$(find . -name '*.tmp.*' ! -name '*.mine' ! -path './killed/*')" ] && [ -z "$(ls -A tmp)" ] || fail "left behind: $(find . -name '*.tmp.*')"
echo "outputs go where they may, and say so"
