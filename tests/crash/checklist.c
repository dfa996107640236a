/*
 * checklist.c -- crash faults found elsewhere, and the operations, pairs and races that would find them here.
 *
 * In every image of all of them: fsck finds nothing (no block used twice, no name without inode, no inode without name,
 * link counts, parents), the pool mounts, the tree is the model's (names, inodes, link counts, sizes, contents, times),
 * no block and no inode is lost or counted wrong, and files can be made, written, renamed and removed.
 */
#include "tests/crash/checklist.h"

#include <stdio.h>
#include <string.h>

const struct checklist_row checklist[] = {
    {
        .where = "create, then mount after a crash",
        .symptom = "mount fails; inode invalid; first log page: tail set while head is 0",
        .operations = {"create", "create-in-used-slot", "create-in-old-slot", "create-long-name", "mkdir", "mknod",
                       "tmpfile", "new-slot-chunk"},
        .pairs = {{"create", "write-new"}, {"create", "unmount"}, {"tmpfile", "create"}},
        .races = {{"create", "create"}, {"create", "mkdir"}},
        .also = "states slot-full and page-full: the first log page of the directory comes with the name",
    },
    {
        .where = "rename over an existing name",
        .symptom = "target, then both names vanish",
        .operations = {"rename-over", "rename-over-other", "rename-over-linked", "rename-over-open",
                       "rename-directory-over", "exchange-same", "exchange-other"},
        .pairs = {{"rename-over", "rename-same"}, {"rename-over", "create"}, {"create", "rename-same"}},
        .races = {{"rename-over", "create"}, {"rename-over", "overwrite"}},
    },
    {
        .where = "rename to another directory; of a directory",
        .symptom = "file unreachable, parent undeletable; contents lost",
        .operations = {"rename-other", "rename-directory-same", "rename-directory-other", "exchange-directories",
                       "exchange-kinds"},
        .pairs = {{"rename-directory-other", "rmdir"},
                  {"rename-directory-other", "rename-directory-over"},
                  {"append-blocks", "rename-other"},
                  {"rename-directory-over", "exchange-kinds"}},
        .races = {{"rename-directory-other", "rmdir"}, {"rename-other", "append"}},
    },
    {
        .where = "rename then link; link + unlink",
        .symptom = "link count wrong",
        .pairs = {{"rename-same", "link"},
                  {"rename-other", "link"},
                  {"link", "unlink"},
                  {"link", "rename-over"},
                  {"link", "link"},
                  {"unlink-one-of-two", "rename-over-linked"},
                  {"unlink", "link"}},
        .races = {{"link", "unlink"}, {"link", "rename-same"}},
    },
    {
        .where = "write + truncate, truncate + fallocate, through several descriptors",
        .symptom = "wrong size, lost data, also after a clean remount",
        .pairs = {{"append", "truncate-unaligned"},
                  {"truncate-unaligned", "append"},
                  {"write-64k", "truncate-zero"},
                  {"truncate-zero", "write-sparse"},
                  {"truncate-unaligned", "unmount"},
                  {"write-edges", "unmount"},
                  {"write-orphan", "truncate-zero"},
                  {"truncate-unaligned", "fallocate"},
                  {"truncate-zero", "fallocate-keep-size"},
                  {"fallocate", "truncate-unaligned"}},
        .races = {{"append", "truncate-unaligned"}, {"write-64k", "truncate-zero"}},
        .also = "the calls have handles, not descriptors: a pin stands for each open one",
    },
    {
        .where = "unaligned write",
        .symptom = "last bytes zero",
        .operations = {"write-small", "write-unaligned", "write-edges", "write-sparse", "append", "tmpfile-write"},
        .pairs = {{"write-unaligned", "write-edges"}, {"append", "append"}},
        .races = {{"append", "append"}},
    },
    {
        .where = "truncate",
        .symptom = "old tail data shows again; not atomic; EIO because size is committed before the checksum",
        .operations = {"truncate-aligned", "truncate-unaligned", "truncate-zero", "truncate-up", "setattr-all"},
        .pairs = {{"truncate-unaligned", "truncate-up"}, {"truncate-aligned", "write-sparse"}},
        .races = {{"truncate-unaligned", "truncate-up"}},
    },
    {
        .where = "symlink",
        .symptom = "target shortened; size differs after remount; not covered by a checksum",
        .operations = {"symlink-short", "symlink-lines", "symlink-blob", "unlink-symlink"},
        .pairs = {{"symlink-blob", "unmount"}, {"symlink-lines", "unmount"}, {"unlink-symlink", "symlink-blob"}},
    },
    {
        .where = "unlink of a hard link",
        .symptom = "name gone first, count later",
        .operations = {"unlink-one-of-two", "rename-over-linked"},
        .pairs = {{"link", "unlink-one-of-two"}, {"unlink-one-of-two", "unmount"}},
        .races = {{"unlink-one-of-two", "rename-over-linked"}},
    },
    {
        .where = "long names",
        .symptom = "listed but unreadable",
        .operations = {"create-long-name"},
        .pairs = {{"create-long-name", "unmount"}, {"create-long-name", "unlink"}},
    },
    {
        .where = "unlink, rmdir",
        .symptom = "`..` missing; name visible, inode gone",
        .operations = {"unlink", "unlink-open", "close-orphan", "rmdir", "rmdir-open", "unlink-symlink"},
        .pairs = {{"unlink", "create"}, {"rmdir", "mkdir"}, {"unlink", "close"}, {"rmdir", "create"}},
        .races = {{"unlink", "overwrite"}, {"unlink", "create"}, {"unlink", "write-small"}, {"rmdir", "create"}},
    },
    {
        .where = "mkdir",
        .symptom = "directory and its `.` differ",
        .operations = {"mkdir"},
        .pairs = {{"mkdir", "unmount"}, {"mkdir", "rename-directory-same"}},
        .races = {{"mkdir", "create"}},
        .also = "`.` and `..` are not stored as names",
    },
    {
        .where = "fallocate",
        .symptom = "reported durable, old state recovered",
        .operations = {"fallocate", "fallocate-keep-size", "write-reserved", "write-half-reserved", "truncate-reserved",
                       "truncate-up-reserved", "punch-blocks", "punch-edges", "punch-within-block", "zero-range",
                       "collapse", "insert"},
        .pairs = {{"fallocate", "append"},
                  {"fallocate-keep-size", "append-blocks"},
                  {"fallocate", "unmount"},
                  {"punch-edges", "write-unaligned"}},
        .races = {{"fallocate", "append"}, {"punch-blocks", "write-new"}},
    },
    {
        .where = "log extension",
        .symptom = "append fails; replica pointer missing",
        .operations = {"append", "chmod", "create", "link", "rename-same"},
        .pairs = {{"append", "append"}, {"chmod", "unmount"}},
        .also = "states slot-full, page-full, line-left and second-zone: each of them extends a log there, in the last "
                "one into another zone",
    },
    {
        .where = "with checksums: any",
        .symptom = "double free of blocks; only one of two logs initialised; whole file missing",
        .operations = {"write-64k", "truncate-zero", "unlink", "overwrite"},
        .pairs = {{"close-orphan", "write-64k"}},
        .races = {{"write-edges", "append-blocks"}},
        .also =
            "fsck claims every block, and free space is counted against it in each image; data has no checksums yet",
    },
    {
        .where = "snapshot, then remount",
        .symptom = "epoch used twice, mount fails; deletion walks a broken list",
        .also = "there are no snapshots yet; the epoch word never changes",
    },
    {
        .where = "GC beside append",
        .symptom = "counters not atomic",
        .operations = {"gc-file", "gc-directory", "gc-reserved-file", "gc-limits", "gc-step-file", "gc-step-directory"},
        .pairs = {{"gc-file", "append"}, {"gc-directory", "create"}},
        .races = {{"gc-file", "append"}, {"gc-directory", "create"}, {"gc-step-file", "append"}},
        .also = "with a third thread that has read: `trios.c`; in state second-zone the new pages lie in another zone",
    },
    {
        .where = "recovery",
        .symptom = "uninitialised DRAM inode used",
        .operations = {"create", "overwrite", "gc-file"},
        .also =
            "a second crash at each fence of the recovery of one image of some, and kills followed by a second life; "
            "every inode is read after every recovery",
    },
};
const size_t checklist_count = sizeof(checklist) / sizeof(checklist[0]);

