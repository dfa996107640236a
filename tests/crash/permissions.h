/*
 * permissions.h -- operations on who may do what: ACLs, set-ID bits and capabilities, other users' work, file flags.
 * They are named in the table of operations.c.
 */
#ifndef FARNOVA_TESTS_CRASH_PERMISSIONS_H
#define FARNOVA_TESTS_CRASH_PERMISSIONS_H

#include "tests/crash/world.h"

void prepare_acl(struct world *world);         /* of /d/f */
void prepare_default_acl(struct world *world); /* of /d */
void prepare_default_acl_for_user(struct world *world);
void prepare_shared_directory(struct world *world); /* /d: anybody's, with a group that it passes on */
void prepare_privileges(struct world *world);       /* of /d/f, which a user may write to */
void prepare_immutable(struct world *world);        /* a file of its own, and likewise: */
void prepare_append_only(struct world *world);

int run_set_acl(struct world *world);
int run_set_default_acl(struct world *world);
int run_remove_acl(struct world *world);
int run_acl_to_mode(struct world *world);
int run_create_by_user(struct world *world);
int run_mkdir_by_user(struct world *world);
int run_write_by_user(struct world *world);
int run_truncate_by_user(struct world *world);
int run_collapse_by_user(struct world *world);
int run_chown(struct world *world);
int run_set_flags(struct world *world);
int run_clear_flags(struct world *world);
int run_append_to_fixed(struct world *world);
int run_overwrite_fixed(struct world *world);
int run_unlink_fixed(struct world *world);

#endif
