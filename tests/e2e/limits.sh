#!/bin/sh
# What runs out is said: address space, stack, descriptors, file size, disk, threads, who reads. A command ends by itself with status 1 and a line
# that says what it was, leaves nothing half written, and what was there before stays; a second signal ends it at once.
. "$(dirname "$0")/lib.sh"
only=
cp -r "$root/tests/parity/fixture/." .
made new 32 64 2 4 2 1000000 10000 >own.calm     # a text of this context is more than a pipe holds
build spec.calm -o app
build own.calm -o own
for i in 1 2 3; do echo '{"prompt": "abc", "completion": "bca"}'; done >text.jsonl
export CALM_THREADS=2

# under LIMIT COMMAND…: what it says (through a pipe, which no limit of file sizes holds up) in said, what it prints in printed, its status in $got
under() {
  limit=$1; shift
  { got=0; timeout 300 sh -c 'ulimit $0 || exit 99; exec "$@"' "$limit" "$@" 2>&1 >printed <strings || got=$?; echo "status $got"; } | cat >said
  got=$(sed -n '$s/^status //p' said)
}
# sweep TEXT LIMIT…: every command under each limit ends with 0, or with 1 and a line with TEXT; or the loader of programs has no room for libc. Under the
# first all that take part fail, under the last none does.
sweep() {
  text=$1; shift
  n=0 last=$#
  for limit in "$@"; do
    n=$((n + 1)) failed=0
    for command in "train --data text.jsonl --steps 2 --out s.run" "eval --data text.jsonl --out s.dump" "generate --prompt abc --max-tokens 3" \
                   "score --data text.jsonl --out s.st" "export s.dir" info tokenize; do
      rm -rf s.*
      under "$limit" ./own $command
      case $got in
        0) ;;
        1) grep -q "^error: .*\($text\)" said || fail "ulimit $limit, $command: $(cat said)"; failed=$((failed + 1)) ;;
        *) grep -q 'while loading shared libraries' said || fail "ulimit $limit, $command: $(cat said)"; failed=$((failed + 1)) ;;
      esac
      [ -z "$(find . -name '*.tmp.*')" ] || fail "ulimit $limit, $command left $(find . -name '*.tmp.*')"
    done
    [ $n -lt $last ] || [ $failed = 0 ] || fail "ulimit $limit: $failed commands failed"
    [ $n -gt 1 ] || [ $failed -gt 3 ] || fail "ulimit $limit: only $failed commands failed"
  done
}
echo '"abc"' >strings
# the stack is address space too
sweep 'out of memory\|address space are needed\|out of stack .*ulimit -v' "-v 6000" "-v 8000" "-v 16000" "-v 60000" "-v 120000" "-v 300000" "-v 1000000"
# 16 is what the loader of programs may need itself, before anybody can say so
sweep 'out of stack' "-s 32" "-s 48" "-s 200" "-s 400"
sweep 'Too many open files' "-n 3" "-n 4" "-n 5" "-n 12"
sweep 'File too large' "-f 0" "-f 4" "-f 32" "-f 4000"
# training takes memory for its own work alone
expect 0 'step 1' timeout 300 sh -c 'ulimit -v 120000; CALM_ISA=avx2 exec ./app train --data rows.jsonl --steps 1 --out little'
CALM_ISA=avx2 ./app train --data rows.jsonl --steps 1 --out freely 2>err || fail "train: $(cat err)"
cmp -s little/last/theta.safetensors freely/last/theta.safetensors || fail "training in little memory computes something else"
CALM_ISA=avx2 CALM_THREADS=200 ./app train --data rows.jsonl --steps 1 --out many 2>err || fail "train: $(cat err)"
cmp -s many/last/theta.safetensors freely/last/theta.safetensors || fail "200 threads compute something else"

# --- fewer threads than asked for
if setpriv --reuid=54321 --regid=54321 --clear-groups true 2>/dev/null; then
  chmod 755 .
  CALM_THREADS=4 expect 0 'warning: 1 of 4 threads only' setpriv --reuid=54321 --regid=54321 --clear-groups prlimit --nproc=1 ./own eval --data text.jsonl
  [ "$(grep -c threads said)" = 1 ] || fail "not said once: $(cat said)"
else
  echo "limits: NOT TESTED: fewer threads than asked for (this user cannot become another)"
fi

