# shellcheck shell=bash disable=SC2154
# Sourced by tests/run and, in the guest, by tests/vm/guest-suite: runs tests with a time limit, shows a line for each, and
# records the outcome. The caller sets `logs` (a directory), `results` (a file: one line per test, tab-separated: outcome,
# cases passed, failed, skipped, suite/name, seconds, seconds of CPU), `patterns` (an array: which tests to run), `verbose` (not empty:
# show the output), `list` (not empty: only name the tests) and `slots` (how many tests run at once; 1: one by one), and may
# set `run_until` (when the whole must have ended, in microseconds as `now` gives them: no test's limit goes beyond it).
#
# Where there are several slots, a test that measures time (CTest's RUN_SERIAL, `# alone: REASON` in a script's head) is
# kept until run_deferred, which runs those one by one with nothing beside. One that uses every CPU by itself (CTest's
# PROCESSORS above 1) waits until the slots are free, and nothing begins beside it.

# Between part_begin and part_end tests run for a share of time, others each day: see there.

log_tail_lines=60
deferred=() started=() part='' part_until='' part_left=0 run_until=''

# now -- microseconds, for elapsed.
now() { echo "${EPOCHREALTIME//[.,]/}"; }

# elapsed START -- seconds since START, with one decimal.
elapsed() {
	local microseconds=$(($(now) - $1))
	echo "$((microseconds / 1000000)).$((microseconds / 100000 % 10))"
}

