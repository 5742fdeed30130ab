#!/bin/sh
# A pipe, a directory or a device where a file is read, and a pipe without a reader where one is written: refused by name, at once, never waited for.
. "$(dirname "$0")/lib.sh"
cp -r "$root/tests/parity/fixture/." .
build spec.calm -o app
made new 32 48 1 4 2 64 1000 >new.calm
build new.calm -o new
./app train --data rows.jsonl --steps 2 --out run 2>err || fail "train: $(cat err)"
mkfifo pipe; mkdir folder; ln -s pipe to_pipe
# refused NAME COMMAND…: exit status 1 in good time, with an error that names NAME and says what it is
refused() {
  name=$1; shift
  expect 1 "$name.*\(it is a pipe\|it is a directory\|it is a device\|Is a directory\|a socket\)" timeout -k 2 120 "$@"
}
# in_place NAME COMMAND…: with NAME as a pipe, and as a directory
in_place() {
  at=$1; shift
  mv "$at" kept; mkfifo "$at"
  refused "$at" "$@"
  rm "$at"; mkdir "$at"
  refused "$at" "$@"
  rmdir "$at"; mv kept "$at"
}

# --- the compiler: the spec, what it uses, a model's files
for none in pipe to_pipe folder /dev/zero; do
  refused "$none" "$CALMC" build $none -o never
  echo "use \"$none\"" >uses.calm
  refused "$none" "$CALMC" build uses.calm -o never
  sed "s|chars.json|$none|" new.calm >odd.calm
  [ $none = folder ] || refused "$none" "$CALMC" build odd.calm -o never        # a directory means the tokenizer.json in it
done
for f in config.json model.safetensors; do in_place base/$f "$CALMC" build spec.calm -o never; done
for f in tokenizer.json generation_config.json tokenizer_config.json; do
  [ ! -e base/$f ] || mv base/$f set_aside
  mkfifo base/$f
  [ $f != tokenizer_config.json ] || [ -e base/tokenizer.json ] || cp chars.json base/tokenizer.json
  refused "base/$f" timeout -k 2 120 sh -c '"$1" build spec.calm -o never && ./never generate --prompt x' sh "$CALMC"
  rm -f base/$f never
  [ ! -e set_aside ] || mv set_aside base/$f
done
rm -f base/tokenizer.json
cp -r "$root/tests/parity/fixture/base/." base
refused pipe "$CALMC" tokenize pipe
mkdir hub hub/models--a--b hub/models--a--b/refs; mkfifo hub/models--a--b/refs/main
echo 'anchor base = "a/b"' >hub.calm
expect 1 'no model a/b in the Hugging Face cache' timeout -k 2 120 env HF_HUB_CACHE="$PWD/hub" "$CALMC" build hub.calm -o never

# --- programs: data, parameters, prompt, what lies in a model's directory and in a checkpoint
for none in pipe to_pipe folder /dev/zero; do
  refused $none ./app eval --data $none --params run/last
  refused $none ./app score --data $none --out x.st
  refused $none ./app train --data $none --steps 2 --out run2
  refused $none ./app train --data rows.jsonl --validate $none --steps 2 --out run2
  refused $none ./new generate --prompt-file $none
  refused $none ./app verify --ref $none
  [ $none = folder ] || refused $none ./app eval --data rows.jsonl --params $none
done
[ ! -e run2 ] || fail "refused data left $(ls run2)"
in_place base/model.safetensors ./app eval --data rows.jsonl
for f in theta.safetensors theta.json; do in_place run/last/$f ./app eval --data rows.jsonl --params run/last; done
in_place run/last/optimizer.safetensors ./app train --data rows.jsonl --steps 4 --out run --resume
in_place chars.json ./new generate --prompt x

# --- the directory of a run: the log and the lock
cp -r run before
for flag in --resume --overwrite; do
  mv run/log.csv kept; mkfifo run/log.csv
  expect 1 'run/log.csv' timeout -k 2 120 ./app train --data rows.jsonl --steps 4 --out run $flag
  rm run/log.csv; mkdir run/log.csv
  expect 1 'run/log.csv' timeout -k 2 120 ./app train --data rows.jsonl --steps 4 --out run $flag
  rmdir run/log.csv; mv kept run/log.csv
done
for at in last/theta.json best/theta.json; do
  [ -e run/$at ] || { mkdir run/best; : >run/best/theta.json; } # what --overwrite would remove
  mv run/$at kept; mkfifo run/$at
  for flag in --resume --overwrite; do
    [ $at$flag = best/theta.json--resume ] ||
      expect 1 "^error: cannot read run/$at: it is a pipe, not a regular file" timeout -k 2 120 ./app train --data rows.jsonl --steps 4 --out run $flag
  done
  rm run/$at; mv kept run/$at
done
rm -r run/best
mkfifo run/.calm.lock
expect 1 'run/.calm.lock' timeout -k 2 120 ./app train --data rows.jsonl --steps 4 --out run --resume
rm run/.calm.lock
diff -r run before >said || fail "a refused training changed the run: $(cat said)"

# --- what is written: a pipe that nobody reads is not waited for, a directory is no file
expect 1 'pipe.*nobody reads' timeout -k 2 120 ./app score --data rows.jsonl --out pipe
expect 1 'pipe.*nobody reads' timeout -k 2 120 ./app eval --data rows.jsonl --out pipe
expect 1 'pipe.*nobody reads' timeout -k 2 120 "$CALMC" build spec.calm --emit=plan -o pipe
expect 1 'pipe.*nobody reads' timeout -k 2 120 "$CALMC" build spec.calm -o pipe
expect 1 'folder.*is a directory' timeout -k 2 120 ./app score --data rows.jsonl --out folder
for kind in plan obj; do expect 1 'folder.*is a directory' timeout -k 2 120 "$CALMC" build spec.calm --emit=$kind -o folder; done
expect 1 'folder.*is a directory' timeout -k 2 120 "$CALMC" build spec.calm -o folder
[ -p pipe ] && [ -z "$(ls -A folder)" ] || fail "something took the place of the pipe, or lies in the folder"
[ -z "$(find . -name '*.tmp.*' -o -name '.calmc.*')" ] || fail "left behind: $(find . -name '*.tmp.*' -o -name '.calmc.*')"

# --- names beside a result that a stranger could foresee, as links: a process of a known number writes, and follows none of them
echo dear >dear
cat >planted <<'END'
for n in out.st run3/last run3/log.csv d.jsonl; do ln -s "$PWD/dear" $n.tmp.$$; done
exec "$@"
END
mkdir run3
sh planted ./app score --data rows.jsonl --out out.st 2>err || fail "score: $(cat err)"
rm -f *.tmp.* run3/*.tmp.*
sh planted ./app train --data rows.jsonl --steps 2 --out run3 2>err || fail "train beside a link: $(cat err)"
[ "$(cat dear)" = dear ] || fail "a link under a temporary name was followed"
[ "$(find . -name '*.tmp.*' | wc -l)" = 4 ] || fail "temporary names: $(find . -name '*.tmp.*')"
echo "what is no file is refused"
