/*
 * blocks.h -- blocks that say whose they are: file, place and version in every 32 bytes, so that a foreign, stale or
 * torn block is told from a right one.
 */
#ifndef FARNOVA_TESTS_INTEGRATION_BLOCKS_H
#define FARNOVA_TESTS_INTEGRATION_BLOCKS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_SIZE 4096u
#define BLOCK_MARK 0x6661726e6f766121u

struct block {
	struct {
		uint64_t mark, file, number, version;
	} lines[BLOCK_SIZE / 32];
};

static inline void block_fill(struct block *block, uint64_t file, uint64_t number, uint64_t version)
{
	for (unsigned i = 0; i < BLOCK_SIZE / 32; i++) {
		block->lines[i].mark = BLOCK_MARK;
		block->lines[i].file = file;
		block->lines[i].number = number;
		block->lines[i].version = version;
	}
}

/* block_version -- of a block that must be `file`'s `number`, whole; the test ends if it is not. */
static inline uint64_t block_version(const struct block *block, uint64_t file, uint64_t number)
{
	for (unsigned i = 0; i < BLOCK_SIZE / 32; i++) {
		if (block->lines[i].mark == BLOCK_MARK && block->lines[i].file == file &&
		    block->lines[i].number == number && block->lines[i].version == block->lines[0].version)
			continue;
		fprintf(stderr,
		        "block %llu of file %llu, version %llu at its start, has at byte %u: mark %llx file %llu "
		        "block %llu version %llu\n",
		        (unsigned long long)number, (unsigned long long)file,
		        (unsigned long long)block->lines[0].version, i * 32, (unsigned long long)block->lines[i].mark,
		        (unsigned long long)block->lines[i].file, (unsigned long long)block->lines[i].number,
		        (unsigned long long)block->lines[i].version);
		exit(1);
	}
	return block->lines[0].version;
}

#endif
