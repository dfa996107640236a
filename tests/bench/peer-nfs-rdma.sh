# peer-nfs-rdma.sh -- starts and stops the kernel's NFS server over RDMA and mounts it, for suite vm. Sourced, in the guest.
# shellcheck shell=bash

# What keeps NFS over RDMA from running here, or nothing.
nfs_rdma_missing() {
	local tool module
	for tool in rpc.nfsd exportfs mount.nfs rpcbind mkfs.ext4; do
		command -v $tool > /dev/null || { echo "$tool is not installed (deploy/install-deps bench)" && return; }
	done
	for module in ext4 nfsd rpcrdma nfsv4; do
		modprobe $module 2> /dev/null || { echo "the guest's kernel has no module $module" && return; }
	done
	[ -b "$1" ] || echo "the guest has no fsdax device $1"
}

# nfs_rdma_start DEVICE ADDRESS DIR: ext4 with DAX on DEVICE, exported over RDMA at ADDRESS, mounted at DIR/mnt by NFSv4.2.
nfs_rdma_start() {
	local device=$1 address=$2 dir=$3
	mkdir -p "$dir/export" "$dir/mnt" /var/lib/nfs/sm /var/lib/nfs/v4recovery /run/rpcbind
	mkfs.ext4 -q -F -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 "$device" && mount -o dax,noatime "$device" "$dir/export" || return
	mount -t nfsd nfsd /proc/fs/nfsd 2> /dev/null
	rpcbind -w
	: > /var/lib/nfs/etab
	exportfs -i -o rw,no_root_squash,fsid=0,insecure,no_subtree_check "*:$dir/export" || return
	rpc.mountd -N 3 2> /dev/null || rpc.mountd
	rpc.nfsd --no-nfs-version 3 --rdma=20049 4 || return
	mount -t nfs -o vers=4.2,rdma,port=20049,sec=sys "$address:/" "$dir/mnt"
}

nfs_rdma_stop() {
	local dir=$1
	umount "$dir/mnt"
	rpc.nfsd 0
	exportfs -ua
	umount "$dir/export"
}
