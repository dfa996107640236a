# shellcheck shell=bash disable=SC2154
# Sourced by tests/run: how fast this host is now, and how much of its CPU time others took.

# What 400,000 rounds of an empty loop take on the host that all time limits were set on, in microseconds.
reference_loop=470000

# host_begin -- set FARNOVA_TIME_SCALE where it is not given: by how much slower than the reference every CPU is when all
# of them are busy, rounded. A host that loses its CPUs to others (steal time) is slow by that too.
host_begin() {
	host_start=$(now)
	host_steal=$(stolen)
	if [ -n "${FARNOVA_TIME_SCALE-}" ] || [ -n "$list" ]; then
		export FARNOVA_TIME_SCALE=${FARNOVA_TIME_SCALE:-1}
		return 0
	fi
	local cpu took slowest=0 rounds=3
	[ ${#patterns[@]} -eq 0 ] || rounds=1 # a few tests are not to wait for that
	for ((; rounds > 0; rounds--)); do
		took=$(now)
		for ((cpu = $(nproc); cpu > 0; cpu--)); do empty_loop & done
		wait
		took=$(($(now) - took))
		[ $took -le $slowest ] || slowest=$took
	done
	FARNOVA_TIME_SCALE=$(((slowest + reference_loop / 2) / reference_loop))
	[ "$FARNOVA_TIME_SCALE" -ge 1 ] || FARNOVA_TIME_SCALE=1
	[ "$FARNOVA_TIME_SCALE" -le 10 ] || FARNOVA_TIME_SCALE=10
	export FARNOVA_TIME_SCALE
	echo "host: $(nproc) CPUs, $slots tests side by side, time limits times $FARNOVA_TIME_SCALE" \
		"(a loop of $((reference_loop / 1000)) ms took $((slowest / 1000)) ms)"
}

empty_loop() {
	local i
	for ((i = 0; i < 400000; i++)); do :; done
}

# stolen -- the host's CPU time and how much of it the hypervisor gave to others, in ticks.
stolen() { awk '$1 == "cpu" { print $2 + $3 + $4 + $5 + $6 + $7 + $8 + $9, $9 }' /proc/stat; }

# host_end -- how long the run took, and what was stolen from it.
host_end() {
	echo "$host_steal $(stolen)" | awk -v seconds="$(elapsed "$host_start")" '{
		share = 0
		if ($3 > $1) share = 100 * ($4 - $2) / ($3 - $1)
		printf "in all %.0f s; the host lost %.1f %% of its CPU time to others\n", seconds, share
	}'
}
