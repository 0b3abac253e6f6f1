#!/usr/bin/env bash
# Which plan suits which machine, and what does the slower NVLink cost when each has its best? Plays
# sixteen plans of GPT-3 175B on 128 GPUs of each of four machines and prints the step times in
# seconds; `-` is a plan that does not fit in memory. Usage: plans.sh [DANLU_BINARY]
#
# Two layouts, two interleavings, four ways to hide what tensor parallelism sends. Gradients are
# always reduced during the last backward passes. The files *-tuned.yaml here hold the winners.
set -euo pipefail
here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
danlu=${1:-$here/../../danlu}
[[ -e $danlu ]] || danlu=danlu # installed: no checkout around this file

step_time() { # TOPOLOGY TENSOR PIPELINE CHUNKS OVERLAP
  local json
  json=$("$danlu" run "$here/a100.yaml" --json --no-advice --set "cluster.topology=$1" \
    --set "parallelism.tensor=$2" --set "parallelism.pipeline=$3" \
    --set "training.schedule.chunks=$4" --set "parallelism.overlap={$5, data: true}") ||
    { [[ $? == 1 ]] && echo - && return; }
  sed -n '/"step": {/,/}/s/.*"time_s": \([^,]*\).*/\1/p' <<<"$json"
}

# The plans, one a line, with the times of all machines after it.
play() {
  local layout chunks overlap topology
  for layout in '8 8' '4 16'; do
    for chunks in 3 6; do
      for overlap in none backward 'full, chunks: 2' 'full, chunks: 4'; do
        overlap="tensor: $overlap"
        printf 'tensor: %s, chunks: %s' "${layout/ /, pipeline: }" "$chunks"
        printf ', overlap: {%s}' "$overlap"
        for topology in dgx-a100 hgx-a800 dgx-h100 hgx-h800; do
          # shellcheck disable=SC2086
          printf '\t%s' "$(step_time $topology $layout $chunks "$overlap")"
        done
        printf '\n'
      done
    done
  done
}

play | awk -F '\t' '
  function percent(fast, slow) {
    return fast + 0 && slow + 0 ? sprintf("%.1f %%", 100 * (slow / fast - 1)) : "-"
  }
  function seconds(time) { return time + 0 ? sprintf("%.2f", time) : "-" }
  function row(name, a, b, c, d) {
    printf "%-70s %7s %7s %7s %7s %7s %7s\n", name, seconds(a), seconds(b), percent(a, b),
      seconds(c), seconds(d), percent(c, d)
  }
  BEGIN {
    printf "%-70s %7s %7s %7s %7s %7s %7s\n", "", "A100", "A800", "loss", "H100", "H800", "loss"
  }
  {
    row($1, $2, $3, $4, $5)
    for (i = 2; i <= 5; ++i) {
      if ($i + 0 > 0 && (!(i in best) || $i < best[i])) { best[i] = $i; plan[i] = $1 }
    }
  }
  END {
    row("each with its best", best[2], best[3], best[4], best[5])
    split("A100 A800 H100 H800", name, " ")
    for (i = 2; i <= 5; ++i) printf "best on %s: %s\n", name[i - 1], plan[i]
  }'
