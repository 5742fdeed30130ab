#!/bin/sh
# scripts/fresh and tests/fresh where no fresh machine can be made: they say so and why, status 77, and leave nothing; never a silent success.
# (The machine itself: tests/run --fresh-quick.)
. "$(dirname "$0")/lib.sh"
mkdir bin tmp
stub() { printf '#!/bin/sh\n%s\n' "$2" >"bin/$1"; chmod +x "bin/$1"; }
try() {
  expect 77 "no fresh machine can be made here: .*$1" env PATH="$dir/bin:$PATH" TMPDIR="$dir/tmp" sh "$root/scripts/fresh" true
  expect 77 "NOT TRIED: the README on a fresh machine" env PATH="$dir/bin:$PATH" TMPDIR="$dir/tmp" sh "$root/tests/fresh/run" --quick
  [ -z "$(ls -A tmp)" ] || fail "left behind: $(ls tmp)"
}
stub id 'echo 1000'
try 'takes root'
stub id 'echo 0'
stub unshare 'echo "unshare: unshare failed: Operation not permitted" >&2; exit 1'
try 'no namespace .*Operation not permitted'
stub unshare 'while [ "$1" != sh ] && [ "$1" != mmdebstrap ]; do shift; done; [ "$1" = sh ] || exec "$@"'
stub git 'exit 1'
stub mmdebstrap 'echo "E: no route to the mirror" >&2; exit 1'
try 'mmdebstrap could not make'
expect 77 'E: no route to the mirror' env PATH="$dir/bin:$PATH" TMPDIR="$dir/tmp" sh "$root/scripts/fresh" true
expect 2 'COMMAND' sh "$root/scripts/fresh"
expect 2 'COMMAND' sh "$root/scripts/fresh" --cash there true
expect 2 'only for a machine that scripts/fresh made' sh "$root/tests/fresh/installed"
echo "no fresh machine, no silence"
