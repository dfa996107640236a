# farnova-server.sh -- makes a pool and starts and stops farnovad on it. Sourced; files and logs go to $work.
# shellcheck shell=bash disable=SC2154

farnova_port=18680
farnova_pid=''

# farnova_start POOL SIZE ADDRESS TRANSPORT: SIZE 0 takes all of a device.
farnova_start() {
	local pool=$1 size=$2 address=$3 transport=$4 options=(--force)
	[ "$size" = 0 ] || options+=(--size "$size")
	"$BENCH_BUILD/client/cli/farnova" mkfs "${options[@]}" "$pool" > "$work/farnovad.log" 2>&1 || return
	PMEM_IS_PMEM_FORCE=1 "$BENCH_BUILD/server/farnovad" --pool "$pool" --listen "$address:$farnova_port" \
		--transport "$transport" >> "$work/farnovad.log" 2>&1 &
	farnova_pid=$!
	wait_until 60 farnova_answers "$address" "$transport"
}

# The server is there when a listing of its root succeeds.
farnova_answers() {
	kill -0 "$farnova_pid" && "$BENCH_BUILD/client/cli/farnova" ls "farnova://$1:$farnova_port/"
}

farnova_stop() {
	[ -z "$farnova_pid" ] || stop "$farnova_pid"
	farnova_pid=''
}