const struct operation *checklist_operation(const char *name)
{
	for (size_t i = 0; i < operation_count; i++)
		if (strcmp(operations[i].name, name) == 0)
			return &operations[i];
	return NULL;
}

static int check_name(const struct checklist_row *row, const char *name)
{
	if (!name || checklist_operation(name))
		return 0;
	printf("FAIL the checklist's row '%s' names the operation %s, which there is not\n", row->where, name);
	return 1;
}

int checklist_check(void)
{
	int wrong = 0;

	for (size_t i = 0; i < checklist_count; i++) {
		const struct checklist_row *row = &checklist[i];

		for (size_t k = 0; k < CHECKLIST_MAX; k++) {
			wrong |= check_name(row, row->operations[k]);
			for (size_t n = 0; n < 2; n++)
				wrong |= check_name(row, row->pairs[k][n]) | check_name(row, row->races[k][n]);
		}
		if (!row->operations[0] && !row->pairs[0][0] && !row->also) {
			printf("FAIL the checklist's row '%s' is tested by nothing\n", row->where);
			wrong = 1;
		}
	}
	return wrong;
}

static void list_pairs(FILE *out, const char *const pairs[CHECKLIST_MAX][2], const char *between)
{
	for (size_t k = 0; k < CHECKLIST_MAX && pairs[k][0]; k++)
		fprintf(out, "%s%s%s%s", k ? ", " : " ", pairs[k][0], between, pairs[k][1]);
}

void checklist_list(FILE *out)
{
	for (size_t i = 0; i < checklist_count; i++) {
		const struct checklist_row *row = &checklist[i];

		fprintf(out, "- **%s**: *symptom*: %s", row->where, row->symptom);
		for (size_t k = 0; k < CHECKLIST_MAX && row->operations[k]; k++)
			fprintf(out, "%s%s", k ? ", " : "; *operations*: ", row->operations[k]);
		if (row->pairs[0][0])
			fprintf(out, "; *pairs*:");
		list_pairs(out, row->pairs, " then ");
		if (row->races[0][0])
			fprintf(out, "; *races*:");
		list_pairs(out, row->races, " beside ");
		fprintf(out, row->also ? "; *also*: %s\n" : "\n", row->also);
	}
}
