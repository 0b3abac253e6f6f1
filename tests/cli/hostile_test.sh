#!/usr/bin/env bash
# Hostile or unlucky input: exit 0, 1 or 2 with a message that names the place, and nothing of the
# input reaches the terminal unescaped.
# Usage: hostile_test.sh REPO_ROOT DANLU_BINARY
set -uo pipefail
root=$1
danlu=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$root" || exit 1
scenario=scenarios/learn/01-one-gpu.yaml
# shellcheck source=tests/support/calls.sh
source "$root/tests/support/calls.sh"
clean() { # NAME: neither stream holds a control character, C1 or a stray byte
  check "$1" same "$(LC_ALL=C grep -cP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xff' \
    "$work/out" "$work/err" | sed 's/.*://' | paste -sd+)" 0+0
}

# ---- Streams that cannot be written.
"$danlu" check "$work/none.yaml" 2>/dev/full
expect 'a full stderr leaves the exit code' 2 $?
"$danlu" check "$work/none.yaml" 2>&-
expect 'so does a closed one' 2 $?
"$danlu" run "$scenario" >"$work/out" 2>&-
expect 'and a run' 0 $?
for arguments in --help --version 'run --help' 'list models' "run $scenario" \
  "run --json $scenario" "check $scenario" 'topology dgx-h100' \
  'collective --topology dgx-h100 --max 8B'; do
  # shellcheck disable=SC2086
  "$danlu" $arguments >/dev/full 2>"$work/err"
  expect "a full stdout: $arguments" 2 $?
  expect 'and says so' 'stdout: error: cannot be written: No space left on device' "$(<"$work/err")"
  # shellcheck disable=SC2086
  "$danlu" $arguments >&- 2>"$work/err"
  expect 'a closed one' 2 $?
  expect 'and says so' 'stdout: error: cannot be written: Bad file descriptor' "$(<"$work/err")"
done

# ---- What is not printable is shown, not printed.
commands='run, compare, check, show, list, topology, search, sweep, collective, validate, import'
call $'\e[31mred'
expect 'an unknown command' "error: unknown command '\\u001b[31mred'
hint: commands: $commands" "$err"
clean 'is escaped'
call check $'no\e]0;owned\a\xc2\x9b\xe2\x80\xae\xff.yaml'
expect 'a name of a file' "no\\u001b]0;owned\\u0007\\u009b\\u202e\\xff.yaml: error: cannot be \
opened: No such file or directory" "$err"
clean 'is escaped'
call list $'\e[31mx'
expect 'an unknown argument' "WHAT: \\u001b[31mx not in {models,gpus,topologies,networks,schedules,\
collectives,frameworks,faults}
Run with --help for more information." "$err"
clean 'is escaped'
sed '/^name/d' "$scenario" >"$work/"$'esc\e[31m\xff.yaml'
call run -v "$work/"$'esc\e[31m\xff.yaml'
expect 'a file that names itself' 0 "$code"
expect 'is shown' 'esc\u001b[31m\xff' "$(head -1 "$work/out")"
clean 'without its escapes, in the report and in the log'
call check "$work/"$'esc\e[31m\xff.yaml'
expect_has 'check shows it' 'esc\u001b[31m\xff.yaml: ok' "$out"
clean 'without its escapes'
call run --json "$work/"$'esc\e[31m\xff.yaml'
expect 'JSON of a name that is not UTF-8' 0 "$code"
expect_has 'replaces the byte' $'"scenario": "esc\\u001b[31m\xef\xbf\xbd"' "$out"
call run --crosscheck --json "$work/"$'esc\e[31m\xff.yaml'
expect_has 'so does that of --crosscheck' $'"scenario": "esc\\u001b[31m\xef\xbf\xbd"' "$out"
call compare "$work/"$'esc\e[31m\xff.yaml' "$scenario"
clean 'so does a comparison'
cat >"$work/cause.yaml" <<'YAML'
extends: BASE
faults:
  days: 1
  seed: 1
  checkpoint: {interval: 1 h, write: 10 s}
  causes: {"\e[31mRED\e]0;x\a\u202e": {component: gpu, mtbf: 1 h}}