# selected SUITE/NAME -- whether the caller's patterns (-k) choose this test.
selected() {
	local pattern
	[ ${#patterns[@]} -gt 0 ] || return 0
	for pattern in "${patterns[@]}"; do
		# shellcheck disable=SC2053 # a pattern may hold wildcards
		[[ $1 == *$pattern* ]] && return 0
	done
	return 1
}

# cpu_seconds -- set `cpu` to the CPU time, in whole seconds, of all processes that this shell has waited for.
cpu_seconds() {
	local user system
	builtin times > "$results.cpu.$BASHPID"
	{ read -r _ && read -r user system; } < "$results.cpu.$BASHPID"
	rm -f "$results.cpu.$BASHPID"
	cpu=$(($(whole_seconds "$user") + $(whole_seconds "$system")))
}

whole_seconds() { # MINUTESmSECONDSs
	local minutes=${1%m*} seconds=${1#*m}
	echo $((minutes * 60 + 10#${seconds%%[.,]*}))
}

# record OUTCOME PASSED FAILED SKIPPED SUITE/NAME SECONDS [REMARK] -- show and keep a test's outcome.
record() {
	local mark=$1
	[ "$mark" != fail ] || mark=FAIL
	printf '%-4s  %-44s %7s s%s\n' "$mark" "$5" "$6" "${7:+  $7}"
	printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "$5" "$6" "${cpu_taken:-0}" >> "$results"
}

# cmocka_cases WORD LOG -- the number of test cases in cmocka's summary lines `[  WORD  ] n test(s)`, over all its groups.
cmocka_cases() {
	awk -v word="$1" '$1 == "[" && $2 == word && $3 == "]" && $4 ~ /^[0-9]+$/ && $5 ~ /^test\(s\)/ { n += $4 }
		END { print n + 0 }' "$2"
}

show_log_tail() {
	local lines
	lines=$(wc -l < "$1")
	[ "$lines" -le $log_tail_lines ] || echo "    | ... $((lines - log_tail_lines)) lines before these are in $1"
	tail -n $log_tail_lines "$1" | sed 's/^/    | /'
}

# sanitizer_reports PREFIX LOG -- move what sanitizers reported in any process of the test into its log; fail if none did.
sanitizer_reports() {
	local report found=1
	for report in "$1".*; do
		[ -s "$report" ] || continue
		{ echo "--- a sanitizer's report ---" && sed '/^Shadow byte/,/ABORTING$/d' "$report"; } >> "$2"
		found=0
	done
	rm -f "$1".*
	return $found
}

# run_test [--alone | --wide] SUITE/NAME LIMIT COMMAND... -- run one test: it passes with exit status 0 and is skipped with
# 77, its last line being the reason. LIMIT, in seconds, is scaled by FARNOVA_TIME_SCALE. Cases are counted where cmocka
# reports them. A sanitizer's report from any process of the test fails it.
run_test() {
	local how=beside
	case $1 in --*) how=${1#--} && shift ;; esac
	selected "$1" || return 0
	if [ -n "$part_until" ] && [ "$(now)" -ge "$part_until" ]; then
		part_left=$((part_left + 1))
		return 0
	fi
	[ -n "$list" ] || started+=("$1")
	if [ -n "$list" ]; then
		echo "$1"
	elif [ "${slots:-1}" -le 1 ]; then
		run_one "$@"
	elif [ "$how" = alone ]; then
		deferred+=("$(declare -p FARNOVA_TIME_SCALE FARNOVA_BUILD 2> /dev/null; printf '%q ' run_one "$@")")
	elif [ "$how" = wide ]; then
		wait_for_slots 0
		run_one "$@"
	else
		wait_for_slots $((slots - 1))
		run_one "$1" $(($2 * 2)) "${@:3}" & # beside others everything takes longer
	fi
}

# part_begin NAME SECONDS -- until part_end begin tests only for that long (by FARNOVA_BUDGET as in tests/share; not at all
# where single tests were asked for). Which test of a run_scripts or run_ctest_programs is the first goes by the day, so
# that on a host that does not get through all of them each has its turn.
part_begin() {
	part=$1 part_left=0 part_until=''
	[ -z "$list" ] && [ ${#patterns[@]} -eq 0 ] || return 0
	part_until=$(($(now) + $2 * ${FARNOVA_BUDGET:-20} * 1000000 / 20))
}

# part_end -- say how many tests were left to other days.
part_end() {
	[ "$part_left" -eq 0 ] || echo "$part: time is up; $part_left tests are left to other days (tests/run --budget gives more time)"
	part='' part_until='' part_left=0
}

# todays_order LINE... -- the lines, beginning with another one each day. The steps are such that the days' beginnings lie
# evenly over the list however many days are counted.
todays_order() {
	local first=0 day
	day=$(($(date +%s) / 86400))
	[ -z "$part_until" ] || first=$((day * 61803 % 100000 * $# / 100000))
	printf '%s\n' "${@:first+1}" "${@:1:first}"
}

# wait_for_slots N -- until no more than N tests run. The guest of the suite vm, a job too, takes one slot and not the last.
wait_for_slots() {
	local most=$1 guest
	while :; do
		guest=$(jobs -rp | grep -cx "${guest_pid:-none}") || true
		[ "$(jobs -rp | wc -l)" -gt $((most > 0 || guest == 0 ? most : guest)) ] || return 0
		wait -n 2> /dev/null || true
	done
}

# run_deferred -- run what measures time, once everything else has ended.
run_deferred() {
	local one outcomes
	wait
	for one in "${deferred[@]}"; do eval "alone() { local -x FARNOVA_TIME_SCALE FARNOVA_BUILD; $one; }; alone"; done
	deferred=()
	# A test whose lane died is not to be missed.
	# (Not through a pipe: grep ends at the first match, and what then fails to write into the pipe fails the whole.)
	outcomes=$(cut -f 5 "$results")
	for one in "${started[@]}"; do
		grep -qxF "$one" <<< "$outcomes" || record fail 0 1 0 "$one" 0 "it left no outcome"
	done
}

run_one() { # SUITE/NAME LIMIT COMMAND...
	local name=$1 limit=$(($2 * ${FARNOVA_TIME_SCALE:-1})) left
	shift 2
	local log=$logs/$name.log start status=0 seconds remark='' cpu cpu_taken out tee='' watcher mark
	local sanitizers=log_path=$logs/$name.sanitizer
	mkdir -p "${log%/*}"
	rm -f "$logs/$name.sanitizer".*
	start=$(now)
	if [ -n "$run_until" ]; then
		left=$(((run_until - start) / 1000000))
		if [ $left -le 0 ]; then
			record fail 0 1 0 "$name" 0 "not begun: the time of the whole run is up"
			return 0
		fi
		[ $limit -le $left ] || limit=$left
	fi
	mark=$BASHPID.$start
	if [ -n "$verbose" ]; then
		exec {out}> >(tee "$log")
		tee=$!
	else
		exec {out}> "$log"
	fi
	tell_stacks "$mark" "$limit" >&$out 2>&1 &
	watcher=$!
	cpu_seconds
	cpu_taken=$cpu
	env ASAN_OPTIONS="$sanitizers:detect_stack_use_after_return=1" LSAN_OPTIONS="$sanitizers" \
		UBSAN_OPTIONS="$sanitizers:print_stacktrace=1" TSAN_OPTIONS="$sanitizers:second_deadlock_stack=1" \
		FARNOVA_TEST_NAME="$name" FARNOVA_TEST_MARK="$mark" timeout -k 15 $((limit + stacks_take)) "$@" \
		< /dev/null >&$out 2>&1 || status=$?
	seconds=$(elapsed "$start")
	cpu_seconds
	cpu_taken=$((cpu - cpu_taken))
	kill "$watcher" 2> /dev/null || true
	wait "$watcher" 2> /dev/null || true
	if ! end_marked "$mark" >&$out 2>&1 && [ $status -eq 0 ]; then
		status=1 remark='it left processes behind'
	fi
	exec {out}>&-
	[ -z "$tee" ] || wait "$tee" || true
	if sanitizer_reports "$logs/$name.sanitizer" "$log" && [ $status -eq 0 ]; then
		status=1 remark='a sanitizer reported an error'
	fi
	judge "$name" "$log" "$status" "$seconds" "$limit" "$remark"
}

# marked MARK -- the processes of the test that was started with this FARNOVA_TEST_MARK.
marked() { grep -lzx "FARNOVA_TEST_MARK=$1" /proc/[0-9]*/environ 2> /dev/null | sed 's,/proc/\([0-9]*\)/.*,\1,' | sort -n || true; }

# end_marked MARK -- kill what a test left running; fail if there was anything that did not end by itself soon.
end_marked() {
	local pid tries=$((50 * ${FARNOVA_TIME_SCALE:-1})) left
	while left=$(marked "$1") && [ -n "$left" ]; do
		if [ $((tries -= 1)) -le 0 ]; then
			echo "--- left behind, and killed ---"
			for pid in $left; do
				tr '\0' ' ' < "/proc/$pid/cmdline" && echo
				kill -9 "$pid"
			done
			return 1
		fi
		sleep 0.1
	done
}

# tell_stacks MARK LIMIT -- once a test has reached its time limit, say what its threads wait for and end it. timeout(1)
# takes an alarm for the end of its time.
stacks_take=60
tell_stacks() {
	local pid sleeper=''
	trap '[ -z "$sleeper" ] || kill "$sleeper" 2> /dev/null; exit' TERM
	sleep "$2" > /dev/null 2>&1 &
	sleeper=$!
	wait $sleeper
	echo "--- it has reached its time limit; its threads ---"
	ps -o pid,ppid,stat,wchan:20,args -p "$(marked "$1" | paste -sd ,)"
	for pid in $(marked "$1"); do
		command -v gdb > /dev/null || break
		case $(cat "/proc/$pid/comm") in bash | sh | timeout | sleep | env | tee | gdb | cat | sed | qemu*) continue ;; esac
		timeout 10 gdb -batch -p "$pid" -ex 'thread apply all bt 12' 2> /dev/null |
			grep -E '^(Thread|#)' || echo "no stacks of $pid"
	done
	pid=$(marked "$1" | head -n 1)
	[ "$(cat "/proc/$pid/comm")" != timeout ] || kill -ALRM "$pid"
}

# judge -- show a test's outcome, in one piece, and record it.
judge() {
	local shown
	shown=$(outcome_of "$@")
	{
		flock 9
		printf '%s\n' "$shown"
	} 9< "$results"
}

outcome_of() { # NAME LOG STATUS SECONDS LIMIT REMARK
	local passed failed skipped remark=$6
	passed=$(cmocka_cases PASSED "$2")
	failed=$(cmocka_cases FAILED "$2")
	skipped=$(cmocka_cases SKIPPED "$2")
	if [ "$3" -eq 77 ]; then
		record skip 0 0 1 "$1" "$4" "$(grep . "$2" | tail -n 1)"
		return
	fi
	if [ "$3" -eq 0 ] && [ "$failed" -eq 0 ]; then
		[ $((passed + skipped)) -eq 0 ] && passed=1 || remark="($passed cases)"
		[ "$skipped" -eq 0 ] || remark="($passed cases; $skipped skipped: $(skip_reasons "$2"))"
		record ok "$passed" 0 "$skipped" "$1" "$4" "$remark"
		return
	fi
	[ "$failed" -gt 0 ] || failed=1
	case $3 in
	124) remark="reached its time limit of $5 s" ;;
	*)
		# timeout(1) kills what does not end on SIGTERM; so does a host that has no memory left.
		if [ "$3" -eq 137 ] && [ "${4%.*}" -ge "$5" ]; then remark="reached its time limit of $5 s"; fi
		if [ -z "$remark" ] && [ "$3" -gt 128 ]; then remark="ended by SIG$(kill -l $(($3 - 128)))"; fi
		remark=${remark:-exit status $3}
		;;
	esac
	record fail "$passed" "$failed" "$skipped" "$1" "$4" "$remark"
	show_log_tail "$2"
}

# skip_reasons LOG -- what a cmocka program printed on lines `skip: REASON`, once each.
skip_reasons() { sed -n 's/^.*skip: //p' "$1" | sort -u | paste -sd ';' | grep . || echo "the program gave no reason"; }

# ctest_programs BUILD LABEL -- the tests of a build directory that carry LABEL: name, time limit, how (beside, alone or
# wide) and shell-quoted command, tab-separated.
ctest_programs() {
	if [ ! -e "$1/CTestTestfile.cmake" ]; then
		echo "$1 is not there; its tests are not known before it is configured" >&2
		return 0
	fi
	ctest --test-dir "$1" --show-only=json-v1 | jq -r --arg wanted "$2" '
		def property($name): [(.properties // [])[] | select(.name == $name) | .value][0];
		.tests[]? | select((property("LABELS") // []) | index($wanted)) |
		(if property("RUN_SERIAL") then "alone" elif (property("PROCESSORS") // 1) > 1 then "wide" else "beside" end) as $how |
		[.name, (property("TIMEOUT") // 300 | floor), $how, ((.command // ["false", "not built"]) | @sh)] | @tsv'
}

# run_ctest_programs SUITE/PREFIX BUILD LABEL [ARGUMENT]... -- run each test of BUILD that carries LABEL, with further
# arguments; fail if there is none.
run_ctest_programs() {
	local name limit how quoted
	local -a programs
	local -a command
	programs=$(ctest_programs "$2" "$3") || {
		record fail 0 1 0 "$1listing" 0 "the tests of $2 cannot be listed"
		return 0
	}
	[ -n "$programs" ] || return 1
	mapfile -t programs <<< "$programs"
	while IFS=$'\t' read -r name limit how quoted <&3; do
		eval "command=($quoted)"
		[ "${FARNOVA_BUDGET:-20}" -le 20 ] || limit=$((limit * FARNOVA_BUDGET / 20))
		run_test "--$how" "$1$name" "$limit" "${command[@]}" "${@:4}"
	done 3< <(todays_order "${programs[@]}")
}

# run_scripts SUITE/PREFIX MARK SCRIPT... -- run test scripts; those that say `# MARK: no` in their head are left out,
# `# limit: SECONDS` there sets a time limit other than 300 s, and `# alone: REASON` has it run with nothing beside.
run_scripts() {
	local prefix=$1 mark=$2 script limit how
	shift 2
	[ $# -gt 0 ] || return 0
	while read -r script <&3; do
		if [ -n "$mark" ] && head -n 12 "$script" | grep -q "^# $mark: no"; then
			continue
		fi
		limit=$(head -n 12 "$script" | sed -n 's/^# limit: \([0-9]*\)$/\1/p')
		limit=${limit:-300}
		[ "${FARNOVA_BUDGET:-20}" -le 20 ] || limit=$((limit * FARNOVA_BUDGET / 20))
		how=beside
		! head -n 12 "$script" | grep -q '^# alone: ' || how=alone
		run_test "--$how" "$prefix$(basename "$script" .test)" "$limit" "$script"
	done 3< <(todays_order "$@")
}

# run_guest_tests -- what runs inside the guest of the suite vm, against the build in FARNOVA_BUILD: what tests/vm/guest-tests
# names, or with FARNOVA_VM_ALL everything that can.
run_guest_tests() {
	local names name scripts=(tests/integration/*.test)
	# Over verbs only: the host has tried TCP.
	run_ctest_programs vm/guest.unit. "$FARNOVA_BUILD" verbs verbs || nothing_in "unit tests labelled verbs"
	run_scripts vm/guest. '' tests/vm/guest/*.test
	if [ -z "${FARNOVA_VM_ALL-}" ]; then
		mapfile -t names < <(sed -n 's/^\([a-z][^:]*\):.*/\1/p' tests/vm/guest-tests)
		scripts=()
		for name in "${names[@]}"; do scripts+=("tests/integration/$name.test"); done
	fi
	part_begin vm/guest.integration 900
	run_scripts vm/guest.integration. vm "${scripts[@]}"
	part_end
}

nothing_in() { echo "$1: there are no tests yet"; }

# times -- how long each suite and the slowest tests took. A suite's time is the sum of its tests', which may have run side
# by side.
times() {
	[ -s "$results" ] || return 0
	awk -F '\t' '{ suite = $5; sub(/\/.*/, "", suite)
			if (!(suite in count)) order[++suites] = suite
			count[suite]++
			if ($5 !~ /^vm\/guest\./) { sum[suite] += $6; cpu[suite] += $7 } } # their time is in that of vm/guest
		END { for (i = 1; i <= suites; i++)
			printf "time  %-12s %7.1f s, %5d s of CPU, in %d tests\n", order[i], sum[order[i]], cpu[order[i]],
				count[order[i]] }' "$results"
	echo "the slowest ten:"
	sort -t $'\t' -k 6,6nr "$results" | head -n 10 | awk -F '\t' '{ printf "  %7.1f s, %5d s of CPU  %s\n", $6, $7, $5 }'
}

# summary -- print the closing line from the results; fail if a test failed or none ran.
summary() {
	awk -F '\t' '{ passed += $2; failed += $3; skipped += $4 }
		END {
			printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
			exit failed > 0 || passed + skipped == 0
		}' "$results"
}
