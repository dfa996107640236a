/*
 * open.c -- pins, and inodes that only pins keep alive: orphans, which have lost their last name, and files made
 * without a name.
 *
 * A file made without a name is pinned before anyone knows its handle. Until a link gives it a name, a crash or its
 * last close frees it; the record that adds the name also makes its data reachable.
 */
#include "server/nova/change/inode_create.h"

#include "server/nova/change/inode_free.h"
#include "server/nova/ops/namei.h"
#include "server/nova/space/returning.h"
#include "server/nova/space/slots.h"

#include <endian.h>
#include <errno.h>

int nova_tmpfile(const struct nova_call *call, struct nova_handle dir_handle, uint32_t mode, bool linkable,
                 struct nova_attr *attr)
{
	struct birth birth = {
	    .life = linkable ? NOVA_LIFE_NAMELESS : NOVA_LIFE_ORPHAN,
	    .mode = S_IFREG | (mode & 07777),
	};
	CLEANUP_UNLOCK struct nova_inode *dir = NULL;
	struct nova_inode *inode = NULL;
	struct log_append *log;
	struct txn txn;
	int rc = call->worker->fs->read_only ? -EROFS : inode_read(call->worker, dir_handle, true, &dir);

	if (!rc)
		rc = namei_may_add(call, dir);
	if (rc)
		return rc;
	birth_inherit(call, dir, &birth);
	txn_start(&txn, call);
	rc = inode_create_begin(&txn, &birth, &inode, &log);
	if (rc)
		return rc;
	txn_effect(&txn, inode->ino, inode->generation);
	txn_commit(&txn);
	inode_create_done(&txn, inode, &birth);
	inode->pins = 1;
	if (attr)
		inode_attr(inode, attr);
	inode_unlock(inode);
	return 0;
}

int nova_open(const struct nova_call *call, struct nova_handle file, struct nova_attr *attr)
{
	struct nova_inode *inode;
	int rc;

	/* A pin changes nothing on the medium, so read-only mounts have them too; but it changes the in-core inode. */
	if (call->worker->fs->read_only) {
		rc = inode_read(call->worker, file, false, &inode);
	} else {
		rc = inode_write(call->worker, file, false, &inode);
		if (!rc)
			inode->pins++;
	}
	if (rc)
		return rc;
	if (attr)
		inode_attr(inode, attr);
	inode_unlock(inode);
	return 0;
}

/*
 * The life word on the medium shows whether an inode has no name, so not every inode must be loaded. Others may store
 * the slot's line of words meanwhile; each word is stored atomically, and reclaim looks again under the inode's lock.
 */
__attribute__((no_sanitize("thread"))) static bool is_nameless(const struct nova *fs, uint64_t ino,
                                                               struct nova_handle *handle)
{
	const volatile uint64_t *life = (const volatile uint64_t *)(const void *)&slot_at(fs, ino)->words.life[0];
	uint64_t word = le64toh(*life);

	*handle = (struct nova_handle){{ino}, (uint32_t)(word >> 24)};
	return (word >> 16 & 0xff) == NOVA_LIFE_ORPHAN || (word >> 16 & 0xff) == NOVA_LIFE_NAMELESS;
}

static bool reclaim(const struct nova_call *call, struct nova_handle handle)
{
	CLEANUP_UNLOCK struct nova_inode *inode = NULL;

	if (inode_write(call->worker, handle, true, &inode) || !inode_nameless(inode) || inode->pins)
		return false;
	inode_free_orphan(call, inode);
	return true;
}

int nova_reclaim_orphans(const struct nova_call *call)
{
	struct nova *fs = call->worker->fs;
	int reclaimed = 0;

	returning_begin(fs);
	for (uint64_t c = 0; c < fs->chunk_count && __atomic_load_n(&fs->nameless, __ATOMIC_RELAXED); c++) {
		const struct slot_chunk *chunk = __atomic_load_n(&fs->chunks[c], __ATOMIC_ACQUIRE);

		for (uint64_t i = 0; chunk && i < NOVA_SLOTS_PER_CHUNK; i++) {
			struct nova_handle handle;

			if (!is_nameless(fs, chunk->first_ino + i, &handle))
				continue;
			nova_occupy(call->worker, handle.ino);
			reclaimed += reclaim(call, handle);
			nova_vacate(call->worker);
		}
	}
	returning_end(fs, 1);
	return reclaimed;
}
