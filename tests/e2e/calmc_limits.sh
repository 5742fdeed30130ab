#!/bin/sh
# calmc where memory, disk, files or patience end: one line that says what it was, exit status 1 (130 after Ctrl-C, a signal where calm has a
# bug), and nothing left in the output's folder or TMPDIR.
. "$(dirname "$0")/lib.sh"
mkdir work tmp bin && cd work
cp -r "$root/tests/parity/fixture/." .
tiny >tiny.calm
export TMPDIR="$dir/tmp"
ls -A | sort >../before
clean() { ls -A | sort | diff ../before - >../left || fail "$1: left behind: $(cat ../left)"; [ -z "$(ls -A ../tmp)" ] || fail "$1: left in TMPDIR: $(ls -A ../tmp)"; }
# line STATUS TEXT COMMAND…: ends so, says one line with TEXT, leaves nothing
line() {
  want=$1 text=$2; shift 2
  { got=0; timeout 300 "$@" 2>&1 || got=$?; echo $got >../status; } | cat >../said        # a file of its own would be under the limit, too
  got=$(cat ../status)
  quiet ../said
  [ $got = "$want" ] || fail "exit status $got, expected $want: $* ($(head -c 500 ../said))"
  [ "$(wc -l <../said)" = 1 ] && grep -q -e "$text" ../said || fail "expected one line with '$text' from: $* ($(head -c 500 ../said))"
  clean "$*"
}
limited() { ulimit -c 0; ulimit "$1" "$2"; shift 2; exec "$@"; }
under() { flag=$1 n=$2 text=$3; shift 3; (limited "$flag" "$n" true) 2>/dev/null || { echo "skipped: no ulimit $flag $n here"; return 0; }; line 1 "$text" sh -c 'ulimit -c 0; ulimit "$0" "$1" && shift && exec "$@"' "$flag" "$n" "$@"; }

# --- memory, from what does not load the libraries to what nearly does; open files; size of a file
for n in 12000 40000 80000 140000 170000 200000; do under -v $n 'memory' "$CALMC" build tiny.calm -o app; done
under -v 12000 'memory' "$CALMC" tokenize base
for n in 5 7; do under -n $n 'open files\|more files open\|Too many open files' "$CALMC" build tiny.calm -o app; done
for n in 0 1 40; do under -f $n 'larger than allowed\|File too large' "$CALMC" build tiny.calm -o app; done
under -f 1 'plan.txt.*File too large' "$CALMC" build tiny.calm --emit=plan -o plan.txt

# --- a small stack is no limit of its own: what compiles, and what is nested too deeply, is the same under any
deep() {                                                     # $1 functions, each of 240 levels, called from one another
  awk -v n="$1" 'BEGIN {
    minus = sprintf("%240s", ""); gsub(/ /, "-", minus)
    for (i = 0; i < n; i++) printf "fn f%d(x) = %s%s\n", i, minus, i < n - 1 ? sprintf("f%d(x)", i + 1) : "x"
    print "op deep(b[N, D], a[M, E]) -> d[N, D] {\n  return b * f0(1)\n}" }'
  sed -e 's/with cross_attention(heads = 3)/with deep()/' -e "s|\"base\"|\"$PWD/base\"|" -e "s|\"aug\"|\"$PWD/aug\"|" spec.calm
}
deep 7 >../deep.calm
deep 60 >../deeper.calm
for s in 256 8192; do
  (limited -s $s "$CALMC" build ../deep.calm --emit=plan -o ../deep.plan) >../said 2>&1 || fail "a stack of $s kB: $(head -c 500 ../said)"
  got=0; (limited -s $s "$CALMC" build ../deeper.calm --emit=plan -o ../deep.plan) >../said 2>&1 || got=$?
  [ $got = 1 ] && grep -q 'deeper.calm:.*nested too deeply' ../said || fail "nested too deeply, a stack of $s kB: exit status $got ($(head -c 500 ../said))"
done

# --- standard output closed, full, or without a reader; a full disk
line 1 'standard output' sh -c '"$0" build tiny.calm --emit=llvm >&-' "$CALMC"
line 1 'standard output' sh -c '"$0" build tiny.calm --emit=plan >&-' "$CALMC"
line 1 'standard output' sh -c '"$0" --help >&-' "$CALMC"
"$CALMC" build tiny.calm -o ../app >&- 2>../said || fail "closed standard output, which nothing goes to: $(cat ../said)"
if [ -c /dev/full ]; then
  for kind in plan llvm obj; do line 1 'standard output.*No space left' sh -c '"$0" build tiny.calm --emit=$1 >/dev/full' "$CALMC" $kind; done
  line 1 '/dev/full.*No space left' "$CALMC" build tiny.calm -o /dev/full
fi
for kind in llvm graph; do
  spec=$(if [ $kind = graph ]; then echo ../deep.calm; else echo tiny.calm; fi)
  { got=0; "$CALMC" build $spec --emit=$kind 2>../said || got=$?; echo $got >../status; } | head -c 1 >/dev/null
  quiet ../said
  [ "$(cat ../status)" = 141 ] && [ ! -s ../said ] || fail "$kind to a reader that goes away: status $(cat ../status) ($(cat ../said))"
done
clean 'a reader that goes away'
mkdir ../disk
if mount -t tmpfs -o size=64k none ../disk 2>/dev/null; then
  line 1 'No space left\|no disk space' "$CALMC" build tiny.calm -o ../disk/app
  line 1 'No space left\|no disk space' "$CALMC" build tiny.calm --emit=asm -o ../disk/app
  umount ../disk && mount -t tmpfs -o size=200k none ../disk
  line 1 'No space left\|no disk space' "$CALMC" build tiny.calm -o ../disk/app
  [ -z "$(ls -A ../disk)" ] || fail "left on a full disk: $(ls -A ../disk)"
  umount ../disk
