# shellcheck shell=bash
# Calling danlu and checking what it says; the tests of its command line source this. They set root
# (of the repository), danlu (the program) and work (a folder of their own).
# shellcheck source=tests/support/checks.sh
source "$root/tests/support/checks.sh"

expect() { check "$1" same "$3" "$2"; }     # NAME EXPECTED ACTUAL
expect_has() { check "$1" has "$3" "$2"; }  # NAME WORDS TEXT
# A scenario of two layers on eight GPUs, which is played in a moment.
tiny_scenario() { # [TOPOLOGY]
  cat <<YAML
name: tiny
model: {layers: 2, hidden: 1024, heads: 16, vocab: 32000}
cluster: {topology: ${1:-dgx-a100}, gpus: 8}
parallelism: {tensor: 2}
training: {global_batch: 8, micro_batch: 1, sequence_length: 1024}
YAML
}
call() { # runs danlu; sets out, err, code
  "$danlu" "$@" >"$work/out" 2>"$work/err" </dev/null
  code=$?
  out=$(<"$work/out")
  err=$(<"$work/err")
}
# danlu ends with exit code 2 and these words on stderr, whole.
expect_refused() { # ERR ARGUMENT...
  local message=$1
  shift
  call "$@"
  expect "refused: $*" 2 "$code"
  expect 'in words' "$message" "$err"
}
