#!/usr/bin/env bash
# The command line as its user meets it: exit codes, what goes to stdout and to stderr, options.
# Usage: cli_test.sh REPO_ROOT DANLU_BINARY
set -uo pipefail
root=$1
danlu=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$root" || exit 1
scenario=scenarios/learn/02-two-gpus-and-a-wire.yaml
# shellcheck source=tests/support/calls.sh
source "$root/tests/support/calls.sh"

call --help
expect 'help exits 0' 0 "$code"
help=$out
for command in run compare check list topology collective validate; do
  expect_has 'help names every command' "$command" "$help"
  call "$command" --help
  expect "$command --help exits 0" 0 "$code"
done
call --version
expect 'version exits 0' 0 "$code"
call
expect 'no command is a usage error' 2 "$code"
call run
expect 'no file is a usage error' 2 "$code"
call run --no-such-option "$scenario"
expect 'an unknown option is a usage error' 2 "$code"

call run "$scenario"
expect 'run exits 0' 0 "$code"
expect 'run says nothing on stderr' '' "$err"
expect_has 'run prints the step' 'step time' "$out"
plain=$(sed '/^Simulated/d' <<<"$out")
call run -vvv "$scenario"
expect 'logging does not change stdout' "$plain" "$(sed '/^Simulated/d' <<<"$out")"
expect_has 'logging names tasks' 'trace:' "$err"
call run "$scenario" --simgrid-log
expect 'SimGrid logging does not change stdout' "$plain" "$(sed '/^Simulated/d' <<<"$out")"

call run --json "$scenario"
expect 'json exits 0' 0 "$code"
for name in schema scenario gpus step time_s tokens_per_s tokens_per_s_per_gpu \
  model_tflops_per_gpu hardware_tflops_per_gpu mfu hfu bubble_fraction overlap_ratio \
  mbu flops stages \
  exposed_communication_s breakdown_s \
  useful kernel_inefficiency recomputation exposed_tensor exposed_pipeline exposed_data \
  exposed_expert exposed_context bubble straggler_wait optimizer host communication kind group \
  bytes_per_rank count exposed_s memory capacity_bytes peak_bytes parameters_bytes gradients_bytes \
  optimizer_bytes activations_bytes other_bytes fits run faults simulation wall_s tasks_played \
  flows_played \
  classes fold exact; do
  expect_has 'the JSON has its fixed names' "\"$name\":" "$out"
done

expect_has 'what a plan lacks is null' '"exposed_expert": null' "$out"
expect_has 'so is a campaign' '"faults": null' "$out"
expect_has 'what it has is a number' '"exposed_pipeline": 0.' "$out"

selective=scenarios/gpt3-175b-64-a100-selective.yaml
call run scenarios/gpt3-175b-a100.yaml --set training.recompute=selective
expect_has 'selective recomputation says what it does to attention' \
  'note: selective recomputation repeats unfused attention' "$out"
call run scenarios/gpt3-175b-a100.yaml --set training.recompute=selective \
  --set training.attention=unfused
expect 'and is silent where the scenario says it' '' "$(grep '^note:' <<<"$out")"

call run "$selective" --set parallelism.tensor=3
expect 'a relation that --set breaks exits 2' 2 "$code"
expect_has 'and points there' '--set parallelism.tensor=3: error: tensor (3) x' "$err"
call run "$selective" --set model.layers=95
expect_has 'also where the first key of the relation is in the file' \
  '--set model.layers=95: error: pipeline (8)' "$err"

# What is too large is refused before it is planned, with a way out.
call run "$selective" --set model.layers=1000000 --set training.schedule.chunks=1
expect 'a million layers exit 1' 1 "$code"
expect_has 'and say how large they are' 'tasks and parts of tasks' "$err"
expect_has 'and what to do' 'hint: fewer layers on a stage' "$err"
call run "$selective" --max-tasks 1000
expect 'a limit of tasks is kept' 1 "$code"
expect_has 'and can be raised' '--max-tasks plays more' "$err"
call run "$selective" --trace "$work/trace.json" --max-tasks 20000
expect 'and of slices of a trace' 1 "$code"
expect_has 'with a way out' 'hint: --trace-ranks 0-7' "$err"
call run "$selective" --trace "$work/trace.json" --max-tasks 40000 --trace-ranks 0-7
expect 'a trace of a few ranks is written' 0 "$code"
expect 'with their one class' 1 "$(grep -c process_name "$work/trace.json")"
call run "$selective" --trace "$work/trace.json" --trace-ranks 64
expect 'there is no rank 64' 2 "$code"
expect_has 'of 64' 'the scenario has 0 to 63' "$err"