# --- standard output: full, closed, nobody reads it
if [ -c /dev/full ]; then
  for c in info "generate --prompt abc --max-tokens 3" "eval --data text.jsonl" tokenize; do
    got=0; ./own $c <strings >/dev/full 2>said || got=$?
    [ $got = 1 ] && grep -q 'error: .*standard output: No space' said || fail "a full standard output: $got from $c ($(cat said))"
    got=0; ./own $c <strings >&- 2>said || got=$?
    [ $got = 1 ] && grep -q 'error: .*standard output: it is closed' said || fail "a closed standard output: $got from $c ($(cat said))"
  done
  for c in "score --data text.jsonl --out" "eval --data text.jsonl --out"; do expect 1 '/dev/full: No space' ./own $c /dev/full; done
fi
mkfifo pipe
exec 3<>pipe 4>pipe 3>&-                         # 4: nobody reads it
for c in info "generate --prompt abc --max-tokens 3" "eval --data text.jsonl" tokenize; do
  got=0; ./own $c <strings >&4 2>said || got=$?
  [ $got = 141 ] && ! grep -v '^warning\|^own[.]calm: avx' said || fail "nobody reads: $got from $c ($(cat said))"
done
{ got=0; timeout 300 ./own generate --prompt a --ignore-eos --max-tokens 200000 2>said || got=$?; echo $got >status; } | head -c 1 >first
[ "$(cat status)" = 141 ] && [ -s first ] || fail "generate into head: $(cat status), $(cat said)"
{ got=0; yes '"abc"' 2>/dev/null | timeout 300 ./own tokenize 2>said || got=$?; echo $got >status; } | head -1 >first
[ "$(cat status)" = 141 ] && grep -q ids first && [ ! -s said ] || fail "tokenize into head: $(cat status), $(cat said)"

# --- where only standard error is gone, training goes on; no file takes the place of a closed stream
./own train --data text.jsonl --steps 12 --out said.run 2>err || fail "train: $(cat err)"
log() { cut -d, -f1-5 "$1/log.csv"; }
quietly() {
  [ "$(log q.run)" = "$(log said.run)" ] && cmp -s q.run/last/theta.safetensors said.run/last/theta.safetensors || fail "train $1: another run"
  rm -r q.run
}
train="./own train --data text.jsonl --steps 12 --out q.run"
$train 2>&4 || fail "train, nobody reads standard error: $?"; quietly unread
$train 2>&- || fail "train, standard error closed: $?"; quietly closed
$train <&- >&- 2>&- || fail "train, all closed: $?"; quietly "all closed"
[ ! -c /dev/full ] || { $train 2>/dev/full || fail "train, standard error full: $?"; quietly full; }
exec 4>&-

# --- a full disk
disk() {
  mkdir -p disk
  unshare -m sh -euc 'mount -t tmpfs -o size='"$1"' none disk; shift; "$@"' sh "$@" >said 2>&1
}
if disk 64k true; then
  for k in 4 8 16 64 128 200 256 400 512 1024; do
    for c in "train --data text.jsonl --steps 2 --out disk/s.run" "export disk/s.dir" "score --data text.jsonl --out disk/s.st" "eval --data text.jsonl --out disk/s.dump"; do
      disk ${k}k sh -c 'shift; got=0; ./own "$@" || got=$?; find disk -name "*.tmp.*"; exit $got' sh x $c && got=0 || got=$?
      [ $got = 0 ] || { [ $got = 1 ] && grep -q 'error: cannot .*disk/.*No space' said; } || fail "a disk of $k KB, $c: $got ($(cat said))"
      ! grep -q '^disk/' said || fail "a disk of $k KB, $c: left $(cat said)"
    done
  done
  disk 2m sh -euc './own train --data text.jsonl --steps 2 --out disk/r; sum=$(cat disk/r/last/* | sha256sum); tail -c +1 /dev/zero >disk/fill || true
    ! ./own train --data text.jsonl --steps 4 --out disk/r --resume; [ "$sum" = "$(cat disk/r/last/* | sha256sum)" ]; rm disk/fill
    ./own train --data text.jsonl --steps 4 --out disk/r --resume' || fail "a full disk spoilt a checkpoint: $(cat said)"
  grep -q 'error: cannot .*No space' said || fail "a full disk: $(cat said)"
else
  echo "limits: NOT TESTED: a full disk (this user cannot mount one)"
fi

