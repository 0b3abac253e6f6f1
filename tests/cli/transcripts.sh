#!/usr/bin/env bash
# Runs the commands that the documents show and compares what they print with what is shown.
# Usage: transcripts.sh REPOSITORY_ROOT DANLU_BINARY
#
#   ```console
#   $ ./danlu run scenarios/learn/01-one-gpu.yaml
#   ...
#     step time                   1.026 s
#   ...
#   ```
#
# A line `...` stands for any number of lines; all else must be printed, in this order, with
# nothing between. A block may hold several commands; `\` at a line's end goes on in the next. Only
# stdout is compared: write 2>&1 where stderr is shown. Blocks marked ```console ignore``` are left
# out. A command that is shown several times is run once.
#
# UPDATE_DOCS=1 writes what is printed now over the shown lines that are found by their label (the
# text before the first two blanks) or by their words; what is still wrong then is told as ever.
set -euo pipefail
export LC_ALL=C NO_COLOR=1

root=$(readlink -f -- "${1:?usage: transcripts.sh REPOSITORY_ROOT DANLU_BINARY}")
binary=$(readlink -f -- "${2:?usage: transcripts.sh REPOSITORY_ROOT DANLU_BINARY}")
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd -- "$root"

# One file per command: its text in N.command, the shown lines as NUMBER<tab>TEXT in N.shown; the
# list holds N<tab>FILE<tab>LINE.
cat >"$work/extract.awk" <<'AWK'
FNR == 1 { inside = 0 }
/^ *```/ {
  if (inside) { inside = 0; next }
  info = $0
  sub(/^ *```/, "", info)
  gsub(/`/, "", info)
  inside = info ~ /^console *$/ ? 2 : 1
  count = 0
  continued = 0
  next
}
inside != 2 { next }
continued || /^\$ / {
  text = $0
  if (!continued) {
    sub(/^\$ /, "", text)
    ++number
    printf "%d\t%s\t%d\n", number, FILENAME, FNR
    printf "" >(work "/" number ".shown")
  }
  continued = text ~ /\\$/
  printf "%s\n", text >(work "/" number ".command")
  ++count
  next
}
count == 0 {
  printf "%s:%d: a console block starts with a line `$ ./danlu ...`\n", FILENAME, FNR >"/dev/stderr"
  inside = 1
  next
}
{ printf "%d\t%s\n", FNR, $0 >(work "/" number ".shown") }
AWK

# Compares N.shown with the output and prints findings; with update=1 it writes the lines to
# change to `edits`.
cat >"$work/compare.awk" <<'AWK'
function label(line) {
  if (match(line, /[^ ]  /)) return substr(line, 1, RSTART)
  return line
}
function words(line) { # with every number alike
  gsub(/[0-9]+/, "#", line)
  gsub(/ +/, " ", line)
  return line
}
function common(a, b, i) {
  gsub(/ +/, " ", a)
  gsub(/ +/, " ", b)
  for (i = 1; i <= length(a) && substr(a, i, 1) == substr(b, i, 1); ++i) continue
  return i - 1
}
function nearest(line, i, best, score, found) {
  found = ""
  best = 2
  for (i = 1; i <= actual; ++i) {
    score = common(line, printed[i])
    if (score > best) { best = score; found = printed[i] }
  }
  return found
}
function fits_at(first, last, at, i) {
  for (i = first; i <= last; ++i) {
    if (at + i - first > actual || shown[i] != printed[at + i - first]) return 0
  }
  return 1
}
function say(i, what, instead) {
  ++findings
  printf "%s:%d: %s\n  shown:   %s\n", file, at_line[i], what, shown[i]
  if (instead != "") printf "  printed: %s\n", instead
}
function found_after(line, at, j) {
  for (j = at + 1; j <= actual; ++j) if (printed[j] == line) return j
  return 0
}
# Shown lines that are not printed one after the other.
function explain(first, last, fixed, i, j, before, near) {
  before = findings
  for (i = first; i <= last; ++i) {
    j = found_after(shown[i], position)
    if (j == 0) {
      near = nearest(shown[i])
      if (found_after(shown[i], 0)) say(i, "printed earlier", "")
      else say(i, "not printed", near == "" ? "(nothing like it)" : near)
      fixed = 0
    } else {
      if (fixed && j > position + 1) {
        say(i, "something is printed before this", printed[position + 1])
      }
      position = j
      fixed = 1
    }
  }
  if (findings == before) say(last, "not printed here; `...` is missing, or the order differs", "")
}
# The lines first to last, right after `position` where `fixed`, up to the end where `ending`.
function match_group(first, last, fixed, ending, at) {
  if (first > last) return
  at = ending && !fixed ? actual - (last - first) : position + 1
  if (at <= position) at = position + 1
  for (; at <= (fixed ? position + 1 : actual); ++at) {
    if (fits_at(first, last, at)) {
      position = at + last - first
      if (ending && position < actual) {
        say(last, "more is printed after this; end with `...`", printed[position + 1])
      }
      return
    }
  }
  explain(first, last, fixed)
  if (ending && position > 0 && position < actual && printed[position] == shown[last]) {
    say(last, "more is printed after this; end with `...`", printed[position + 1])
  }
}
function alike(a, b, how) {
  if (how == 1) return a == b
  if (how == 2) return label(a) != "" && label(a) == label(b)
  return words(a) == words(b)
}
function update_lines(i, j, how) {
  position = 0
  for (i = 1; i <= count; ++i) {
    if (shown[i] == "...") continue
    for (how = 1; how <= 3; ++how) {
      for (j = position + 1; j <= actual && !alike(shown[i], printed[j], how); ++j) continue
      if (j <= actual) break
    }
    if (j > actual) continue
    if (shown[i] != printed[j]) {
      printf "%d\t%s\n", at_line[i], printed[j] >>edits
      shown[i] = printed[j]
    }
    position = j
  }
}
FILENAME == ARGV[1] {
  tab = index($0, "\t")
  at_line[++count] = substr($0, 1, tab - 1)
  text = substr($0, tab + 1)
  sub(/[ \r]+$/, "", text)
  if (text ~ /^ *\.\.\.$/) text = "..."
  shown[count] = text
  next
}
{
  text = $0
  sub(/[ \r]+$/, "", text)
  printed[++actual] = text
}
END {
  actual += 0
  if (update) update_lines()
  position = 0
  first = 1
  fixed = 1
  for (i = 1; i <= count; ++i) {
    if (shown[i] != "...") continue
    match_group(first, i - 1, fixed, 0)
    first = i + 1
    fixed = 0
  }
  if (count > 0) match_group(first, count, fixed, 1)
  exit findings > 0
}
AWK

mapfile -d '' -t documents < <(
  find docs README.md -name '*.md' -type f -print0 2>/dev/null | sort -z)
if [[ ${#documents[@]} == 0 ]]; then
  printf 'transcripts: no documents below %s\n' "$root"
  exit 1
fi
awk -v work="$work" -f "$work/extract.awk" "${documents[@]}" >"$work/list" 2>"$work/malformed"
commands=0
declare -A ran # the number of each command's first run, whose output stands in NUMBER.out, .err
declare -A statuses
failures=$(grep -c '' "$work/malformed" || true)
cat "$work/malformed"

while IFS=$'\t' read -r number file line; do
  commands=$((commands + 1))
  command=$(<"$work/$number.command")
  if [[ $command != './danlu '* ]]; then
    # shellcheck disable=SC2016
    printf '%s:%d: only ./danlu is run; mark the block ```console ignore```\n' "$file" "$line"
    failures=$((failures + 1))
    continue
  fi
  if [[ -z ${ran[$command]:-} ]]; then
    ran[$command]=$number
    statuses[$number]=0
    printf -v quoted '%q' "$binary"
    bash -c "${command//.\/danlu/$quoted}" </dev/null \
      >"$work/$number.out" 2>"$work/$number.err" || statuses[$number]=$?
  fi
  output=$work/${ran[$command]}
  status=${statuses[${ran[$command]}]}
  edits=$work/edits.${file//\//%}
  if ! awk -v file="$file" -v update="${UPDATE_DOCS:-}" -v edits="$edits" \
    -f "$work/compare.awk" "$work/$number.shown" "$output.out" >"$work/findings"; then
    failures=$((failures + 1))
    cat "$work/findings"
    printf '  from line %d: %s (exit status %d)\n' "$line" "$command" "$status"
    sed 's/^/  stderr: /' "$output.err"
  elif [[ ! -s $work/$number.shown && $status != 0 ]]; then
    failures=$((failures + 1))
    printf '%s:%d: exit status %d: %s\n' "$file" "$line" "$status" "$command"
    sed 's/^/  stderr: /' "$output.err"
  fi
done <"$work/list"

for edits in "$work"/edits.*; do
  [[ -f $edits ]] || continue
  file=${edits#"$work/edits."}
  file=${file//%//}
  awk 'NR == FNR { tab = index($0, "\t"); text[substr($0, 1, tab - 1)] = substr($0, tab + 1); next }
       FNR in text { print text[FNR]; next }
       { print }' "$edits" "$file" >"$work/new"
  cat "$work/new" >"$file"
  printf '%s: %d lines brought up to date\n' "$file" "$(grep -c '' "$edits")"
done

printf 'transcripts: %d commands in %d documents, %d failed\n' \
  "$commands" "${#documents[@]}" "$failures"
[[ $failures == 0 ]]