YAML
sed -i "s|BASE|$root/$scenario|" "$work/cause.yaml"
call run "$work/cause.yaml"
expect_has 'a cause is in the report' '\u001b[31mRED\u001b]0;x\u0007\u202e' "$out"
clean 'the name of a cause is escaped'
sed 's|: {component.*|: {component: gpu, banana: 1}}|' "$work/cause.yaml" >"$work/wrong.yaml"
call run "$work/wrong.yaml"
expect 'also where it is in the way' 2 "$code"
clean 'and nothing else'

sed "s|\"[^\"]*\": {component|\"=cmd's\": {component|" \
  "$work/cause.yaml" >"$work/formula.yaml"
call run "$work/formula.yaml" --timeline "$work/days.csv"
expect 'a table for spreadsheets' 0 "$code"
expect 'has no formula' "\"'=cmd's\"" "$(grep -o "[^,]*=cmd's[^,]*" "$work/days.csv" | sort -u)"

# ---- Where the presets are.
DANLU_TOPOLOGIES=$work/nowhere "$danlu" list gpus >"$work/out" 2>"$work/err"
expect 'presets that are not there' 2 $?
expect 'are named' "DANLU_TOPOLOGIES: error: '$work/nowhere' is no folder of presets: it has no \
folder 'gpus'
hint: the folder 'topologies' of danlu's sources" "$(<"$work/err")"
mkdir -p "$work/mine"
cp -r topologies/gpus topologies/lesson.yaml "$work/mine"
expect 'those that are win' lesson \
  "$(DANLU_TOPOLOGIES=$work/mine "$danlu" list topologies | awk 'END { print $1 }')"
# A copy elsewhere does not reach back to the sources that it was built from.
cp "$danlu" "$work/danlu"
"$work/danlu" list gpus >"$work/out" 2>"$work/err"
expect 'a program without presets' 2 $?
expect 'says where it looked' "topologies: error: the folder of presets is not there: looked for \
'topologies' and 'share/danlu/topologies' in $work and every folder above it
hint: say where it is: DANLU_TOPOLOGIES=/path/to/topologies danlu ..." "$(<"$work/err")"
"$work/danlu" list models >"$work/out" 2>&1
expect 'what needs none works' 0 $?
cp -r "$work/mine" "$work/topologies"
expect 'those beside it are found' lesson \
  "$("$work/danlu" list topologies | awk 'END { print $1 }')"
rm -r "$work/topologies"

# ---- The drawing of a topology is that of its file.
call topology dgx1-v100
expect_has 'a topology has its drawing' '0 ====== 3 ------ 7 ====== 4' "$out"
call topology dgx1-v100 --set node.nics.count=2
expect 'under --set it has none' \
  '(no drawing: the one in the file does not show what --set changes)' "$(sed -n 3p <<<"$out")"

