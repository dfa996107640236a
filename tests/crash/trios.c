/*
 * trios.c -- what three threads do at once.
 */
#include "tests/crash/trios.h"

#include "tests/crash/checklist.h"

#include <stdio.h>

const struct trio trios[] = {
    {"the idle thread rewrites a log that one thread appends to and another has read",
     {"gc-step-file", "append", "look"}},
    {"likewise, and the reader leaves its access time in the log", {"gc-step-file", "overwrite", "accessed"}},
    {"likewise of a directory", {"gc-step-directory", "create", "look-directory"}},
    {"names come and go in a directory that is being rewritten",
     {"gc-step-directory", "rename-other", "unlink-one-of-two"}},
    {"a rename across directories beside changes in both", {"rename-other", "create", "unlink-one-of-two"}},
    {"likewise over a name", {"rename-over-other", "create", "rmdir"}},
    {"a directory changes its parent while the new one gains and the old one loses a name",
     {"rename-directory-other", "link", "unlink"}},
    {"an exchange beside changes of both", {"exchange-other", "append", "chmod"}},
    {"records of two rings move the tail of one inode, and a third change moves it without one",
     {"link", "rename-over-linked", "append"}},
    {"records of three rings are about one inode", {"link", "rename-same", "unlink"}},
    {"an inode loses both names while it is written", {"unlink-one-of-two", "rename-over-linked", "write-new"}},
    {"what is freed is wanted at once by two", {"unlink", "write-64k", "append-blocks"}},
    {"two see what a third writes, before and after", {"append", "look", "truncate-unaligned"}},
};
const size_t trio_count = sizeof(trios) / sizeof(trios[0]);

int trios_check(void)
{
	int wrong = 0;

	for (size_t i = 0; i < trio_count; i++)
		for (size_t k = 0; k < 3; k++)
			if (!checklist_operation(trios[i].operations[k])) {
				printf("FAIL three threads are to do %s, which is no operation\n",
				       trios[i].operations[k]);
				wrong = 1;
			}
	return wrong;
}
