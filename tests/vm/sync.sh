# shellcheck shell=bash
# Sourced in guests: how one waits for the other of tests/vm/pair, by files in the share that both write, and for servers.

# announce NAME -- say that NAME has happened.
announce() { : > "$FARNOVA_SHARE/$1"; }

# await NAME [SECONDS] -- wait until the other guest has announced NAME; fail, saying so, after SECONDS (120).
await() {
	local deadline=$((SECONDS + ${2:-120}))
	until [ -e "$FARNOVA_SHARE/$1" ]; do
		if [ $SECONDS -ge $deadline ]; then
			echo "the other guest did not announce '$1' in ${2:-120} s" >&2
			return 1
		fi
		sleep 0.2
	done
}

# serving COMMAND... -- wait until what was started before can be connected to.
serving() {
	local deadline=$((SECONDS + 60))
	until "$@" > /dev/null; do
		[ $SECONDS -lt $deadline ] || {
			echo "'$*' did not become true in 60 s"
			return 1
		}
		sleep 0.2
	done
}

# rdma_listens -- for serving: a server that takes connections of rdma_cm.
rdma_listens() { rdma resource show cm_id | grep -q LISTEN; }
