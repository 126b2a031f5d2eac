# Has a Vault initialise itself and lays its answer down beside its data. Runs in Vault's container.
# usage: sh -c SCRIPT NAME SCRIPT initialise|collect|remove FOLDER [CLI KIND SHARES THRESHOLD]   public keys on stdin, one a line, then a dot
set -eu
umask 077
self=$1 verb=$2 folder=$3 out=$3/.onyxia-init
shift 3

case $verb in
collect)
  if [ -e "$out" ]; then cat "$out"; fi
  exit 0 ;;
remove)
  rm -f "$out" "$out".*
  sync
  exit 0 ;;
run)
  # Nothing but the machine's end stops this part: it has no terminal, no session and no reader.
  trap '' HUP INT TERM PIPE
  work=$1
  shift
  if "$@" 1<>"$work.answer" 2>"$work.error"; then
    sync
    mv "$work.answer" "$out"
    sync
  else
    : >"$work.failed"
    # Who would take that away may be gone, and the next one through as well.
    kill -0 "${work##*.}" 2>/dev/null || rm -f "$work".*
  fi
  exit 0 ;;
esac

cli=$1 kind=$2 shares=$3 threshold=$4
if [ -e "$out" ]; then exit 0; fi
if [ -d "$folder/core" ] && [ -d "$folder/raft" ]; then
  echo "$folder holds the data of a server with file storage, which raft does not see: move it to raft first (vault operator migrate), or give the volume up by name (vault uninstall --delete-data); no keys were made" >&2
  exit 1
fi
work=$out.$$
rm -f "$work".*
n=0 files=
while IFS= read -r key && [ "$key" != . ]; do
  n=$((n + 1))
  printf %s "$key" >"$work.key$n"
  files=$files${files:+,}$work.key$n
done
case $kind in
recovery) set -- "-recovery-shares=$shares" "-recovery-threshold=$threshold" "-recovery-pgp-keys=$files" ;;
*) set -- "-key-shares=$shares" "-key-threshold=$threshold" "-pgp-keys=$files" ;;
esac
# Vault tells its keys once, so the room for them is taken before it is asked: blanks, which JSON does not mind.
if ! printf "%$((65536 + shares * 4096))s" '' >"$work.answer" || ! sync; then
  rm -f "$work".*
  echo "no room for vault's answer in $folder; nothing was asked: make room on the volume, then run it again" >&2
  exit 1
fi
set -- "$cli" operator init -format=json "$@" "-root-token-pgp-key=$work.key1"
detach=$(command -v setsid || true)
$detach /bin/sh -c "$self" "$0" "$self" run "$folder" "$work" "$@" </dev/null >/dev/null 2>&1 &
wait $! || true
tries=0
while [ ! -e "$out" ] && [ ! -e "$work.failed" ] && [ $tries -lt 60 ]; do
  sleep 1
  tries=$((tries + 1))
done
if [ -e "$out" ]; then
  sync
  rm -f "$work".*
  exit 0
fi
if [ -e "$work.error" ]; then cat "$work.error" >&2; fi
if [ -e "$work.failed" ]; then rm -f "$work".*; fi
exit 1
