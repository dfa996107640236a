/*
 * pool_commands.h -- the commands of the `farnova` program that work on an unmounted pool.
 *
 * Each takes argc and argv as they are after `farnova` (argv[0] is the command's name), writes to stdout and stderr,
 * and returns the exit code. The caller checks whether stdout could be written. They use getopt_long, so only one may
 * run at a time.
 */
#ifndef FARNOVA_SERVER_POOL_POOL_COMMANDS_H
#define FARNOVA_SERVER_POOL_POOL_COMMANDS_H

/* pool_mkfs_main -- 0 made, 1 failed, 2 usage. */
int pool_mkfs_main(int argc, char **argv);

/* pool_grow_main -- 0 grown or as large already, 1 failed, 2 usage. */
int pool_grow_main(int argc, char **argv);

/* pool_new_uuid_main -- 0 changed, 1 failed, 2 usage. */
int pool_new_uuid_main(int argc, char **argv);

/* pool_fsck_main -- as fsck(8): 0 clean, 1 repaired, 4 errors left, 8 could not check; 2 usage. */
#define POOL_FSCK_OPERATIONAL 8
int pool_fsck_main(int argc, char **argv);

/* pool_dump_main -- 0 shown, 1 failed, 2 usage. */
int pool_dump_main(int argc, char **argv);

#endif
