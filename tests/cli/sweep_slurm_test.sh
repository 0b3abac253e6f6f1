#!/usr/bin/env bash
# danlu sweep submit on a real Slurm: three emulated nodes on this machine, of which one goes down
# amid its work and one loses its worker. What Slurm itself starts again and what is submitted
# again come to the bytes of a sweep that nobody disturbed. Takes some minutes, most of which
# Slurm waits before it starts an element of a lost node again.
# Needs slurmctld, slurmd, slurm-client and munge; exits 77 where they are not installed.
# Usage: sweep_slurm_test.sh REPO_ROOT DANLU_BINARY
set -uo pipefail
root=$1
danlu=$(readlink -f -- "$2")
PATH=$PATH:/usr/sbin:/sbin
for program in munged slurmctld slurmd sbatch squeue sinfo; do
  if ! command -v "$program" >/dev/null; then
    echo "skipped: there is no $program (Debian: slurmctld slurmd slurm-client munge)"
    exit 77
  fi
done
work=$(readlink -f -- "$(mktemp -d)")
cd "$work" || exit 1
# shellcheck source=tests/support/calls.sh
source "$root/tests/support/calls.sh"

# ---- The cluster: daemons of this test's own, in the foreground, so that their ids are known.
user=$(id -un)
port=$((20000 + RANDOM % 20000))
mkdir state
cat >slurm.conf <<CONF
ClusterName=danlu
SlurmctldHost=localhost
SlurmUser=$user
SlurmdUser=$user
AuthInfo=socket=$work/munge.socket
SlurmctldPort=$port
StateSaveLocation=$work/state
SlurmctldPidFile=$work/slurmctld.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdPidFile=$work/slurmd-%n.pid
SlurmdLogFile=$work/slurmd-%n.log
SlurmdSpoolDir=$work/spool-%n
SlurmdParameters=config_overrides
SlurmdTimeout=10
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
MpiDefault=none
NodeName=n[1-3] NodeHostname=localhost NodeAddr=127.0.0.1 Port=[$((port + 1))-$((port + 3))] CPUs=1
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$work/slurm.conf
dd if=/dev/urandom of=munge.key bs=128 count=1 2>/dev/null
chmod 400 munge.key

daemons=()
start_daemon() { # COMMAND...: in the background; `started` is its id
  "$@" >>daemons.log 2>&1 &
  started=$!
  daemons+=("$started")
}
# The processes of jobs on a node, the newest first; of all nodes without a name.
jobs_of() { # [NODE]
  local environment id
  for environment in /proc/[0-9]*/environ; do
    id=${environment//[!0-9]/}
    if grep -qzx "SLURM_SUBMIT_DIR=$work" "$environment" 2>/dev/null &&
      grep -qz "^SLURMD_NODENAME=${1:-n}" "$environment" 2>/dev/null; then
      echo "$id"
    fi
  done | sort -rn
}
end_all() {
  local id
  for id in "${daemons[@]}" $(jobs_of); do
    kill -KILL "$id" 2>/dev/null
  done
  wait 2>/dev/null
  rm -rf "$work"
}
trap end_all EXIT
# Waits until a command succeeds; says what it waited for where it does not.
await() { # WHAT SECONDS COMMAND...
  local what=$1 until=$((SECONDS + $2))
  shift 2
  until "$@"; do
    if ((SECONDS > until)); then
      echo "FAILED: waited in vain until $what"
      sinfo -N -l
      squeue
      tail -n 20 slurmctld.log daemons.log
      exit 1
    fi
    sleep 0.2
  done
}

start_daemon munged --foreground --force --socket="$work/munge.socket" --num-threads=2 \
  --key-file="$work/munge.key" --pid-file="$work/munge.pid" --seed-file="$work/munge.seed" \
  --log-file="$work/munge.log"
await 'munge answers' 20 test -S munge.socket
start_daemon slurmctld -D -i -f slurm.conf
declare -A slurmd
for node in n1 n2 n3; do
  mkdir "spool-$node"
  start_daemon slurmd -D -N "$node" -f slurm.conf
  slurmd[$node]=$started
done
idle_nodes() { [[ $(sinfo -h -N -t idle -o %N 2>/dev/null | wc -l) == 3 ]]; }
await 'three nodes are idle' 60 idle_nodes

# ---- A sweep of points that take about a second each, five to a chunk. gpipe has no rounds that
# could be counted.
cat >tiny.yaml <<'YAML'
name: tiny
model: {layers: 4, hidden: 1024, heads: 16, vocab: 32000}
cluster: {topology: dgx-a100, gpus: 8}
parallelism: {tensor: 2, pipeline: 2}
training: {global_batch: 8, micro_batch: 1, sequence_length: 1024, schedule: {kind: gpipe}}
YAML
over=(--over training.global_batch=4000..5450:50)
call sweep tiny.yaml "${over[@]}" -o direct.csv --jobs 2
expect 'at once' 0 "$code"
call sweep plan tiny.yaml "${over[@]}" -o sweep
submit() {
  call sweep submit sweep --engine slurm --chunks 6
  expect "submitted: $1" 0 "$code"
}
worker_on() { # NODE: the id of danlu there; fails where it has not begun to play
  local id
  for id in $(jobs_of "$1"); do
    if [[ $(readlink "/proc/$id/exe") == "$danlu" ]] && pgrep -P "$id" >/dev/null; then
      worker=$id # the oldest of them, which has started the others
    fi
  done
  [[ ${worker:-} ]]
}
queue_is_empty() {
  local queue
  queue=$(squeue -h) && [[ -z $queue ]]
}
results() { cat sweep/results/*.jsonl 2>/dev/null | wc -l; }

submit 'a job array'
worker=''
await 'n2 plays' 60 worker_on n2
kill -STOP "$worker" # so that it is not through before the node is gone
kill -KILL "${slurmd[n2]}"
wait "${slurmd[n2]}" 2>/dev/null # the shell tells of it otherwise
for id in $(ps -o ppid= -p "$worker") $(jobs_of n2); do
  kill -KILL "$id" 2>/dev/null # who keeps the worker, it, and what it started
done
lost_at=$SECONDS
worker=''
await 'n1 plays' 60 worker_on n1
kill -KILL "$worker"
lost_at=$SECONDS
node_is_down() { [[ $(sinfo -h -n n2 -o %t 2>/dev/null) == down* ]]; }
await 'Slurm sees that n2 is lost' 120 node_is_down
echo "n2 was seen to be lost after $((SECONDS - lost_at)) s"
await 'the queue is empty' 600 queue_is_empty
echo "the queue was empty after $((SECONDS - lost_at)) s"
check 'Slurm has started the element of the lost node again' \
  grep -q -i 'requeue' slurmctld.log
call sweep status sweep
expect 'points of the killed worker are missing' 6 "$code"
missing_before=$(results)
submit 'what is missing'
await 'that is played' 300 queue_is_empty
check 'something was played' test "$(results)" -gt "$missing_before"
call sweep collect sweep -o collected.csv
expect 'all is there' 0 "$code"
expect 'the same bytes' "$(<direct.csv)" "$(<collected.csv)"
expect 'the first is played once while it is planned, no point twice' \
  "$(($(wc -l <direct.csv) - 2))" "$(results)"
end_of_checks
