# shellcheck shell=bash
# Sourced by the scripts of tests/integration: starts and stops servers and mounts, asserts, cleans up.
#
# A script passes by reaching its end, is skipped by `skip REASON` or a `requires_...`, and fails at the first command that
# fails. It runs over whatever transport and pool the environment names, so that one script serves the host and the guest:
#   FARNOVA_BUILD        the build directory under test (build/gcc)
#   FARNOVA_TRANSPORT    tcp or verbs (tcp)
#   FARNOVA_ADDRESS      where servers listen (127.0.0.1)
#   FARNOVA_POOL_DEVICE  a devdax device for pools to be made on; a file in memory where it is not set
#   FARNOVA_TIME_SCALE   by how much waiting times are longer than on a fast host (1)
# It gets: $tmp, an empty directory of its own; `farnova` and `farnovad` on PATH.

set -Eeuo pipefail
tests_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
FARNOVA_BUILD=$(realpath -m "${FARNOVA_BUILD:-$tests_dir/../build/gcc}")
FARNOVA_TRANSPORT=${FARNOVA_TRANSPORT:-tcp}
FARNOVA_ADDRESS=${FARNOVA_ADDRESS:-127.0.0.1}
FARNOVA_POOL_DEVICE=${FARNOVA_POOL_DEVICE:-}
FARNOVA_TIME_SCALE=${FARNOVA_TIME_SCALE:-1}
export FARNOVA_BUILD FARNOVA_TRANSPORT FARNOVA_ADDRESS FARNOVA_TIME_SCALE
PATH=$FARNOVA_BUILD/server:$FARNOVA_BUILD/client/cli:$PATH:/usr/sbin:/sbin

# --- the end of a test ---

cleanups=()

# cleanup_fn COMMAND... -- run COMMAND when the script ends, however it ends; the last registered first.
cleanup_fn() { cleanups=("$(printf '%q ' "$@")" "${cleanups[@]}"); }

finish() {
	local status=$? cleanup
	trap '' INT TERM
	trap - ERR EXIT
	set +e
	for cleanup in "${cleanups[@]}"; do
		eval "$cleanup" || [ $status -ne 0 ] || status=1
	done
	if [ $status -ne 0 ] && [ $status -ne 77 ]; then
		show_server_logs
	fi
	rm -rf "$tmp" "$pool_dir"
	exit "$status"
}

show_failed_command() { # LINE COMMAND STATUS
	echo "$0:$1: status $3 from: $2" >&2
}

trap finish EXIT
trap 'exit 143' INT TERM
trap 'show_failed_command "$LINENO" "$BASH_COMMAND" "$?"' ERR
tmp=$(mktemp -d "${TMPDIR:-/tmp}/farnova-test.XXXXXX")
if [ -d /dev/shm ]; then pool_dir=$(mktemp -d /dev/shm/farnova-test.XXXXXX); else pool_dir=$tmp; fi

# fail MESSAGE -- end the test as failed.
fail() {
	echo "$0:${BASH_LINENO[${#BASH_LINENO[@]} - 2]}: $1" >&2
	exit 1
}

# skip REASON -- end the test as skipped.
skip() {
	trap - ERR
	echo "$1" >&2
	exit 77
}

# requires_program NAME... -- skip unless the programs are installed.
requires_program() {
	local program
	for program in "$@"; do
		command -v "$program" > /dev/null || skip "$program is not installed; run: deploy/install-deps test"
	done
}

# requires_root -- skip unless run as root.
requires_root() { [ "$(id -u)" -eq 0 ] || skip "only root can do what this test does"; }

# requires_fuse -- skip where file systems cannot be mounted with FUSE.
requires_fuse() {
	[ -c /dev/fuse ] || skip "there is no /dev/fuse on this host"
	{ [ -r /dev/fuse ] && [ -w /dev/fuse ]; } || skip "/dev/fuse is not accessible to this user"
}

# requires_transport NAME -- skip unless the tests run over that transport.
requires_transport() { [ "$FARNOVA_TRANSPORT" = "$1" ] || skip "this test is about $1 and the tests run over $FARNOVA_TRANSPORT"; }

# --- assertions ---

# assert_eq EXPECTED ACTUAL [WHAT]
assert_eq() { [ "$1" = "$2" ] || fail "${3:-value}: expected '$1', got '$2'"; }

# assert_contains TEXT PART
assert_contains() { [[ $1 == *"$2"* ]] || fail "'$2' is not in: $1"; }

# assert_fails_with MESSAGE COMMAND... -- COMMAND fails, by itself and not by a signal, with MESSAGE in its output.
assert_fails_with() {
	local message=$1 output status=0
	shift
	output=$("$@" 2>&1 < /dev/null) || status=$?
	[ $status -ne 0 ] || fail "'$*' succeeded but was to fail with '$message'; it said: $output"
	[ $status -lt 124 ] || fail "'$*' ended with status $status; it said: $output"
	[[ $output == *"$message"* ]] || fail "'$*' did not say '$message'; it said: $output"
}

# assert_same_tree A B -- two directories hold the same names, types, contents and link targets.
assert_same_tree() { diff -r --no-dereference "$1" "$2" > "$tmp/diff" 2>&1 || fail "$1 and $2 differ: $(head -n 20 "$tmp/diff")"; }

# wait_until SECONDS COMMAND... -- repeat COMMAND until it succeeds; fail after SECONDS, which are scaled.
wait_until() {
	local deadline=$((SECONDS + $1 * FARNOVA_TIME_SCALE)) limit=$1
	shift
	until "$@"; do
		[ $SECONDS -lt "$deadline" ] || fail "'$*' did not become true in $limit s (times $FARNOVA_TIME_SCALE)"
		sleep 0.05
	done
}

