#!/usr/bin/env bash
# Drawings of a step: whole outputs of --gantt, in the terminal and not, what --svg writes, and
# options that contradict each other.
# Usage: drawing_test.sh REPO_ROOT DANLU_BINARY
set -uo pipefail
root=$1
danlu=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$root" || exit 1
# shellcheck source=tests/support/calls.sh
source "$root/tests/support/calls.sh"
lesson=scenarios/learn/06-pipeline-and-bubbles.yaml
small=(--set training.global_batch=4)

call run "$lesson" --gantt --columns 60 "${small[@]}"
expect 'a drawing exits 0' 0 "$code"
expect 'and says nothing else' '' "$err"
drawn='Lesson 6, pipeline: 1f1b, 4 stages, 4 microbatches, step 387.3 ms
                                                                         waits
stage 0  F0-F1-F2F3-.................B0====..B1===...B2====...B3===oo   41.5 %
stage 1  ...F0-F1F2-...........B0===F3-B1====...B2====..B3===oo......   41.5 %
stage 2  ......F0F1--.....B0====F2B1===F3-B2====...B3===oo...........   41.5 %
stage 3  ........F0-B0====F1-B1===F2B2====F3-B3===oo.................   41.6 %
         |--------------|---------------|--------------|-------------
         0 ms           100 ms          200 ms         300 ms
         F forward   B backward   numbers: microbatches   o optimizer
         . waits   a column is 6.455 ms
         what shares a column is shown in turn'
expect 'a drawing is whole' "$drawn" "$out"

call run "$lesson" --gantt --columns 60 "${small[@]}"
first=$out
LC_ALL=C.UTF-8 call run "$lesson" --gantt --columns 60 "${small[@]}"
expect 'what is no terminal gets ASCII in any locale' "$first" "$out"
call run "$lesson" "$lesson" --gantt --columns 60 "${small[@]}"
expect 'two are drawn one after the other' "$first

$first" "$out"

call compare "$lesson" scenarios/learn/02-two-gpus-and-a-wire.yaml --gantt --columns 60
expect 'two on one scale exit 0' 0 "$code"
expect 'and have one' 1 "$(grep -c '0 ms' <<<"$out")"

if command -v script >/dev/null; then
  in_terminal() { # VARIABLES... -- what a terminal of 80 columns gets
    env "$@" script -qc "stty cols 80; '$danlu' run $lesson --gantt ${small[*]}" /dev/null \
      </dev/null | tr -d '\r'
  }
  shown=$(in_terminal LC_ALL=C.UTF-8 NO_COLOR=1 TERM=xterm)
  expect_has 'a terminal of UTF-8 gets blocks' 'F0░' "$shown"
  expect 'no line is wider' 1 "$(( $(LC_ALL=C.UTF-8 wc -L <<<"$shown") <= 80))"
  check 'NO_COLOR holds' lacks "$shown" $'\e['
  shown=$(in_terminal LC_ALL=C NO_COLOR=1 TERM=xterm)
  expect_has 'another one ASCII' 'F0-' "$shown"
  shown=$(in_terminal LC_ALL=C.UTF-8 NO_COLOR= TERM=xterm)
  expect_has 'and colour' $'\e[0;30;48;5;39mF0' "$shown"
fi

call run "$lesson" --svg "$work/step.svg"
expect 'an SVG is written' 0 "$code"
expect_has 'beside the report' 'step time' "$out"
svg=$(<"$work/step.svg")
check 'it begins as one' same "${svg:0:4}" '<svg'
for microbatch in 0 7; do
  expect_has 'microbatches have numbers' ">$microbatch</text>" "$svg"
done
call compare "$lesson" "$lesson" --svg "$work/two.svg"
expect 'one of a comparison as well' 0 "$code"
expect 'with both' 8 "$(grep -c '>stage ' "$work/two.svg")"
sed 's|^name: .*|name: "<A\&B>"|' "$lesson" >"$work/named.yaml"
cp scenarios/learn/01-one-gpu.yaml "$work"
call run "$work/named.yaml" --svg "$work/named.svg"
expect_has 'names are escaped' '&lt;A&amp;B&gt;: 1f1b' "$(<"$work/named.svg")"
if command -v xmllint >/dev/null; then
  for file in step two named; do
    expect 'it is XML' '' "$(xmllint --noout "$work/$file.svg" 2>&1)"
  done
fi

refused() { # NAME WHOLE_MESSAGE ARGUMENTS
  local name=$1 message=$2
  shift 2
  call "$@"
  expect "$name exits 2" 2 "$code"
  expect 'and says why' "$message" "$err"
  expect 'and prints no result' '' "$out"
}
refused 'a drawing as JSON' '--gantt: error: is a drawing in text, not in json
hint: --svg FILE writes it for documents, --trace FILE for programs' run "$lesson" --gantt --json
refused 'columns of no drawing' '--columns: error: has no effect without --gantt' \
  run "$lesson" --columns 80
refused 'ASCII of no drawing' '--ascii: error: has no effect without --gantt' \
  compare "$lesson" "$lesson" --ascii
refused 'a drawing of a cross-check' \
  '--gantt: error: has no effect with --crosscheck, which plays the step several times
hint: leave one of the two out' run "$lesson" --crosscheck --gantt
refused 'a drawing instead of the verdict' '--gantt: error: contradicts --brief
hint: leave one of the two out' run "$lesson" --brief --gantt
for option in --sensitivity --memory --parameters; do
  refused "a brief report with $option" "$option: error: contradicts --brief
hint: leave one of the two out" run "$lesson" --brief "$option"
done
refused 'a drawing instead of what resources are worth' \
  '--sensitivity: error: has no effect with --gantt, which prints no report
hint: leave one of the two out' run "$lesson" --sensitivity --gantt
refused 'the same of two' \
  '--sensitivity: error: has no effect with --gantt, which prints no report
hint: leave one of the two out' compare "$lesson" "$lesson" --sensitivity --gantt
refused 'an SVG over what is read' \
  "--svg: error: '$work/named.yaml' is a file that this run reads
hint: for example $work/out.svg" compare "$work/named.yaml" "$lesson" --svg "$work/named.yaml"
refused 'one file for two' "--svg: error: '$work/x' is the file of --trace too
hint: each needs a file of its own" run "$lesson" --trace "$work/x" --svg "$work/x"

end_of_checks
