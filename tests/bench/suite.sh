# suite.sh -- what the suites share: subjects, cases, the scale, waiting. Sourced; the variables BENCH_* come from run.
# shellcheck shell=bash disable=SC2034,SC2154

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
subjects=()

# wanted LIST NAME: is NAME in the list, or the list empty?
wanted() {
	[ -z "$1" ] || case " $1 " in *" $2 "*) true ;; *) false ;; esac
}

# Nothing is left out in silence: what is skipped goes to the end of the report with its reason.
skip_subject() {
	echo "skipped: $suite, subject $1: $2" >> "$BENCH_SKIPS"
}

skip_suite() {
	echo "skipped: suite $suite: $1" >> "$BENCH_SKIPS"
	exit 77
}

# check_memory MIB: skip the suite where less memory is free.
check_memory() {
	local need=$1 have
	have=$(awk '/MemAvailable/ {print int($2 / 1024)}' /proc/meminfo)
	[ "$have" -ge "$need" ] || skip_suite "it needs $need MiB of free memory and $have MiB are there; --quick needs less"
}

# check_shm: skip the suite where /dev/shm is not memory.
check_shm() {
	[ "$(stat -f -c %T /dev/shm 2> /dev/null)" = tmpfs ] || skip_suite "/dev/shm is no tmpfs"
}

# wants SUBJECT: was it asked for?
wants() {
	wanted "$BENCH_SUBJECTS" "$1"
}

# program NAME: path of a driver that was built, or a skip of the subject $2.
driver() {
	[ -x "$BENCH_BUILD/tests/bench/bench-$1" ] || {
		skip_subject "$2" "its driver bench-$1 was not built on this host (a library it needs is missing)"
		return 1
	}
}

# add_subject NAME DRIVER ARGUMENTS: the arguments as the shell reads them; the scale is put before them.
add_subject() {
	subjects+=("$1=exec $BENCH_BUILD/tests/bench/bench-$2 $scale $3")
}

# conduct CASE...: runs the cases that were asked for on all subjects.
conduct() {
	local case arguments=()
	for case in "$@"; do
		if wanted "$BENCH_CASES" "$case"; then arguments+=(--case "$case"); fi
	done
	if [ ${#arguments[@]} -eq 0 ] || [ ${#subjects[@]} -eq 0 ]; then
		echo "bench: suite $suite has nothing of what was asked for to run" >&2
		return 2
	fi
	"$BENCH_BUILD/tests/bench/bench-conduct" --suite "$suite" --json "$suite_results" --rounds "$BENCH_ROUNDS" \
		"${arguments[@]}" "${subjects[@]}"
}

# measure PROGRAM [OPERAND...]: run a program that has cases of its own. Its results count also where it fails. Its
# files are in $work.
measure() {
	local arguments=(--json "$work/results" --rounds "$BENCH_ROUNDS") case status=0
	[ -z "$BENCH_QUICK" ] || arguments+=(--quick)
	for case in $BENCH_CASES; do arguments+=(--case "$case"); done
	"$BENCH_BUILD/tests/bench/bench-$1" "${arguments[@]}" "${@:2}" || status=$?
	cat "$work/results" >> "$BENCH_RESULTS"
	return $status
}

# wait_until SECONDS COMMAND...: until it succeeds.
wait_until() {
	local left=$(($1 * 20))
	shift
	until "$@" 2> /dev/null; do
		[ $((left--)) -gt 0 ] || return 1
		sleep 0.05
	done
}

# listening PORT [ADDRESS]: does somebody accept connections there?
listening() {
	(exec 3<> "/dev/tcp/${2:-127.0.0.1}/$1") 2> /dev/null
}

# stop PID...: ends processes this suite started and waits for them.
stop() {
	kill "$@" 2> /dev/null
	wait "$@" 2> /dev/null
}
