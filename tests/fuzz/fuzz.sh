#!/usr/bin/env bash
# Builds the fuzzers and runs each for DANLU_FUZZ_SECONDS (60), from the shipped files and its
# corpus. A finding stays in build/fuzz/findings: mend it and put the input into the corpus.
# Usage: fuzz.sh REPO_ROOT [TARGET...]; exits 77 where there is no Clang.
set -uo pipefail
cd "$1" || exit 1
shift
seconds=${DANLU_FUZZ_SECONDS:-60}
if ! command -v clang++ >/dev/null; then
  echo 'no clang++: the fuzzers cannot be built'
  exit 77
fi
targets=("$@")
if (($# == 0)); then
  targets=(scenario topology gpu faults nccl_xml training_csv nccl_csv gemm_csv trace_csv overrides)
fi
cmake --preset fuzz >/dev/null &&
  nice -n 19 cmake --build build/fuzz --target "${targets[@]/#/fuzz_}" || exit 1

declare -A seeds=([scenario]=scenarios [topology]=topologies [gpu]=topologies/gpus
  [faults]=topologies/faults)
mkdir -p build/fuzz/findings
failed=0
for target in "${targets[@]}"; do
  found=build/fuzz/corpus/$target # grows from run to run
  mkdir -p "$found"
  from=("$found" "tests/fuzz/corpus/$target" ${seeds[$target]:+"${seeds[$target]}"})
  printf '%s: ' "$target"
  if nice -n 19 "build/fuzz/bin/fuzz_$target" -max_total_time="$seconds" -timeout=20 \
    -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/findings/$target-" \
    "${from[@]}" >"build/fuzz/$target.log" 2>&1; then
    awk '/number_of_executed_units/ { print $2, "inputs, nothing found" }' "build/fuzz/$target.log"
  else
    failed=$((failed + 1))
    printf 'a finding\n'
    grep -E 'ERROR|SUMMARY|runtime error|Test unit written' "build/fuzz/$target.log"
  fi
done
((failed == 0))
