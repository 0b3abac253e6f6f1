#!/usr/bin/env bash
# danlu sweep submit: what each engine is given, word for word, and that its workers come to the
# sweep. The engines are played by a few lines that read what the real ones would.
# Usage: sweep_submit_test.sh REPO_ROOT DANLU_BINARY
set -uo pipefail
root=$1
danlu=$(readlink -f -- "$2")
work=$(readlink -f -- "$(mktemp -d)")
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
# shellcheck source=tests/support/calls.sh
source "$root/tests/support/calls.sh"

tiny_scenario >tiny.yaml
over=(--over training.global_batch=4..32:4)
call sweep tiny.yaml "${over[@]}" -o direct.csv
# A folder whose name a shell would take apart; of 8 points in 4 chunks the first of each is played
# but that of the third.
folder="$work/it's one"
call sweep plan tiny.yaml "${over[@]}" -o "$folder"
for chunk in 2/8 4/8 6/8 8/8; do
  call sweep worker "$folder" --chunk "$chunk"
done
inside="it'\\''s one" # in quotes

call sweep submit "$folder" --engine slurm --chunks 4 --time-limit 50m --point-limit 90s \
  --with=--partition=long --dry-run
expect 'a job array of what is missing' "#!/bin/bash
#SBATCH --partition=long
#SBATCH --job-name=danlu-sweep
#SBATCH --array=1,3
#SBATCH --cpus-per-task=1
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=\"$folder/slurm-%A_%a.out\"
exec $danlu sweep worker '$work/$inside' --chunk \"\$SLURM_ARRAY_TASK_ID\"/4 --time-limit 3000s \
--point-limit 90s" "$out"
check 'nothing is written' test ! -e "$folder/submit-slurm.sh"
call sweep submit "$folder" --engine slurm --dry-run
expect_has 'as many chunks as points' '#SBATCH --array=3,5,7' "$out"
call sweep submit "$folder" --engine slurm --chunks 3 --dry-run
expect_has 'neighbours as a range' '#SBATCH --array=1-3' "$out"
call sweep submit "$folder" --engine parallel --with=--sshlogin="it's,two words" --dry-run
expect_has 'an option of two words as one' "exec parallel '--sshlogin=it'\\''s,two words' " "$out"
call sweep submit "$folder" --engine kubernetes --chunks 4 --image danlu:1 --claim sweeps --dry-run
expect_has 'an indexed job' '"completionMode": "Indexed",
    "completions": 2,' "$out"
expect_has 'of the chunks' \
  "set -- 1 3\\nshift \\\"\$JOB_COMPLETION_INDEX\\\"\\nexec danlu sweep worker" "$out"
expect_has 'where the folder is' "\"mountPath\": \"$work\"" "$out"

# The engines: sbatch runs the elements of the array, parallel its command with each word.
mkdir engines
cat >engines/sbatch <<'EOF'
#!/usr/bin/env bash
IFS=, read -ra ranges < <(sed -n 's/^#SBATCH --array=//p' "$1")
for range in "${ranges[@]}"; do
  for element in $(seq "${range%-*}" "${range#*-}"); do
    SLURM_ARRAY_TASK_ID=$element bash "$1" || exit
    echo "$element" >>elements
  done
done
EOF
cat >engines/parallel <<'EOF'
#!/usr/bin/env bash
command=$1
shift 2
for word; do
  sh -c "${command//"{}"/$word}" || exit
  echo "$word" >>elements
done
EOF
chmod +x engines/*
cp -r "$folder" again
PATH=$work/engines:$PATH
submitted() { # DIR ENGINE ELEMENTS
  call sweep submit "$1" --engine "$2" --chunks 4
  expect "$2" 0 "$code"
  expect "$2: the chunks" "$3" "$(paste -sd' ' elements)"
  call sweep collect "$1" -o collected.csv
  expect "$2: the sweep" "$(<direct.csv)" "$(<collected.csv)"
  rm elements
}
submitted "$folder" slurm '1 3'
submitted again parallel '1 3'
call sweep submit again --engine parallel
expect 'nothing is left' 'Sweep of tiny

  8 points, 8 ran

  danlu sweep collect again' "$out"
check 'and nothing started' test ! -e elements

call sweep plan tiny.yaml "${over[@]}" -o new
printf '#!/bin/sh\nexit 3\n' >engines/sbatch
call sweep submit new --engine slurm
expect 'an engine that fails' 6 "$code"
expect 'is told' 'warning: sbatch has ended with status 3' "$err"
refused() { expect_refused "$1" sweep submit new "${@:2}"; } # ERR OPTION...
refused '--engine: error: kubernetes needs --image and --claim
hint: an image with danlu, and the claim of the volume that the sweep'"'"'s folder lies on' \
  --engine kubernetes
refused '--engine: error: slurm has no --image and no --claim' --engine slurm --image danlu:1
refused '--with: error: kubernetes takes no options
hint: --dry-run prints the job, which may be changed' --engine kubernetes --image danlu:1 \
  --claim sweeps --with=-n
rm engines/sbatch
PATH=$work/engines refused '--engine: error: cannot start sbatch: No such file or directory
hint: --dry-run prints what it would be given' --engine slurm
end_of_checks