# A sanitized program cannot start under a limit of memory.
if (ulimit -v 300000 && "$danlu" --version) >/dev/null 2>&1; then
  (ulimit -v 300000 && "$danlu" run scenarios/gpt3-175b-a100.yaml --set fold=off \
    --set cluster.gpus=4096 --set parallelism.data=64 --set training.global_batch=6144 \
    --set training.schedule=gpipe) \
    >"$work/out" 2>"$work/err" </dev/null
  expect 'a case too large for this machine exits 1' 1 $?
  expect_has 'and says what to do' 'hint: fold: exact' "$(<"$work/err")"
  (ulimit -v 300000 && "$danlu" collective --topology h100-superpod --gpus 400000) \
    >"$work/out" 2>"$work/err" </dev/null
  expect 'so does too large a collective' 1 $?
  expect_has 'and says why' 'this machine has not enough memory' "$(<"$work/err")"
fi

printf '%s\n' 'model: gpt3-175b' 'parallelism: {tensor: 8}' \
  'cluster: {topology: h100-dragonfly, gpus: 64, fabric: {groups: 12}}' \
  'training: {global_batch: 64, sequence_length: 2048}' >"$work/dragonfly.yaml"
call check "$work/dragonfly.yaml" --set cluster.topology=dgx-h100
expect_has 'what a variant has no use for is a note' \
  "note: 'cluster.fabric.groups' has no effect: 'cluster.fabric.kind' is rail-optimised" "$out"

call run "$scenario" --set training.global_batch=0
expect 'a bad value exits 2' 2 "$code"
expect 'a bad value prints no result' '' "$out"
expect_has 'a bad value says where' '--set training.global_batch=0: error:' "$err"
call run "$work/none.yaml"
expect 'a missing file exits 2' 2 "$code"
expect_has 'a missing file says why' 'No such file or directory' "$err"
call check "$work/none.yaml" "$scenario"
expect 'check goes on after a bad file and exits 2' 2 "$code"
expect_has 'check says ok of the good one' "$scenario: ok" "$out"
call check --json "$scenario"
expect_has 'check has JSON' '"ok": true' "$out"
call check scenarios/gpt3-175b-64-a100-selective.yaml --set training.recompute=none \
  --set training.micro_batch=4
expect 'check of a plan that does not fit exits 1' 1 "$code"
expect_has 'and says so' 'selective.yaml: does not fit in memory: ' "$out"

call run scenarios/gpt3-175b-64-a100-selective.yaml --set training.recompute=none \
  --set training.micro_batch=4
expect 'a plan that does not fit exits 1' 1 "$code"
expect_has 'it says so' 'does not fit in memory' "$err"
expect_has 'and what would fit' 'hint: ' "$err"
expect_has 'and what a step takes then' ', and a step takes ' "$err"
cat >"$work/tight.yaml" <<'YAML'
model: llama2-70b
cluster: {topology: dgx-h100, gpus: 128}
parallelism: {tensor: 4, pipeline: 1, data: 32, sequence: true}
training: {global_batch: 1024, micro_batch: 2, sequence_length: 8192}
YAML
call run "$work/tight.yaml"
expect_has 'a hint says when it fits tightly' 'GiB, which is tight, and a step takes ' "$err"
expect 'the fastest first' "$(grep '^hint.* takes ' <<<"$err" | sed 's/.*takes //' | sort -n)" \
  "$(grep '^hint.* takes ' <<<"$err" | sed 's/.*takes //')"

