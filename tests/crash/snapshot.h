/*
 * snapshot.h -- what a file system holds, as text: every name with its attributes and contents, in a canonical order.
 *
 * Two file systems are the same for their users if and only if their snapshots are equal.
 */
#ifndef FARNOVA_TESTS_CRASH_SNAPSHOT_H
#define FARNOVA_TESTS_CRASH_SNAPSHOT_H

#include "server/nova/nova.h"

#include <stdio.h>

struct snapshot {
	char *text; /* lines, NUL-terminated */
	size_t length, room;
};

/* snapshot_take -- replace what *snapshot holds. -errno, with a line that says where, if something cannot be read. */
int snapshot_take(struct snapshot *snapshot, const struct nova_call *call, struct nova_handle root);
/* snapshot_copy -- 0 or -ENOMEM. */
int snapshot_copy(struct snapshot *copy, const struct snapshot *snapshot);
bool snapshot_equal(const struct snapshot *a, const struct snapshot *b);
/* snapshot_print_difference -- the lines that only one of the two has. */
void snapshot_print_difference(FILE *out, const char *a_name, const struct snapshot *a, const char *b_name,
                               const struct snapshot *b);
void snapshot_free(struct snapshot *snapshot);

#endif
