#!/usr/bin/env bash
# A program that embeds danlu says what danlu says, and docs/develop/embedding.md shows that one.
# Usage: embed_test.sh REPOSITORY_ROOT EMBED_BINARY DANLU_BINARY
set -uo pipefail
root=$1
embed=$2
danlu=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$root" || exit 1
# shellcheck source=tests/support/calls.sh
source "$root/tests/support/calls.sh"

# ---- the document: its block of C++ is the program, its console what the program prints
shown() { # LANGUAGE
  awk -v fence="\`\`\`$1" '$0 == "```" { inside = 0 } inside { print } $0 == fence { inside = 1 }' \
    docs/develop/embedding.md
}
expect 'the program is shown as it is' "$(<tests/embed/embed.cpp)" "$(shown cpp)"
# Neither a terminal nor the environment decides what it does.
printed=$(env -i "$embed" topologies 2>"$work/err")
expect 'it prints a line for each batch, once' "$(shown text)" "$printed"
expect 'and nothing else' '' "$(<"$work/err")"

# ---- the same by danlu
cat >"$work/job.yaml" <<'YAML'
name: eight H100
model: llama2-7b
cluster: {topology: dgx-h100, gpus: 8}
parallelism: {zero: 1}
training: {global_batch: 32, micro_batch: 1, sequence_length: 4096, precision: bf16}
YAML
call run --json --no-advice "$work/job.yaml"
time=$(printf '%.6g' "$(grep -m1 '"time_s"' <<<"$out" | grep -o '[0-9][0-9.e-]*')")
expect_has 'danlu has the same step' "\"global_batch\": 32, \"step_s\": $time," "$printed"

# ---- what is wrong is thrown
"$embed" "$work" >"$work/out" 2>"$work/err"
expect 'no presets: bad input' 2 $?
expect 'no result' '' "$(<"$work/out")"
expect_has 'the problem' 'error: ' "$(<"$work/err")"

end_of_checks
