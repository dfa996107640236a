/*
 * command.h -- the description of a command of `farnova`, and the common exit codes.
 */
#ifndef FARNOVA_CLI_COMMAND_H
#define FARNOVA_CLI_COMMAND_H

#include <stdbool.h>

enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1, /* the operation failed, in whole or in part; stderr says why */
	EXIT_USAGE = 2,  /* the command line is wrong; nothing was done */
};

struct command {
	const char *name;
	const char *arguments; /* follow the name in a usage line */
	const char *summary;   /* one line */
	/*
	 * Runs the command; argv[0] is its name. Returns an exit code. Must accept --help, which prints to stdout and
	 * returns EXIT_OK.
	 */
	int (*run)(int argc, char **argv);
};

int ls_main(int argc, char **argv);
int stat_main(int argc, char **argv);
int df_main(int argc, char **argv);
int cat_main(int argc, char **argv);
int put_main(int argc, char **argv);
int get_main(int argc, char **argv);
int cp_main(int argc, char **argv);
int mv_main(int argc, char **argv);
int rm_main(int argc, char **argv);
int mkdir_main(int argc, char **argv);
int ln_main(int argc, char **argv);
int xattr_main(int argc, char **argv);
int getfacl_main(int argc, char **argv);
int setfacl_main(int argc, char **argv);
int lsattr_main(int argc, char **argv);
int chattr_main(int argc, char **argv);
int quota_main(int argc, char **argv);
int mount_main(int argc, char **argv);
int umount_main(int argc, char **argv);

/* mount_helper_is_called -- whether the program was called by the name mount.farnova, as mount(8) does.
 * mount_helper_main -- mount as mount(8) asks; returns an exit code of mount(8). */
bool mount_helper_is_called(const char *program);
int mount_helper_main(int argc, char **argv);
int doctor_main(int argc, char **argv);

#endif
