#!/bin/sh
# An installed calmc: it links with the libraries of its prefix, and where these or the C compiler are missing it says so in one line, leaving no
# file behind and an earlier program as it was. (That it needs neither build folder nor sources: tests/fresh/installed.)
. "$(dirname "$0")/lib.sh"
cp -r "$root/tests/parity/fixture/." .
only=
build spec.calm -o app
cmake --install "$(dirname "$CALMC")" --prefix "$dir/prefix" >log 2>&1 || fail "cmake --install: $(cat log)"
installed=$dir/prefix/bin/calmc
"$installed" build spec.calm -o installed.app >log 2>&1 || fail "installed calmc: $(cat log)"
cmp app installed.app || fail "calmc makes another program where it is installed"
for l in calm_app calm_rt calm_mmlib jansson pcre2-8 utf8proc; do [ -f prefix/lib/calm/lib$l.a ] || fail "not installed: lib$l.a"; done

# refuses TEXT: building says TEXT in one line, status 1; files stay as they are
refuses() {
  ls -A . tmp >before
  expect 1 "$1" env TMPDIR="$dir/tmp" PATH="$path" "$installed" build spec.calm -o app
  quiet said
  [ "$(wc -l <said)" = 1 ] || fail "more than a line: $(cat said)"
  expect 1 "$1" env TMPDIR="$dir/tmp" PATH="$path" "$installed" verify base --ref golden.safetensors
  ls -A . tmp >after
  cmp before after || fail "left behind: $(diff before after)"
  cmp app installed.app || fail "the program that was there is another"
}
mkdir tmp bin && : >said && : >before && : >after
path=$PATH
mv prefix/lib/calm/libcalm_rt.a hidden.a
refuses "libcalm_rt.a, which calmc needs, is neither in $dir/prefix/bin/ nor in $dir/prefix/bin/../lib/calm/; build calm again, or install"
mv hidden.a prefix/lib/calm/libcalm_rt.a
mv prefix/lib/calm/calm_codegen.so hidden.so
refuses "calm_codegen.so, which calmc needs, is neither in $dir/prefix/bin/ nor in $dir/prefix/bin/../lib/calm/; build calm again, or install"
# one of another build, as where a calmc was copied beside it
echo 'const char calm_codegen_build[] = "another"; void *calm_llvm_emit;' >other.c
cc -shared -fPIC other.c -o prefix/lib/calm/calm_codegen.so
refuses "lib/calm/calm_codegen.so, which calmc needs, is of another build than this calmc; copy both together, build calm again, or install"
rm other.c; mv hidden.so prefix/lib/calm/calm_codegen.so
path=$dir/bin
refuses 'error: there is no C compiler `cc`, which links programs: install one (on Debian: apt-get install gcc libc6-dev)'
# a compiler without the C library's development files
printf '#!/bin/sh\necho "ld: cannot find crt1.o" >&2\nexit 1\n' >bin/cc
chmod +x bin/cc
expect 1 'cc finds no C library to link with: .*libc6-dev' env PATH="$path" "$installed" build spec.calm -o app
cmp app installed.app || fail "the program that was there is another"
echo "an installed calmc links from its prefix"