# It fits, but not if it needs as much as one in ten published peaks.
call check "$selective" --set cluster.gpu.memory.capacity=76GiB
expect 'what fits within the error is ok' 0 "$code"
expect_has 'and is told' 'it fits within this error only' "$out"
call check "$selective" --set cluster.gpu.memory.capacity=76GiB --json
expect_has 'also to programs' '"fits_within_error_only": true' "$out"
# Long sequences: the whole square of attention is twice what causal kernels compute.
cat >"$work/long.yaml" <<'YAML'
model: {layers: 24, hidden: 2048, heads: 16, vocab: 50257}
cluster: {topology: dgx-a100, gpus: 8}
training: {global_batch: 8, micro_batch: 1, sequence_length: 65536, recompute: full}
YAML
call run "$work/long.yaml" --no-advice
expect_has 'an inefficiency below zero is explained' 'half of which causal kernels skip' "$err$out"
call run "$work/long.yaml" --no-advice --set training.model_flops=causal
expect 'and not where the half is counted' '' "$(grep 'causal kernels skip' <<<"$err$out")"

call run --brief "$selective"
expect 'the verdict exits 0' 0 "$code"
expect 'and is six lines' 6 "$(wc -l <<<"$out")"
verdict=$out
expect_has 'does it fit' 'fits in memory: ' "$out"
expect_has 'what limits the step' 'limited by matrix products' "$out"
# What a change would save was played: with it the step is shorter by that.
change=$(sed -n 's/.*: \(.*\) would save .*/\1/p' <<<"$out")
expect_has 'and what would change that' 'training.attention=flash' "$change"
call run --json "$selective"
saved=$(sed -n 's/.*"step_s": \(.*\),/\1/p' <<<"$out" | head -1)
# shellcheck disable=SC2086
call run --json --no-advice "$selective" $change
expect_has 'as it was played' "\"time_s\": $saved" "$out"
expect_has 'nothing is tried unasked' '"saving": null' "$out"
call run "$selective"
expect 'the report begins with it' "$verdict" "$(head -6 <<<"$out")"

printf '%s\n' "extends: $PWD/$selective" 'name: same' 'parallelism: {overlap: {data: true}}' \
  >"$work/same.yaml"
call compare "$selective" "$work/same.yaml"
expect_has 'compare shows the keys that differ' 'parallelism.overlap.data' "$out"
expect 'and only those' 1 "$(sed -n '/^What differs/,/^$/p' <<<"$out" | grep -c '  parallelism')"

