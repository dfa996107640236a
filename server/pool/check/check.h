/*
 * check.h -- checks a pool image for consistency, as fsck does.
 *
 * It sees the pool as a mount would after recovery: committed journal records are applied in memory, nothing is
 * written. What a crash may leave (records to replay, old and new copies of a word, orphans) is no error.
 */
#ifndef FARNOVA_SERVER_POOL_CHECK_H
#define FARNOVA_SERVER_POOL_CHECK_H

#include <stdbool.h>
#include <stdint.h>

struct check_finding {
	const char *part; /* "superblock", "zone", "chunk", "journal", "inode", "log", "block", "name", "clients" */
	uint64_t ino;     /* 0 = none */
	uint64_t block;   /* 0 = none */
	const char *text; /* what is wrong; valid during the call */
};

struct check_project {
	uint32_t id;
	uint64_t inodes; /* in use, counted over the inodes */
	uint64_t blocks;
	uint64_t inode_limit; /* 0 = none */
	uint64_t block_limit;
	uint64_t line; /* of the newest QUOTA entry: offset in the pool / 64, 0 = there is none */
};

struct check_client {
	uint64_t number;
	int64_t created_ns;
	uint32_t groups; /* bit g: it has the page of group g */
};

/* An intent that is neither void nor damaged. */
struct check_intent {
	uint64_t number; /* of the client */
	uint32_t slot;
	uint32_t sequence;
	uint8_t op;
	uint64_t ino;
	uint32_t generation;
	uint64_t position;
	const uint8_t *result; /* NOVA_INTENT_RESULT bytes */
	bool committed;
};

struct check_report {
	/* Set by the caller; each may be NULL. */
	void (*finding)(struct check_report *report, const struct check_finding *finding);
	void (*progress)(struct check_report *report, const char *what, uint64_t done,
	                 uint64_t total); /* "inodes", then "names" */
	void (*project)(struct check_report *report,
	                const struct check_project *project); /* for each project, in order, at the end */
	void (*client)(struct check_report *report, const struct check_client *client);
	void (*intent)(struct check_report *report, const struct check_intent *intent); /* after all clients */
	void *context;

	/* Set by nova_check. */
	uint64_t errors;
	uint64_t files;
	uint64_t directories;
	uint64_t symlinks;
	uint64_t others; /* FIFOs, sockets, devices */
	uint64_t orphans;
	uint64_t clients; /* identities in the client table */
	uint64_t intents; /* of requests that were committed */
	uint64_t names;
	uint64_t log_pages;
	uint64_t data_blocks;
	uint64_t slot_chunks;
	uint64_t blocks;           /* in the pool */
	uint64_t free_blocks;      /* unused blocks in general chunks */
	uint64_t replayed_records; /* committed records that the next mount reads */
	bool clean;                /* unmounted cleanly */
};

/*
 * nova_check -- check the pool of `size` bytes at `base`. 0 if it is consistent, 1 if errors were found (passed to
 * report->finding one by one), -ENOMEM. Takes 4 bytes of address space for each block of the pool, and memory for the
 * blocks in use, and some 100 bytes for each inode and 40 for each name. Thread safe; the image must not change
 * meanwhile.
 */
int nova_check(const void *base, uint64_t size, struct check_report *report);

#endif
