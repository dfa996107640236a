# peer-passthrough.sh -- builds libfuse's example passthrough_ll and mounts it over a directory. Sourced; files go to $work.
# shellcheck shell=bash disable=SC2154

passthrough_source=/usr/share/doc/libfuse3-dev/examples/passthrough_ll.c

# passthrough_missing: why it cannot run here; nothing if it can.
passthrough_missing() {
	if [ ! -r $passthrough_source ]; then
		echo "$passthrough_source is not there (package libfuse3-dev, installed with its documentation)"
	elif ! command -v cc pkg-config > /dev/null; then
		echo "there is no C compiler or no pkg-config"
	fi
}

# passthrough_build: the program $work/passthrough_ll, optimised as farnova is.
passthrough_build() {
	local flags
	flags=$(pkg-config --cflags --libs fuse3 2> "$work/passthrough.log") || return
	# shellcheck disable=SC2086 # they are words
	cc -O2 "$passthrough_source" -o "$work/passthrough_ll" $flags >> "$work/passthrough.log" 2>&1
}

# passthrough_mount SOURCE DIR OPTIONS
passthrough_mount() {
	"$work/passthrough_ll" -o "source=$1,$3" "$2" >> "$work/passthrough.log" 2>&1
}
