/*
 * remote.h -- URLs on the command line: the options they share and the connections they lead to.
 *
 * A command reads its options with getopt_long, with REMOTE_LONG_OPTIONS among its own, and then asks for the
 * connection of each URL; URLs of one server share a connection. One thread.
 */
#ifndef FARNOVA_CLI_REMOTE_H
#define FARNOVA_CLI_REMOTE_H

#include "client/include/farnova.h"

#include <getopt.h>
#include <stdbool.h>

/* Values of long options without a letter; those of a command itself begin at OPTION_COMMAND. */
enum { OPTION_HELP = 256, OPTION_TRANSPORT, OPTION_TIMEOUT, OPTION_JSON, OPTION_COMMAND };

#define REMOTE_LONG_OPTIONS                                                                                            \
	{"help", no_argument, NULL, OPTION_HELP}, {"transport", required_argument, NULL, OPTION_TRANSPORT},            \
	{                                                                                                              \
		"timeout", required_argument, NULL, OPTION_TIMEOUT                                                     \
	}

#define REMOTE_HELP                                                                                                    \
	"      --transport T   auto (the default), verbs or tcp\n"                                                     \
	"      --timeout S     wait S seconds for a server that does not answer, or `forever`;\n"                      \
	"                      30 is the default\n"                                                                    \
	"      --help          show this help\n"

struct remote {
	const char *command;
	struct farnova_options options;
	struct connection *connections;
};

/* remote_init -- for `command`, which is the name in messages. remote_done ends it and all its connections. */
void remote_init(struct remote *remote, const char *command);
void remote_done(struct remote *remote);

/*
 * remote_option -- take an option that getopt_long returned and the command does not know itself. Returns -1 to go on,
 * else the exit code to end with: after --help (`help` is printed), a wrong value or an unknown option.
 */
int remote_option(struct remote *remote, int option, const char *help);

/* remote_is_url -- whether an argument is meant as a URL ("scheme://..."), right or wrong. */
bool remote_is_url(const char *argument);

/* remote_check_url -- 0 if `url` has the form of one, else EXIT_USAGE after saying what is wrong with it. */
int remote_check_url(const struct remote *remote, const char *url);

/*
 * remote_open -- the connection for `url` and the path in it ("/" if it has none; part of `url`). Returns 0, or an exit
 * code after the error was reported: EXIT_USAGE if this is no URL, EXIT_FAILED if the server cannot be reached.
 */
int remote_open(struct remote *remote, const char *url, struct farnova **fs, const char **path);

#endif
