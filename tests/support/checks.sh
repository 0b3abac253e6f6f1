# shellcheck shell=bash
# Counting checks; the shell tests source this and end with end_of_checks.
checks=0
failures=0

# check NAME COMMAND...: counts a failure when the command fails.
check() {
  local name=$1
  shift
  checks=$((checks + 1))
  if ! "$@"; then
    failures=$((failures + 1))
    printf 'FAILED: %s (%s)\n' "$name" "$*"
    explain_failure
  fi
}
# A test may put in its place what shows the output at fault.
explain_failure() { :; }

same() { [[ $1 == "$2" ]]; }
differ() { [[ $1 != "$2" ]]; }
has() { [[ $1 == *"$2"* ]]; }
lacks() { [[ $1 != *"$2"* ]]; }

# Says how it went; fails when a check did.
end_of_checks() {
  printf '%s: %d checks, %d failed\n' "$(basename -- "$0" .sh)" "$checks" "$failures"
  ((failures == 0))
}
