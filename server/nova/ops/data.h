/*
 * data.h -- functions that the operations on file data share. The inode is locked.
 */
#ifndef FARNOVA_NOVA_DATA_H
#define FARNOVA_NOVA_DATA_H

#include "server/nova/change/extent_map.h"

/* data_access -- 0 if the caller may read or write (PERM_READ, PERM_WRITE) the inode's data; -EISDIR, -EINVAL, -EACCES.
 */
int data_access(const struct nova_call *call, const struct nova_inode *inode, unsigned mask);

/* data_copy_out -- copy bytes of the file; the range is within its size. */
void data_copy_out(const struct nova *fs, const struct nova_inode *inode, uint64_t offset, void *buffer,
                   uint64_t length);

/*
 * data_take -- get private blocks for file blocks that are about to be written: the file's reserved blocks, whose
 * content is not visible before the commit, and fresh blocks elsewhere. On an error the caller drops the change.
 */
int data_take(struct extent_map_change *map, uint64_t file_block, uint64_t count, enum alloc_use use);

/* Bytes for the change's pieces: the part of each that they do not cover keeps what the file has there. */
struct data_bytes {
	const uint8_t *data;
	uint64_t offset;
	uint64_t length;
};

/*
 * data_commit -- log the change and the new size (not less than the present), store `bytes` into its blocks (NULL: the
 * caller has), commit, show. `use`: that of the log's pages. Times and mode are as after a write. On an error
 * everything is dropped and fenced. The change has ended either way.
 */
int data_commit(struct txn *txn, struct extent_map_change *map, uint64_t size, enum alloc_use use,
                const struct data_bytes *bytes);

#endif
