# shellcheck shell=bash
# Calling danlu and checking what it says; the tests of its command line source this. They set root
# (of the repository), danlu (the program) and work (a folder of their own).
# shellcheck source=tests/support/checks.sh
source "$root/tests/support/checks.sh"

expect() { check "$1" same "$3" "$2"; }     # NAME EXPECTED ACTUAL
expect_has() { check "$1" has "$3" "$2"; }  # NAME WORDS TEXT
call() { # runs danlu; sets out, err, code
  "$danlu" "$@" >"$work/out" 2>"$work/err" </dev/null
  code=$?
  out=$(<"$work/out")
  err=$(<"$work/err")
}
