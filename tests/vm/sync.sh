# shellcheck shell=bash
# Sourced in the guests of tests/vm/pair: how one waits for the other, by files in the share that both write.

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
