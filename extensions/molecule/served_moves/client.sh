#!/bin/sh
# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Ask a service without an end, a new connection for each request. Each line of the log is a state of the count.
# usage: client.sh URL, which answers with the name of the pod
ok=0
failed=0
pods=
while true; do
    if pod=$(timeout 10 wget -q -O - "$1") && [ -n "$pod" ]; then
        ok=$((ok + 1))
    else
        failed=$((failed + 1))
        echo "request $((ok + failed)) failed"
    fi
    case " $pods " in
    *" $pod "*) ;;
    *) pods="${pods:+$pods }$pod" ;;
    esac
    if [ $(((ok + failed) % 20)) -eq 0 ]; then
        echo "{\"ok\": $ok, \"failed\": $failed, \"pods\": \"$pods\"}"
    fi
    sleep 0.02
done
