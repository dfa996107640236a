/*
 * operation_parts.h -- the operations, and their preparations, that the table in operations.c names.
 */
#ifndef FARNOVA_TESTS_CRASH_OPERATION_PARTS_H
#define FARNOVA_TESTS_CRASH_OPERATION_PARTS_H

#include "tests/crash/world.h"

/* ---- name_operations.c ---- */

int run_create(struct world *world);
int run_create_long_name(struct world *world);
int run_mkdir(struct world *world);
int run_mknod(struct world *world);
int run_symlink_short(struct world *world);
int run_symlink_lines(struct world *world);
int run_symlink_blob(struct world *world);
int run_link(struct world *world);
int run_tmpfile(struct world *world);
void make_tmpfile(struct world *world);
int run_write_tmpfile(struct world *world);
int run_link_tmpfile(struct world *world);
int run_close_tmpfile(struct world *world);
int run_unlink(struct world *world);
int run_unlink_symlink(struct world *world);
int run_unlink_one_of_two(struct world *world);
void open_f(struct world *world);
void open_and_unlink_f(struct world *world);
int run_close(struct world *world);
int run_write_orphan(struct world *world);
int run_rmdir(struct world *world);
void open_sub(struct world *world);
int run_rename_same(struct world *world);
int run_rename_other(struct world *world);
int run_rename_over(struct world *world);
int run_rename_over_other(struct world *world);
int run_rename_over_linked(struct world *world);
void open_y(struct world *world);
int run_rename_directory_same(struct world *world);
int run_rename_directory_other(struct world *world);
int run_rename_directory_over(struct world *world);
int run_exchange_same(struct world *world);
int run_exchange_other(struct world *world);
int run_exchange_directories(struct world *world);
int run_exchange_kinds(struct world *world);

/* ---- data_operations.c ---- */

int run_write_new(struct world *world);
int run_write_small(struct world *world);
int run_overwrite(struct world *world);
int run_write_unaligned(struct world *world);
int run_write_edges(struct world *world);
int run_append(struct world *world);
int run_append_blocks(struct world *world);
int run_write_sparse(struct world *world);
int run_write_64k(struct world *world);
int run_truncate_aligned(struct world *world);
int run_truncate_unaligned(struct world *world);
int run_truncate_zero(struct world *world);
int run_truncate_up(struct world *world);
int run_fallocate(struct world *world);
int run_fallocate_keep_size(struct world *world);
void reserve_f(struct world *world);
int run_write_reserved(struct world *world);
int run_write_half_reserved(struct world *world);
int run_truncate_reserved(struct world *world);
int run_truncate_up_reserved(struct world *world);
int run_punch_blocks(struct world *world);
int run_punch_edges(struct world *world);
int run_punch_within_block(struct world *world);
int run_zero_range(struct world *world);
int run_zero_range_keep_size(struct world *world);
int run_collapse(struct world *world);
int run_insert(struct world *world);
int run_copy_new(struct world *world);
int run_copy_new_prepared(struct world *world);
int run_copy_edges_prepared(struct world *world);
int run_copy_holes_prepared(struct world *world);
int run_copy_edges(struct world *world);
void punch_f(struct world *world);
int run_copy_holes(struct world *world);

/* ---- attribute_operations.c ---- */

int run_chmod(struct world *world);
int run_look(struct world *world);
int run_look_directory(struct world *world);
int run_setattr_all(struct world *world);
int run_utimes(struct world *world);
void set_two_xattrs(struct world *world);
int run_setxattr(struct world *world);
int run_setxattr_page(struct world *world);
int run_setxattr_blob(struct world *world);
int run_replace_xattr(struct world *world);
int run_replace_xattr_blob(struct world *world);
int run_shrink_xattr(struct world *world);
int run_removexattr(struct world *world);
int run_removexattr_blob(struct world *world);
int run_accessed(struct world *world);
int run_set_project(struct world *world);
int run_set_project_directory(struct world *world);
int run_set_limits(struct world *world);
void make_limits(struct world *world);
int run_change_limits(struct world *world);
void make_project(struct world *world);
int run_create_in_project(struct world *world);
int run_mkdir_in_project(struct world *world);
int run_rename_into_project(struct world *world);
int run_rename_across_projects(struct world *world);
int run_link_across_projects(struct world *world);
int run_append_to_limit(struct world *world);
int run_append_beyond_limit(struct world *world);
int run_unlink_in_project(struct world *world);

/* ---- log_operations.c ---- */

void lengthen_file(struct world *world);
void lengthen_reserved_file(struct world *world);
int run_gc_file(struct world *world);
void lengthen_directory(struct world *world);
int run_gc_directory(struct world *world);
void lengthen_file_for_step(struct world *world);
int run_write_packed(struct world *world);
int run_truncate_packed(struct world *world);
int run_gc_step_file(struct world *world);
void pack_f(struct world *world);
void lengthen_packed_file_for_step(struct world *world);
void lengthen_directory_for_step(struct world *world);
int run_gc_step_directory(struct world *world);
void lengthen_root(struct world *world);
int run_gc_limits(struct world *world);
int run_unmount(struct world *world);
int run_many_slots(struct world *world);
void use_up_a_life(struct world *world);
void use_up_a_life_long_ago(struct world *world);

#endif