else
  echo "skipped: a full disk (cannot mount a tmpfs here)"
fi

# --- cc: missing, failing, killed, out of memory
cc_is() { printf '#!/bin/sh\n%s\n' "$1" >../bin/cc; chmod +x ../bin/cc; }
with_cc() { line "$1" "$2" env PATH="$dir/bin:$PATH" "$CALMC" build tiny.calm -o app; }
line 1 'cc' env PATH=/nonexistent "$CALMC" build tiny.calm -o app
cc_is 'echo "crt1.o is not where I was told" >&2; exit 3'; with_cc 1 'cc.*exit status 3: crt1.o is not where I was told'
cc_is 'exit 1'; with_cc 1 'cc.*exit status 1'
cc_is 'kill -KILL $$'; with_cc 1 'cc.*SIGKILL'
cc_is 'kill -SEGV $$'; with_cc 1 'cc.*SIGSEGV'
cc_is 'touch "$TMPDIR/ccX.o" "$TMPDIR/ccX.res"; kill -KILL $$'; with_cc 1 'cc.*SIGKILL'
cc_is '(sleep 1; touch "$TMPDIR/late") & exit 1'; with_cc 1 'cc.*exit status 1'
cc_is 'echo "collect2: fatal error: vfork: Cannot allocate memory" >&2; echo "compilation terminated." >&2; exit 1'; with_cc 1 'cc.*out of memory'
cc_is 'i=0; while [ $i -lt 20000 ]; do echo "a warning that nobody reads" >&2; i=$((i + 1)); done; exec /usr/bin/env -i PATH=/usr/bin:/bin cc "$@"'
PATH="$dir/bin:$PATH" "$CALMC" build tiny.calm -o ../app >../said 2>&1 || fail "a cc that talks much: $(head -c 300 ../said)"

# --- signals, while code is generated and while cc runs
children() {
  if [ -e /proc/$$/task/$$/children ]; then cat /proc/"$1"/task/*/children 2>/dev/null || true
  else awk -v p="$1" '$4 == p { print $1 }' /proc/[0-9]*/stat 2>/dev/null || true; fi
}
# generates PID: it is calmc's process that generates code; it is stopped, so that it does not end before it gets its signal. Any other goes on.
generates() {
  kill -STOP "$1" || return 1
  until no_thread_runs "$1"; do sleep 0.01; done
  [ "$(cat /proc/"$1"/comm)" = calmc ] || { kill -CONT "$1"; return 1; }
}
due() { if [ "$1" = now ]; then generates "$2"; else [ -e ../ready ]; fi; }
# during SIGNAL WHOM WHEN [ARGUMENTS]: starts calmc in the foreground and, once it generates code (now) or cc has begun (ready), sends SIGNAL to it
# (calmc) or to its child; its status in $got. On a busy machine a build may be over by then: tried again.
during() {
  for try in 1 2 3 4 5; do
    rm -f ../pid ../ready ../over app
    ( until [ -e ../over ]; do
        child=$([ -s ../pid ] && children "$(cat ../pid)" || true)
        child=${child%% *}
        if [ -n "$child" ] && due "$3" "$child"; then
          if [ "$2" = calmc ]; then kill -"$1" "$(cat ../pid)"; else kill -"$1" "$child"; fi
          [ "$3" != now ] || kill -CONT "$child"
          break
        fi
        sleep 0.01
      done ) 2>/dev/null & killer=$!
    got=0
    (ulimit -c 0; exec sh -c 'echo $$ >../pid; exec "$0" "$@"' "$CALMC" ${4-build spec.calm -o app}) >../said 2>&1 || got=$?
    quiet ../said
    touch ../over
    wait $killer || true
    [ $got = 0 ] || break
  done
  clean "$1 to $2"
}
ignored=$((0x$(sed -n 's/^SigIgn:[[:space:]]*//p' /proc/self/status)))
cc_is 'echo $$ >../cc; (sleep 60) & touch ../ready; sleep 60'
for s in INT=2 TERM=15 HUP=1; do
  name=${s%=*} n=${s#*=}
  if [ $((ignored >> (n - 1) & 1)) = 1 ]; then echo "skipped: SIG$name is ignored here"; continue; fi
  during $name calmc now
  [ $got = $((128 + n)) ] && [ ! -s ../said ] || fail "SIG$name while code is generated: exit status $got ($(cat ../said))"
  PATH="$dir/bin:$PATH" during $name calmc ready
  [ $got = $((128 + n)) ] && [ ! -s ../said ] || fail "SIG$name while cc runs: exit status $got ($(cat ../said))"
  ! kill -0 "$(cat ../cc)" 2>/dev/null || fail "cc went on after SIG$name"
done
during KILL child now
[ $got = 1 ] && [ "$(wc -l <../said)" = 1 ] && grep -q 'code generation was ended by SIGKILL.*memory' ../said || fail "code generation killed: exit status $got ($(cat ../said))"
during SEGV child now                                                                # a fault of calm's own: told as one
[ $got = 139 ] && grep -q '^calmc: bug: code generation' ../said || fail "a fault in code generation: exit status $got ($(cat ../said))"
during ABRT child now
[ $got = 134 ] && grep -q '^calmc: bug: code generation' ../said || fail "an abort in code generation: exit status $got ($(cat ../said))"
[ $((ignored >> 14 & 1)) = 1 ] || { during TERM calmc now "verify base --ref golden.safetensors"; [ $got = 143 ] || fail "SIGTERM to verify: exit status $got ($(cat ../said))"; }
echo "every end of calmc told in a line, nothing left"