# ---- Tables of measurements.
table() { # COLUMN=VALUE...: a run on 8 A100, with these cells
  local -A row=([id]=a [gpu]=A100-80GB [gpus]=8 [layers]=4 [hidden]=1024 [ffn_hidden]=4096
    [gated_mlp]=no [heads]=16 [vocab]=51200 [seq_len]=1024 [tp]=2 [pp]=1 [global_batch_seqs]=16
    [micro_batch]=1 [recompute]=none [dtype]=bf16 [zero_stage_or_sharding]=none [step_time_s]=1
    [attention_kernel]=flash [sequence_parallel]=no)
  local cell names=() values=()
  for cell in "$@"; do row[${cell%%=*}]=${cell#*=}; done
  for cell in "${!row[@]}"; do
    names+=("$cell")
    values+=("${row[$cell]}")
  done
  (IFS=,; printf '%s\n%s\n' "${names[*]}" "${values[*]}") >"$work/t.csv"
  # The column of the first changed cell in its line.
  local at=1 i
  for i in "${!names[@]}"; do
    [[ ${names[i]} != "${1%%=*}" ]] || break
    at=$((at + ${#values[i]} + 1))
  done
  place="$work/t.csv:2:$at"
}
published() { "$danlu" validate --json "$work/t.csv" | grep -o '"simulated": [0-9.]*' | tail -1; }
table gated_mlp=yes
gated=$(published)
table gated_mlp=no
plain=$(published)
check 'a gated MLP takes longer' differ "$gated" "$plain"
for word in true 1 Yes TRUE; do
  table "gated_mlp=$word"
  expect "'$word' is yes" "$gated" "$(published)"
done
for word in false 0 No FALSE; do
  table "gated_mlp=$word"
  expect "'$word' is no" "$plain" "$(published)"
done
refused() { # CELL MESSAGE
  table "$1"
  call validate "$work/t.csv"
  expect "$1 exits 2" 2 "$code"
  expect 'and says where' "$place: error: $2" "$err"
}
refused gated_mlp=banana "'gated_mlp' must be yes, true, 1 or no, false, 0, found 'banana'"
refused sequence_parallel=banana "'sequence_parallel' is not understood: 'banana'
hint: yes, true, 1 or no, false, 0"
known='hint: leave the cell empty where the number is not known'
refused gpus=1.9 "'gpus' must be a whole number from 1 to 1000000, found '1.9'
$known"
refused step_time_s=-1 "'step_time_s' must be a number from 1e-06 to 1000000, found '-1'
$known"
refused step_time_s=1e308 "'step_time_s' must be a number from 1e-06 to 1000000, found '1e308'
$known"
refused attention_kernel=banana "'attention_kernel' is not understood: 'banana'
hint: flash, cudnn, te, sdpa or another fused kernel; unfused, naive, eager"

table gpu=Foo
call validate --json "$work/t.csv"
expect 'a table of which nothing is simulated' 1 "$code"
expect 'says why' "error: $work/t.csv: no row could be simulated: GPU without a preset: Foo (1 of \
1 rows)" "$err"
expect_has 'and has no median' '"median_abs_error": null' "$out"
sed -i 2d "$work/t.csv"
call validate "$work/t.csv"
expect 'nor has one without rows' 1 "$code"
expect 'and says so' "error: $work/t.csv: no row could be simulated: the table has none" "$err"

measured() { # BUSBW SIZE TIME
  printf '%s\n%s,%s,%s,%s\n' gpu,gpus,nodes,collective,busbw_GBps,size_bytes,time_us \
    H100,8,1,all_reduce "$@" >"$work/t.csv"
  call validate "$work/t.csv"
}
measured 1e308 1048576 ''
expect 'a bus bandwidth that cannot be' "$work/t.csv:2:21: error: 'busbw_GBps' must be a number \
from 0 to 1000000, found '1e308'
$known" "$err"
measured 100 1e300 ''
expect 'a size that cannot be' "$work/t.csv:2:25: error: 'size_bytes' must be a whole number from \
0 to 1e+15, found '1e300'
$known" "$err"
measured 100 1024 -1
expect 'a time that cannot be' "$work/t.csv:2:30: error: 'time_us' must be a number from 0.001 to \
1e+12, found '-1'
$known" "$err"
printf 'gpu,op,dtype,m,n,k,tflops\nH100-80GB,gemm,bf16,8192,1.9,8192,1e308\n' >"$work/t.csv"
call validate "$work/t.csv"
expect 'products that cannot be' "$work/t.csv:2:26: error: 'n' must be a whole number from 1 to \
1000000000, found '1.9'
$known
$work/t.csv:2:35: error: 'tflops' must be a number from 1e-06 to 1000000, found '1e308'
$known" "$err"

end_of_checks