# --- a model file that becomes shorter while it is used
cp -r base cut
./app train --data rows.jsonl --steps 100000000 --save-every 20 --out b.run --model base=cut 2>err & pid=$!
until_that $pid err [ -e b.run/last/theta.json ]
stopped $pid err                                 # the kernel tells of a new time before it tells of a new size
: >cut/model.safetensors
kill -CONT $pid
got=0; wait $pid || got=$?
[ $got = 1 ] && grep -q '^error: .*cut/model.safetensors: it became shorter' err || fail "a file that became shorter: $got ($(cat err))"
step=$(sed -n 's/^ *"step": \([0-9]*\),*$/\1/p' b.run/last/theta.json)
./app train --data rows.jsonl --steps $((step + 1)) --out b.run --resume 2>err || fail "the checkpoint of before: $(cat err)"

# one that is written to while it is used: what comes after is not kept
rm -r cut; cp -r base cut
./app train --data rows.jsonl --steps 100000000 --save-every 20 --out w.run --model base=cut 2>err & pid=$!
until_that $pid err [ -e w.run/last/theta.json ]
stopped $pid err
sleep 0.02                                       # the file's clock ticks
dd if=base/model.safetensors of=cut/model.safetensors bs=4096 conv=notrunc 2>/dev/null
kill -CONT $pid
got=0; wait $pid || got=$?
[ $got = 1 ] && grep -q 'error: cut/model.safetensors: it was written to' err || fail "a file that was written to: $got ($(cat err))"
./app train --data rows.jsonl --steps 100000000 --stop-after 1 --out w.run --resume 2>err || fail "the checkpoint of before: $(cat err)"

# --- the first signal asks, and says so; the second ends at once (both wait while the process is stopped)
./app train --data rows.jsonl --steps 100000000 --save-every 20 --out a.run 2>err & pid=$!
until_that $pid err [ -e a.run/last/theta.json ]
stopped $pid err; kill -INT $pid; kill -TERM $pid; kill -CONT $pid
got=0; wait $pid || got=$?
[ $got = 130 ] || [ $got = 143 ] || fail "two signals: $got ($(cat err))"
grep -q 'again to stop at once' err || fail "the first signal says nothing: $(cat err)"
! grep -q '^stopped' err || fail "the second signal waits for the step: $(cat err)"
step=$(sed -n 's/^ *"step": \([0-9]*\),*$/\1/p' a.run/last/theta.json)
./app train --data rows.jsonl --steps $((step + 1)) --out a.run --resume 2>err || fail "the checkpoint of before: $(cat err)"
./app train --data rows.jsonl --steps 100000000 --save-every 20 --out o.run 2>err & pid=$!
until_that $pid err [ -e o.run/last/theta.json ]
kill -TERM $pid
got=0; wait $pid || got=$?
[ $got = 143 ] && grep -q 'again to stop at once' err && grep -q '^stopped after step' err || fail "one signal: $got ($(cat err))"
# a terminal that is closed, which may be told twice; nohup
for trap in - ''; do
  ( trap "$trap" HUP; exec ./app train --data rows.jsonl --steps 100000000 --save-every 20 --out "h$trap.run" ) 2>err & pid=$!
  until_that $pid err [ -e "h$trap.run/last/theta.json" ]
  kill -HUP $pid; kill -HUP $pid
  [ -n "$trap" ] || kill -TERM $pid
  got=0; wait $pid || got=$?
  grep -q '^stopped after step' err && [ $got = $([ -n "$trap" ] && echo 129 || echo 143) ] || fail "SIGHUP, trap '$trap': $got ($(cat err))"
done
if unshare --pid --fork true 2>/dev/null; then   # in a container of its own, where no default action ends it
  mkfifo silent; exec 3<>silent
  unshare --pid --fork ./own tokenize <silent >printed 2>err & pid=$!
  child=
  catches() {                                    # the program is there, and takes SIGTERM (the kernel gives it no other)
    child=$(cat /proc/$pid/task/$pid/children) && child=${child% } && [ "$(cat /proc/$child/comm 2>/dev/null)" = own ] &&
      caught=0x$(sed -n 's/^SigCgt:[[:space:]]*//p' /proc/$child/status) && [ $((caught >> 14 & 1)) = 1 ]
  }
  gone() { ! kill -0 $child 2>/dev/null; }
  until_that $pid err catches
  kill -TERM $child
  until_that $pid err gone                       # the first process of a container ends at a signal
  wait $pid || true
  exec 3>&-
else
  echo "limits: NOT TESTED: the first process of a container (this user cannot make one)"
fi
mkfifo words
./own generate --prompt a --ignore-eos --max-tokens 200000 >words 2>err & pid=$!
head -c 20 <words >first; kill -INT $pid 2>/dev/null || true
got=0; wait $pid || got=$?
[ $got = 130 ] || [ $got = 141 ] || fail "generate, a signal: $got ($(cat err))"
echo "what runs out is said"
