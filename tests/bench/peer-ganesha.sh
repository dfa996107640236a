# peer-ganesha.sh -- starts and stops NFS-Ganesha on a tmpfs, for suite native. Sourced; meant for a network and a mount
# namespace of its own, where /run may be covered and no port is taken.
# shellcheck shell=bash

# What keeps ganesha from running here, or nothing.
ganesha_missing() {
	local tool
	for tool in ganesha.nfsd rpcbind dbus-daemon; do
		command -v $tool > /dev/null || { echo "$tool is not installed (deploy/install-deps bench)" && return; }
	done
	[ -e "$(dirname "$(ldconfig -p | awk '/libc\.so\.6.*x86-64|libc\.so\.6 / {print $NF; exit}')")/ganesha/libfsalvfs.so" ] ||
		compgen -G '/usr/lib/*/ganesha/libfsalvfs.so' > /dev/null ||
		echo "ganesha's VFS back end is not installed (deploy/install-deps bench)"
}

# ganesha_start DIR: serves a fresh tmpfs as /exp on port 12049 of loopback; files and logs in DIR.
ganesha_start() {
	local dir=$1
	mkdir -p "$dir/export" /run/dbus /run/ganesha /var/lib/nfs/ganesha
	mount -t tmpfs -o size=6G,mode=0777 ganesha-export "$dir/export"
	cat > "$dir/ganesha.conf" << END
NFS_CORE_PARAM { Protocols = 3, 4; MNT_Port = 12050; mount_path_pseudo = true; NFS_Port = 12049; Bind_addr = 127.0.0.1; Enable_NLM = false; Enable_RQUOTA = false; }
NFSv4 { RecoveryBackend = fs; Graceless = true; RecoveryRoot = "$dir/recovery"; }
EXPORT {
	Export_Id = 1; Path = "$dir/export"; Pseudo = "/exp"; Access_Type = RW; Squash = No_Root_Squash;
	SecType = sys; Protocols = 3, 4; Transports = TCP; FSAL { Name = VFS; }
}
LOG { Default_Log_Level = WARN; }
END
	mkdir -p "$dir/recovery"
	cat > "$dir/dbus.conf" << END
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path=$dir/bus</listen>
  <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>
END
	dbus-daemon --config-file="$dir/dbus.conf" --nofork --nopidfile > "$dir/dbus.log" 2>&1 &
	ganesha_pids=$!
	rpcbind -f -w > "$dir/rpcbind.log" 2>&1 &
	ganesha_pids+=" $!"
	wait_until 10 test -S "$dir/bus" || return
	wait_until 10 test -S /run/rpcbind.sock || return
	DBUS_SYSTEM_BUS_ADDRESS=unix:path=$dir/bus ganesha.nfsd -F -f "$dir/ganesha.conf" -L "$dir/ganesha.log" \
		-p "$dir/ganesha.pid" > "$dir/ganesha.out" 2>&1 &
	ganesha_pids+=" $!"
	wait_until 30 listening 12049 || { tail -n 5 "$dir/ganesha.log" "$dir/ganesha.out" >&2 && return 1; }
}

ganesha_stop() {
	[ -n "${ganesha_pids:-}" ] || return 0
	local dir=$1
	# shellcheck disable=SC2086 # a list of process ids
	kill -KILL $ganesha_pids 2> /dev/null
	# shellcheck disable=SC2086
	wait $ganesha_pids 2> /dev/null
	umount "$dir/export"
}