call compare "$scenario" "$scenario" --set parallelism.pipeline=2
expect 'compare exits 0' 0 "$code"
expect_has 'compare has a waterfall' 'difference' "$out"
call compare --json scenarios/learn/*.yaml
expect_has 'compare has JSON' '"schema": "danlu.compare/1"' "$out"
call compare "$scenario"
expect 'compare needs two' 2 "$code"

for what in models gpus topologies networks schedules collectives frameworks faults; do
  call list "$what"
  expect "list $what exits 0" 0 "$code"
  call list "$what" --json
  expect_has "list $what has JSON" "\"$what\":" "$out"
done
call list frameworks
expect_has 'list frameworks says what each does' \
  '  host.launch                           57 us' "$out"
call list networks
expect_has 'list networks has what a topology may name' \
  'infiniband     InfiniBand                     0.96     14 us' "$out"
call run --brief --no-advice "$selective" --set training.framework=megatron-core
expect_has 'a report says which published runs are like it' \
  'published runs like this one (A100, megatron-core, pipeline, ' "$out"
call run --brief --json --no-advice scenarios/learn/01-one-gpu.yaml
expect_has 'and where none can be' '"likeness": "invented hardware"' "$out"
call list nonsense
expect 'an unknown list exits 2' 2 "$code"
for topology in topologies/*.yaml; do
  call topology "$(basename "$topology" .yaml)"
  expect "topology $topology exits 0" 0 "$code"
done
call topology dgx-h100 --json --gpus 64 --route 0 9
expect_has 'topology has JSON' '"node_bisection_bytes_per_s": 3600000000000.0' "$out"
call topology dgx-h200
expect 'an unknown topology exits 2' 2 "$code"
expect_has 'and suggests one' 'did you mean' "$err"
call topology dgx-h100 --route 0 99999
expect 'a route beyond the cluster exits 2' 2 "$code"

call topology dgx-h100 --gpus 16 --format simgrid-xml
expect 'a platform file is written' 0 "$code"
expect_has 'of SimGrid' '<platform version="4.1">' "$out"
expect 'with a host for each GPU' 16 "$(grep -c '<host ' <<<"$out")"
expect 'and a route for each pair' 240 "$(grep -c '<route ' <<<"$out")"
call topology dgx-h100 --gpus 1032 --format simgrid-xml
expect 'a platform file too large is refused' 2 "$code"
expect_has 'with the limit' 'must have at most 1024 GPUs, found 1032' "$err"

call collective --topology dgx-h100 --min 1GiB --max 1GiB
expect 'a collective exits 0' 0 "$code"
expect_has 'with its algorithm and bottleneck' 'nvls                Simple' "$out"
call collective --topology dgx-h100 --min 1GiB --max 1GiB --json
expect_has 'json has the schema' '"schema": "danlu.collective/1"' "$out"
expect_has 'and the bus bandwidth' '"busbw_bytes_per_s"' "$out"
expect_has 'and what there was to choose from' '"nccl_estimate_s"' "$out"
call collective --topology dgx-h100 --min 1GiB --max 1GiB --choices
# NCCL's own: 25 us and 1 GiB / (476 GB/s x 8/14)
expect_has 'the choices have NCCL'"'"'s estimate' '3972.58' "$out"
expect 'and one of them is taken' 1 "$(grep -c '  taken$' <<<"$out")"
# 30/16 x 1 GB / 80 GB/s = 23437.5 us and 30 steps, one in eight between nodes: 11.25 us in the
# mean. Message by message every round waits for its slowest step, 20 us.
for mode in formula=23775.00 steady=23775.00 stepwise=24037.50; do
  call collective --topology lesson --gpus 16 --min 1GB --max 1GB --collectives "${mode%=*}"
  expect "${mode%=*} plays" 0 "$code"
  expect_has "${mode%=*} takes its time" "${mode#*=}" "$out"
done
refused() { # WHOLE_MESSAGE ARGUMENTS
  local message=$1
  shift
  call "$@"
  expect "$* exits 2" 2 "$code"
  expect 'and says why' "$message" "$err"
}
known='ring, tree, halving-doubling, recursive-doubling, binomial, two-level, torus, nvls,'
of_dgx() { refused "$1" collective --topology dgx-h100 "${@:2}"; }
of_dgx "--op: error: unknown value 'al-reduce'
hint: did you mean 'all-reduce'?" --op al-reduce
of_dgx "--min: error: a size needs its unit, found '8'
hint: for example '8 KiB'; units: B, kB, MB, GB, TB, KiB, MiB, GiB, TiB" --min 8
of_dgx "--max: error: expected a size from 1 B to 1000 TB, found 'much'
hint: a number and a unit: B, kB, MB, GB, TB, KiB, MiB, GiB, TiB" --max much
of_dgx '--max: error: 1 GiB is less than --min, 2 GiB' --min 2GiB --max 1GiB
of_dgx "--algorithm: error: unknown value 'sparkle'
hint: known: auto, $known nvls-tree, sharp, nvls-sharp, direct" --algorithm sparkle
of_dgx '--algorithm: error: nvls-tree cannot be used: NVLS with trees needs two nodes or'\
' more, with equally many ranks on each
hint: it makes: all-reduce' --algorithm nvls-tree
of_dgx '--algorithm: error: tree cannot be used: the tree only makes an all-reduce
hint: it makes: all-reduce' --op broadcast --algorithm tree
of_dgx "--protocol: error: unknown value 'LL256'
hint: known: auto, LL, LL128, Simple" --protocol LL256
of_dgx '--collectives: error: sums made in switches cannot be played message by message
hint: steady or formula' --algorithm nvls --collectives stepwise
of_dgx '--protocol: error: direct does not use LL here
hint: LL is used for all-reduce by ring, tree' --algorithm direct --protocol LL
of_dgx '--protocol: error: no algorithm for all-to-all uses LL here
hint: only Simple: LL and LL128 are for rings and trees' --op all-to-all --protocol LL
refused '--protocol: error: no algorithm for all-reduce uses LL here
hint: only Simple: the topology does not follow NCCL (collective.tuning)' \
  collective --topology lesson --gpus 4 --protocol LL
call collective --topology dgx-h100 --set fabric.latncy=3us
expect 'an unknown key of the topology exits 2' 2 "$code"
expect_has 'with a suggestion' 'did you mean' "$err"
call collective --topology h100-superpod --gpus 1024 --min 1GiB --max 1GiB --collectives stepwise
expect 'too many messages exit 1' 1 "$code"
# 8 rings x 1024 ranks x 2 x 1023 steps
expect_has 'and are counted' 'stepwise there are 1.68e+07 messages' "$err"
# Without its engine danlu is not whole, as without its presets.
mkdir "$work/bare"
cp "$danlu" "$work/bare/danlu"
DANLU_TOPOLOGIES=$root/topologies "$work/bare/danlu" run scenarios/learn/01-one-gpu.yaml \
  >"$work/bare/out" 2>"$work/bare/err"
expect 'no engine exits 2' 2 $?
expect_has 'says what is missing' 'libdanlu_engine.so: error: the engine cannot be loaded: ' \
  "$(<"$work/bare/err")"
expect_has 'and where it belongs' 'hint: it stands in ../lib or ../lib/danlu beside' \
  "$(<"$work/bare/err")"
expect 'and prints no result' '' "$(<"$work/bare/out")"
# 300,000 x 1 kB, and 3.5 us each
call collective --topology h100-superpod --gpus 300000 --min 1GiB --max 1GiB --algorithm ring
expect 'a large collective says what it takes' \
  "note: the links of 300000 GPUs are to be laid out, which take about 1.050 s and 286.1 MiB of \
memory
hint: fewer GPUs" "$err"
call collective --topology h100-superpod --gpus 16384 --op all-to-all --min 1GiB --max 1GiB
expect 'too many pairs exit 1' 1 "$code"
expect_has 'and are counted' 'all-to-all by direct over 16384 GPUs has 2.68e+08 streams' "$err"
# NVLink carries seven of eight rings: 7 x 30/16 x 125 MB / 100 GB/s = 16406.25 us, and 337.5.
call collective --topology lesson --gpus 16 --min 1GB --max 1GB --set node.nics.bandwidth=160Gbps
expect_has 'an override of the topology holds' '16743.75' "$out"

for format in text json markdown csv; do
  call run --format "$format" "$scenario"
  expect "--format $format exits 0" 0 "$code"
  expect "--format $format says nothing on stderr" '' "$err"
done
call run --format markdown --brief "$scenario"
expect 'a brief report in Markdown has the verdict alone' '## Verdict' "$(grep '^## ' <<<"$out")"
call run --format html "$scenario"
expect 'an unknown format is a usage error' 2 "$code"
expect_has 'the formats are named' 'csv (a line for each figure' "$err"
call run --format markdown --json "$scenario"
expect '--json and another format exit 2' 2 "$code"
call run --format csv --crosscheck "$scenario"
expect 'a crosscheck has no csv' 2 "$code"

call run --crosscheck scenarios/learn/04-data-parallel-and-overlap.yaml
expect 'a crosscheck exits 0' 0 "$code"
expect_has 'has every rung' 'stepwise' "$out"
call run --crosscheck --json scenarios/learn/04-data-parallel-and-overlap.yaml
expect_has 'json of a crosscheck' '"schema": "danlu.crosscheck/1"' "$out"
expect_has 'a part that a plan lacks is null there' '"exposed_tensor": null' "$out"
lesson4=scenarios/learn/04-data-parallel-and-overlap.yaml
useless="'communication.data.algorithm' can carry out none of the step's collectives:"
useless+=' the binomial tree only makes a broadcast'
works='here can be used: auto, ring, tree, halving-doubling, recursive-doubling, direct'
printf 'extends: %s\ncommunication:\n  data: {algorithm: binomial}\n' "$root/$lesson4" \
  >"$work/binomial.yaml"
for command in run check; do
  refused "$work/binomial.yaml:3:21: error: $useless
    3 |   data: {algorithm: binomial}
      |                     ^
hint: $works" "$command" "$work/binomial.yaml"
  refused "--set communication.data.algorithm=binomial: error: $useless
hint: $works" "$command" "$lesson4" --set communication.data.algorithm=binomial
done
call run "$lesson4" --set communication.data.algorithm=nvls --set collectives=stepwise \
  --set cluster.node.scale_up.reduction_efficiency=0.8
expect_has 'what cannot be played by messages is a note' \
  "note: 'communication.data.algorithm' has no effect: sums made in switches" "$out"
call run scenarios/gpt3-175b-a100.yaml --set collectives=stepwise
expect 'too many messages to play exit 1' 1 "$code"
expect_has 'and say what to do' 'collectives: steady' "$err"
call run scenarios/broken/flapping-nic.yaml --set degraded.flaps.0.for='11 min'
expect 'a link that is down for longer than the time-out exits 1' 1 "$code"
expect_has 'and says what hung, over what' "'reduce gradients' (data group) over NIC 5" "$err"
expect_has 'and where its cost is told' 'hint: the job ends there; the faults section' "$err"
call run scenarios/broken/flapping-nic.yaml --set degraded.flaps.0.for='11 min' \
  --set communication.timeout='12 min'
expect 'a longer time-out lets it go on' 0 "$code"
call run scenarios/gpt3-175b-a100.yaml --set degraded.jitter.spread=0.05 --set cluster.gpus=16384 \
  --set parallelism.data=256 --set training.global_batch=24576
expect 'too many GPUs that jitter exit 1' 1 "$code"
expect_has 'and say what to do' 'hint: degraded.jitter.gpus' "$err"
call run --json scenarios/learn/04-data-parallel-and-overlap.yaml --set degraded.jitter.spread=0.1 \
  --set degraded.draws=3
expect 'draws exit 0' 0 "$code"
expect_has 'and are counted' '"count": 3,' "$out"
expect_has 'with their mean' '"mean_s": ' "$out"
expect_has 'and who jitters' '"jitter": 0.1,' "$out"
draws=$(grep -v wall_s <<<"$out")
call run --json scenarios/learn/04-data-parallel-and-overlap.yaml --set degraded.jitter.spread=0.1 \
  --set degraded.draws=3 --set fold=off
expect 'chance does not depend on the fold' "$(grep -A3 '"steps_s"' <<<"$draws")" \
  "$(grep -A3 '"steps_s"' <<<"$out")"
call run --json "$scenario"
expect_has 'no draws are null' '"draws": null' "$out"
call run --crosscheck "$scenario" "$selective"
expect 'a crosscheck of two files exits 2' 2 "$code"

call validate "$scenario"
expect 'a table that is none exits 2' 2 "$code"
expect_has 'and says what it looks for' 'with a column step_time_s or busbw_GBps or tflops' "$err"
printf 'id,gpu,step_time_s\n1,A100,2\n' >"$work/short.csv"
call validate "$work/short.csv"
expect 'a table that lacks columns exits 2' 2 "$code"
expect_has 'and says which' "lacks the columns gpus, layers" "$err"

head -4 tests/validation/nccl.csv >"$work/few.csv"
call validate "$work/few.csv" --by size
expect 'errors by size' 0 "$code"
expect_has 'have a table of ranges' 'By size' "$out"
expect_has 'with rows' '  0 to 1 MiB                                       3 ' "$out"
expect 'and no other table' 0 "$(grep -c 'By device' <<<"$out")"
call validate tests/validation/korthikanti-2022.csv --by size
expect 'no table of sizes where rows have none' 2 "$code"
expect_has 'and says so' "rows of a table of kind 'training' have no size" "$err"

table=tests/validation/korthikanti-2022.csv
call validate "$table" --rows --worst 0 --by kind precision
expect 'all rows' 0 "$code"
expect 'are seven' 7 "$(grep -c '^  korth-' <<<"$out")"
expect_has 'by kind' 'By kind' "$out"
expect_has 'with what was taken for granted' 'Taken for granted of 6 rows' "$out"
call validate "$table" --format csv
expect_has 'rows as CSV' 'id,source,device,framework,precision,kind,published,simulated,' "$out"
expect 'have a line each' 8 "$(wc -l <<<"$out")"
call validate "$table" --markdown
expect_has 'tables as Markdown' '| row | device | published | simulated | error |' "$out"
call validate "$table" --by size --json
expect 'errors by what rows do not have' 2 "$code"
expect_has 'are refused' "--by: error: rows of a table of kind 'training' have no size" "$err"
expect_has 'with what there is' 'hint: device, source, framework, precision or kind' "$err"

call validate "$table" --plot "$work/plot.svg"
expect 'a drawing' 0 "$code"
expect 'has a dot for each row, and for each source' 9 "$(grep -c '<circle' "$work/plot.svg")"
call validate "$table" --plot "$work/none/plot.svg"
expect 'a drawing that cannot be written' 2 "$code"
expect 'is told before anything is played' '' "$out"
cp "$table" "$work/own.csv"
call validate "$work/own.csv" --plot "$work/own.csv"
expect 'nor may it replace the table' '--plot: error: this would replace the table that is read' \
  "$err"

call validate "$table" --scenario korth-175B-selective
expect 'a row as a scenario' 0 "$code"
printf '%s\n' "$out" >"$work/row.yaml"
call check "$work/row.yaml"
expect 'is one' 0 "$code"
call validate "$table" --scenario korth-175B
expect 'a row that is not there' 2 "$code"
expect 'is asked for again' "--scenario: error: the table has no row 'korth-175B'
hint: did you mean 'korth-175B-full'?" "$err"
call validate tests/validation/nccl.csv --scenario x
expect 'collectives are no scenarios' \
  "--scenario: error: rows of a table of kind 'nccl' are no scenarios" "$err"

# A row that says what another one said is played and counted once.
{ cat "$table"; tail -1 "$table"; } >"$work/twice.csv"
call validate "$work/twice.csv" --json
expect_has 'rows that repeat another one' '"simulated": 8,' "$out"
expect_has 'are named' '"of": "' "$(sed -n '/"repeats"/,/]/p' <<<"$out")"

"$danlu" run "$scenario" >/dev/full 2>"$work/err"
expect 'a full disk is an error' 2 $?
expect 'and says so' 'stdout: error: cannot be written: No space left on device' "$(<"$work/err")"

# Installed outside the checkout it finds the topologies beside it, and not those of its sources.
cmake --install "${danlu%/bin/danlu}" --prefix "$work/prefix" >/dev/null
rm "$work/prefix/share/danlu/topologies/lesson.yaml"
"$work/prefix/bin/danlu" list topologies >"$work/out"
expect 'an installed danlu lists topologies' 0 $?
expect 'those installed' 0 "$(grep -c '^lesson' "$work/out")"
LD_DEBUG=files "$work/prefix/bin/danlu" run \
  "$work/prefix/share/danlu/scenarios/llama3-8b-h100.yaml" >"$work/out" 2>"$work/loaded"
expect 'and runs an installed scenario' 0 $?
expect_has 'with the engine that was installed' \
  "calling init: $work/prefix" "$(grep 'libdanlu_engine' "$work/loaded")"
# Of the SimGrid for which that is known (sim/engine/without_ns3.cmake).
if [[ -d $(dirname "$(find "$work/prefix" -name 'libdanlu_engine.so')")/without_ns3 ]]; then
  expect 'without ns-3, which SimGrid brings' '' \
    "$(grep 'calling init: .*libns3' "$work/loaded" | grep -v "init: $work/prefix/")"
fi
check 'whose schema is there' test -f "$work/prefix/share/danlu/docs/reference/scenario.schema.json"

end_of_checks
