#!/usr/bin/env bash
# Collectives on the same platform, played by danlu and by SimGrid's smpirun: `danlu topology
# --format simgrid-xml` writes it, smpirun plays an MPI program on it with SMPI's own costs switched
# off. Usage: smpi_test.sh REPO_ROOT DANLU_BINARY REFERENCE_BINARY
set -euo pipefail
root=$1
danlu=$2
reference=$3
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
# shellcheck source=tests/support/checks.sh
source "$root/tests/support/checks.sh"

for tool in smpicc smpirun; do
  if ! command -v "$tool" >/dev/null; then
    printf 'smpi_test: no %s: it comes with SimGrid (Debian: libsimgrid-dev)\n' "$tool"
    exit 1
  fi
done
smpicc -O1 -o "$work/collectives" "$root/tests/smpi/collectives.c"

# Plain max-min sharing as in danlu's engine: no factors, no cross-traffic, no window; every message
# is a rendezvous that costs its latency and its bytes; the program's own time and MPI's calls cost
# nothing. (With a single number, SimGrid 3.32 crashes on smpi/or and smpi/ois.)
free=0:0:0:0:0
raw=(--cfg=network/model:CM02 --cfg=network/crosstraffic:0 --cfg=network/TCP-gamma:1e18
  --cfg=smpi/bw-factor:1 --cfg=smpi/lat-factor:1 --cfg="smpi/os:$free" --cfg="smpi/or:$free"
  --cfg="smpi/ois:$free" --cfg=smpi/async-small-thresh:0 --cfg=smpi/send-is-detached-thresh:0
  --cfg=smpi/simulate-computation:no --cfg=smpi/wtime:0 --log=root.thresh:critical)
chunks=64

# near A B TOLERANCE: |A - B| <= TOLERANCE x B, and B is a time.
near() {
  awk -v a="$1" -v b="$2" -v tolerance="$3" 'BEGIN {
    difference = a > b ? a - b : b - a
    exit !(b > 0 && difference <= tolerance * b)
  }'
}

seconds() { # nine decimals, or -
  awk -v time="$1" 'BEGIN { if (time == "-") print time; else printf "%.9f\n", time }'
}

# platform TOPOLOGY GPUS: writes platform.xml and hosts.
platform() {
  "$danlu" topology "$1" --gpus "$2" --format simgrid-xml >"$work/platform.xml"
  seq -f 'gpu-%.0f' 0 $(($2 - 1)) >"$work/hosts"
}

# compare TOPOLOGY GPUS OPERATION BYTES
compare() {
  local smpi engine formula steady
  local name="$1, $2 GPUs, $3 of $4 B"
  smpi=- engine=- formula=- steady=-
  smpi=$(smpirun -platform "$work/platform.xml" -hostfile "$work/hosts" "${raw[@]}" \
    "$work/collectives" "$3" "$4" "$chunks" 2>"$work/err") || {
    cat "$work/err"
    smpi=-
  }
  read -r engine formula steady < <("$reference" "$1" "$2" "$3" "$4" "$chunks") || true
  printf '%-10s %3d  %-10s %10d B  smpirun %s  engine %s  closed form %s  steady %s\n' \
    "$@" "$smpi" "$(seconds "$engine")" "$(seconds "$formula")" "$(seconds "$steady")"
  check "$name: smpirun and danlu's engine" near "$smpi" "$engine" 0.001
  if [[ $formula != - ]]; then
    check "$name: smpirun and the closed form" near "$smpi" "$formula" 0.001
    check "$name: danlu's engine and the closed form" near "$engine" "$formula" 1e-6
  fi
  if [[ $steady != - ]]; then
    check "$name: smpirun and the steady flow" near "$smpi" "$steady" 0.001
  fi
}

for gpus in 8 16 32; do
  platform dgx-h100 "$gpus"
  for operation in all-reduce all-to-all broadcast; do
    compare dgx-h100 "$gpus" "$operation" $((1 << 30))
  done
done
platform dgx-h100 8
compare dgx-h100 8 all-reduce $((1 << 20))
platform dgx1-v100 8 # a mesh: routes of several links between GPUs
compare dgx1-v100 8 all-to-all $((1 << 30))

check 'compared something' test "$checks" -ge 25
end_of_checks
