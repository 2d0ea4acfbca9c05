#!/usr/bin/env bash
# Makes the pictures of the documentation: what commands write and the dashboard, as SVG, and the page of the inspector,
# which needs Chromium.
#
#   docs/pictures.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=$(mktemp -d)
running=()
trap 'kill "${running[@]}" 2>/dev/null; wait; rm -rf "$work"' EXIT
export XDG_CONFIG_HOME=$work XDG_STATE_HOME=$work
go build -C cmd/crisp -o "$work/crisp" .

"$work/crisp" serve -q --addr 127.0.0.1:0 --scenario busy-hour --seed 7 \
  --write-env "$work/env" --ready-file "$work/ready" >/dev/null &
running+=($!)
until [[ -s $work/ready ]]; do :; done

events=(-e message:send -e message:received -e session:set_state)
{
  echo '$ crisp serve --scenario busy-hour --write-env .env &'
  echo "$ crisp listen --env-file .env ${events[*]}"
  "$work/crisp" listen --env-file "$work/env" "${events[@]}" --count 12 --for 20s 2>&1
} | grep -v -e 'lost the connection' -e 'Ctrl-C' | sed -E 's/^([0-9:]{8})\.[0-9]{3}/\1/; s/[0-9a-f]{8}-[0-9a-f-]{27}/…/' |
  go run ./internal/lab/screen >docs/listen.svg

# What the inspector shows of the same hour, while a program takes the events until it fails.
"$work/crisp" receive -q --env-file "$work/env" --addr 127.0.0.1:0 --ready-file "$work/program" >/dev/null &
program=$!
running+=("$program")
until [[ -s $work/program ]]; do :; done
"$work/crisp" listen --env-file "$work/env" "${events[@]}" --forward "$(<"$work/program")" --attempts 2 --ui=127.0.0.1:0 \
  >/dev/null 2>"$work/told" &
running+=($!)
until page=$(grep -o 'http://127.0.0.1:[0-9]*/?token=.*' "$work/told"); do :; done

# Arguments: the file; size; scheme; what has to be true first; keys that are pressed then.
picture() {
  go run -C internal/browser ./picture -o "$PWD/docs/$1" -size "$2" -scheme "$3" -until "$4" -press "$5" "$page"
}
picture inspector.png 1200x700 light 'parseInt(document.querySelector("#count").textContent) >= 50' Gkc
kill "$program"
picture inspector-small.png 400x760 dark 'document.querySelectorAll("[data-kind=delivery]").length >= 4' ''

(cd internal/operations && go test -count=1 -run '^TestPicture$' . -args -picture ../../docs/operations/dashboard.svg)
