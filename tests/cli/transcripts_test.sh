#!/usr/bin/env bash
# Tries transcripts.sh on made-up documents and a stand-in for danlu: what is right passes, what
# is wrong fails at the right line, UPDATE_DOCS mends it. Usage: transcripts_test.sh REPOSITORY_ROOT
set -euo pipefail

root=$(readlink -f -- "${1:?usage: transcripts_test.sh REPOSITORY_ROOT}")
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
unset UPDATE_DOCS
# shellcheck source=tests/support/checks.sh
source "$root/tests/support/checks.sh"
explain_failure() { sed 's/^/  /' "$work/out"; }

mkdir -p "$work/repo/docs/learn"
cat >"$work/danlu" <<'PROGRAM'
#!/usr/bin/env bash
[[ $PWD == */repo ]] || exit 9
case $1 in
  run)
    printf 'Title\n\nStep\n  step time    1.5 s\n  MFU         50.0 %%   of peak\n'
    printf '\nin %d ms\n' $RANDOM
    ;;
  fail) echo 'error: broken' >&2; exit 1 ;;
esac
PROGRAM
chmod +x "$work/danlu"

# document: the text of the one document, from stdin, with ''' for the fences.
document() { sed "s/'''/\`\`\`/g" >"$work/repo/docs/learn/a.md"; }
try() {
  status=0
  "$@" bash "$root/tests/cli/transcripts.sh" "$work/repo" "$work/danlu" >"$work/out" 2>&1 ||
    status=$?
}
passes() { try env && [[ $status == 0 ]]; }
fails_with() { try env && [[ $status == 1 ]] && grep -qF -e "$1" "$work/out"; }

document <<'MD'
Text.

'''console
$ ./danlu run \
    x.yaml
Title
...
  step time    1.5 s
  MFU         50.0 %   of peak
...
$ ./danlu fail 2>&1
error: broken
'''

'''console ignore
$ ./danlu run
nonsense
'''
'''yaml
$ not a command
'''
MD
check 'what is right passes' passes
check 'counts commands' grep -q '2 commands in 1 documents, 0 failed' "$work/out"

block() { # the lines of stdin after the command
  { printf "'''console\n\$ ./danlu run x.yaml\n"; cat; printf "'''\n"; } | document
}
block <<<$'...\n  step time    1.6 s\n...'
check 'wrong figure: file and line' fails_with 'docs/learn/a.md:4: not printed'
check 'wrong figure: shown' grep -qF 'shown:     step time    1.6 s' "$work/out"
check 'wrong figure: printed' grep -qF 'printed:   step time    1.5 s' "$work/out"
check 'wrong figure: the command' grep -qF 'from line 2: ./danlu run x.yaml' "$work/out"
block <<<$'  step time    1.5 s\n...'
check 'not at the start' fails_with 'docs/learn/a.md:3: something is printed before this'
block <<<$'...\n  step time    1.5 s'
check 'not at the end' fails_with 'a.md:4: more is printed after this'
block <<<$'...\nStep\n  MFU         50.0 %   of peak\n...'
check 'a line left out' fails_with 'a.md:5: something is printed before this'
block <<<$'...\n  MFU         50.0 %   of peak\n...\n  step time    1.5 s\n...'
check 'wrong order' fails_with 'a.md:6: printed earlier'
block <<<$'...\n step time    1.5 s\n...'
check 'wrong indentation' fails_with 'a.md:4: not printed'
block <<<$'...\n  step time    1.5 s   \n...'
check 'trailing blanks do not matter' passes
printf "'''console\n\$ ./danlu fail\n'''\n" | document
check 'no output shown, but failed' fails_with 'a.md:2: exit status 1'
printf "'''console\n\$ rm -r x\n'''\n" | document
check 'runs danlu only' fails_with 'a.md:2: only ./danlu is run'
printf "'''console\noutput\n'''\n" | document
check 'no command' fails_with 'a.md:2: a console block starts with'

block <<'MD'
...
  step time    9.9 s
  MFU          9.9 %   of peak
...
Title
...
no such row   1 s
...
MD
try env UPDATE_DOCS=1
check 'update: what is not found still fails' test "$status" = 1
check 'update: names it' grep -qF 'a.md:9: not printed' "$work/out"
check 'update: step time' grep -qxF '  step time    1.5 s' "$work/repo/docs/learn/a.md"
check 'update: MFU' grep -qxF '  MFU         50.0 %   of peak' "$work/repo/docs/learn/a.md"
check 'update: leaves the rest' grep -qxF 'no such row   1 s' "$work/repo/docs/learn/a.md"
block <<<$'...\n  step time    9.9 s\n...'
try env UPDATE_DOCS=1
check 'update: mended' test "$status" = 0
check 'update: passes afterwards' passes

rm -r "$work/repo/docs"
check 'no documents' fails_with 'no documents'

end_of_checks