# --- servers ---

server_pid='' server_log='' server_options=() server_count=0 pool='' port='' url=''

# free_port -- a TCP port nobody listens on, below the range the kernel hands out by itself.
free_port() {
	local candidate
	while true; do
		candidate=$((20000 + RANDOM % 12000))
		if ! grep -qsi ":$(printf '%04X' $candidate) 0*:0000 0A" /proc/net/tcp /proc/net/tcp6; then
			echo $candidate
			return
		fi
	done
}

# make_pool [SIZE] [MKFS-OPTION...] -- make a pool of SIZE (256M): $pool.
# shellcheck disable=SC2120 # scripts that source this give arguments
make_pool() {
	local size=${1:-256M}
	[ $# -eq 0 ] || shift
	if [ -n "$FARNOVA_POOL_DEVICE" ]; then
		pool=$FARNOVA_POOL_DEVICE
		farnova mkfs --force --size "$size" "$@" "$pool"
	else
		pool=$pool_dir/pool$server_count
		farnova mkfs --size "$size" "$@" "$pool"
	fi
}

# start_farnovad [OPTION...] -- start a server on $pool (made if there is none yet) and wait until it is ready: $url,
# $port, $server_pid, $server_log. OPTIONs are kept for restart_farnovad.
start_farnovad() {
	[ -n "$pool" ] || make_pool 256M
	port=$(free_port)
	url=farnova://$FARNOVA_ADDRESS:$port
	server_options=("$@")
	launch_farnovad
}

launch_farnovad() {
	server_count=$((server_count + 1))
	server_log=$tmp/farnovad.$server_count.log
	: > "$server_log" # farnovad_is_ready may read it before the child has opened it
	farnovad --pool "$pool" --listen "$FARNOVA_ADDRESS:$port" --transport "$FARNOVA_TRANSPORT" "${server_options[@]}" \
		> "$server_log" 2>&1 < /dev/null &
	server_pid=$!
	wait_until 30 farnovad_is_ready
}

farnovad_is_ready() {
	kill -0 "$server_pid" 2> /dev/null || fail "farnovad ended before it was ready: $(tail -n 5 "$server_log")"
	grep -q ready "$server_log"
}

# stop_farnovad -- end the server with SIGTERM; it must end by itself, with status 0.
stop_farnovad() {
	local pid=$server_pid status=0
	server_pid=''
	kill -TERM "$pid" || fail "farnovad was gone before it was stopped"
	wait_until 30 has_ended "$pid"
	wait "$pid" || status=$?
	assert_eq 0 $status "farnovad's exit status after SIGTERM"
}

has_ended() { [[ $(ps -o stat= -p "$1" || echo Z) == Z* ]]; }

# kill_farnovad -- end the server with SIGKILL, as a crash would.
kill_farnovad() {
	local pid=$server_pid
	server_pid=''
	kill -KILL "$pid" || fail "farnovad was gone before it was killed"
	wait "$pid" 2> /dev/null || true
}

# restart_farnovad -- start the server that was stopped or killed again: same pool, same port, same options.
restart_farnovad() {
	assert_eq '' "$server_pid" "running server"
	launch_farnovad
}

# end_farnovad -- what a test leaves running must still be there at its end, and must end cleanly.
end_farnovad() {
	[ -n "$server_pid" ] || return 0
	local pid=$server_pid status=0 tenths=$((FARNOVA_TIME_SCALE * 300))
	server_pid=''
	if has_ended "$pid"; then
		wait "$pid" || status=$?
		echo "farnovad ended during the test, with status $status" >&2
		return 1
	fi
	kill -TERM "$pid"
	until has_ended "$pid" || [ $((tenths -= 1)) -le 0 ]; do sleep 0.1; done
	if ! has_ended "$pid"; then
		echo "farnovad did not end after SIGTERM" >&2
		kill -KILL "$pid"
	fi
	wait "$pid" 2> /dev/null || status=$?
	[ $status -eq 0 ] || echo "farnovad's exit status after SIGTERM was $status" >&2
	return $status
}
cleanup_fn end_farnovad

show_server_logs() {
	local log
	for log in "$tmp"/farnovad.*.log "$tmp"/*.mount.log; do
		[ -s "$log" ] || continue
		echo "--- ${log##*/}, last 30 lines ---"
		tail -n 30 "$log"
	done
}

# --- mounts ---

mnt=''

# mount_farnova [DIR [OPTION...]] -- mount $url on DIR ($tmp/mnt): $mnt. Unmounted at the end.
mount_farnova() {
	mnt=${1:-$tmp/mnt}
	[ $# -eq 0 ] || shift
	mkdir -p "$mnt"
	cleanup_fn unmount_if_mounted "$mnt"
	farnova mount "$@" "$url/" "$mnt" > "$mnt.mount.log" 2>&1 < /dev/null ||
		fail "farnova mount failed: $(cat "$mnt.mount.log")"
	is_mounted "$mnt" || fail "farnova mount succeeded but $mnt is not a mount"
}

# is_mounted DIR -- whether something is mounted there; does not touch the file system itself, which may hang.
is_mounted() { grep -q " $(realpath -ms "$1") " /proc/self/mounts; }

# umount_farnova [DIR] -- unmount DIR ($mnt); it must succeed and leave nothing mounted.
umount_farnova() {
	farnova umount "${1:-$mnt}"
	wait_until 30 is_unmounted "${1:-$mnt}"
}

is_unmounted() { ! is_mounted "$1"; }

unmount_if_mounted() {
	is_mounted "$1" || return 0
	farnova umount "$1" > /dev/null 2>&1 || umount -l "$1" || fusermount3 -uz "$1"
}
