#!/bin/sh
# calmc doctor: what runs here, at which rates, with how many threads and why; status 0 where programs can be made, 1 and what is missing where not.
. "$(dirname "$0")/lib.sh"
mkdir tmp; export TMPDIR="$dir/tmp"
"$CALMC" doctor >said 2>err || fail "doctor: $(cat said err)"
[ ! -s err ] || fail "doctor complains of a machine that builds: $(cat err)"
for line in 'processor  .*family [0-9]* model [0-9]*' 'path       avx[0-9]*: the best' 'precision  \(bf16 for\|f32: \)' 'threads    [1-9][0-9]*: ' 'f32        [0-9.]* Gflop/s' 'reading    [0-9.]* GB/s' \
  'memory     [0-9.]* GB, [0-9.]* free' 'building   a program of nothing is compiled and linked in [0-9.]* s' '           nothing is missing'; do
  grep -q "^$line" said || fail "no line '$line': $(cat said)"
done
if grep -q avx512_bf16 /proc/cpuinfo; then grep -q '^bf16       [0-9.]* Gflop/s' said || fail "no rate of bf16: $(cat said)"
else ! grep -q '^bf16 ' said || fail "a rate of bf16 that this processor has not: $(cat said)"; fi
[ -z "$(ls -A tmp)" ] || fail "left in TMPDIR: $(ls -A tmp)"

# --- what decides otherwise is named, and what cannot be
CALM_ISA=avx2 CALM_THREADS=1 "$CALMC" doctor >said || fail "avx2: $(cat said)"
grep -q '^path       avx2: CALM_ISA says so' said && grep -q '^threads    1: CALM_THREADS' said && grep -q '^f32        [0-9.]* Gflop/s$' said || fail "what was asked for: $(cat said)"
grep -q '^bf16 ' said && fail "avx2 multiplies bf16: $(cat said)"
expect 1 '^error: CALM_ISA=vax: no such instruction-set path' env CALM_ISA=vax "$CALMC" doctor
grep -q 'something is missing' said || fail "it ends as if nothing were: $(cat said)"
expect 1 '^error: CALM_THREADS=many: expected a number' env CALM_THREADS=many "$CALMC" doctor

# --- what is missing to make programs, each by what mends it
mkdir bare; cp "$CALMC" bare/calmc
expect 1 'install it with .cmake --install' ./bare/calmc doctor
grep -q '^threads' said && grep -q 'something is missing' said || fail "the rest is not said: $(cat said)"
for l in libcalm_app.a libcalm_rt.a libcalm_mmlib.a; do ln -s "$(dirname "$CALMC")/$l" bare/$l; done
expect 1 'calm_codegen.so, which calmc needs' ./bare/calmc doctor
echo nothing >bare/calm_codegen.so
expect 1 'cannot load the code generator' ./bare/calmc doctor
expect 1 'no C compiler .cc.*apt-get install gcc' env PATH="$dir/none" "$CALMC" doctor
mkdir bin; printf '#!/bin/sh\necho "ld: cannot find Scrt1.o: No such file" >&2; exit 1\n' >bin/cc; chmod +x bin/cc
expect 1 'apt-get install libc6-dev' env PATH="$dir/bin:$PATH" "$CALMC" doctor
[ -z "$(ls -A tmp)" ] || fail "left in TMPDIR: $(ls -A tmp)"

# --- no arguments of other commands
expect 2 "doctor takes nothing; found 'spec.calm'" "$CALMC" doctor spec.calm
expect 2 'output is an option of build, not of doctor' "$CALMC" doctor -o x
exit 0
