#!/usr/bin/env bash
# Makes the pictures of the documentation: what commands write, and the dashboard, as SVG.
#
#   docs/pictures.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=$(mktemp -d)
trap 'kill "$server" 2>/dev/null; wait; rm -rf "$work"' EXIT
export XDG_CONFIG_HOME=$work
go build -C cmd/crisp -o "$work/crisp" .

"$work/crisp" serve -q --addr 127.0.0.1:0 --scenario busy-hour --seed 7 \
  --write-env "$work/env" --ready-file "$work/ready" >/dev/null &
server=$!
until [[ -s $work/ready ]]; do :; done

events=(-e message:send -e message:received -e session:set_state)
{
  echo '$ crisp serve --scenario busy-hour --write-env .env &'
  echo "$ crisp listen --env-file .env ${events[*]}"
  "$work/crisp" listen --env-file "$work/env" "${events[@]}" --count 12 --for 20s 2>&1
} | grep -v -e 'lost the connection' -e 'Ctrl-C' | sed -E 's/^([0-9:]{8})\.[0-9]{3}/\1/; s/[0-9a-f]{8}-[0-9a-f-]{27}/…/' |
  go run ./internal/lab/screen >docs/listen.svg

(cd internal/operations && go test -count=1 -run '^TestPicture$' . -args -picture ../../docs/operations/dashboard.svg)
