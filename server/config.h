/*
 * config.h -- the server's settings: the only place where flags and the configuration file are read and validated.
 *
 * Every setting has one name: `key = value` in the file, --key (with '-' for '_') on the command line. The command line
 * overrides the file.
 */
#ifndef FARNOVA_SERVER_CONFIG_H
#define FARNOVA_SERVER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CONFIG_MAX_WORKERS 64u

struct config {
	char pool[4096];
	char listen[1024];  /* as given: ADDR, ADDR:PORT, [ADDR6]:PORT or the path of a UNIX socket */
	char transport[16]; /* auto, verbs or tcp */
	char log_level[16];
	char atime[16];      /* relatime, strictatime or noatime */
	char pid_file[4096]; /* "" = none */
	uint64_t workers;    /* 0 = half the CPUs */
	uint64_t spin_us;    /* how long a worker polls after the last event; UINT64_MAX = by the number of CPUs */
	uint64_t lease_ms;
	uint64_t recall_ms; /* how long others wait for a client to return a recalled layout */
	uint64_t share_ms;
	uint64_t max_clients;  /* sessions */
	uint64_t max_per_host; /* sessions of one host while most of max_clients are taken */
	uint64_t hello_ms;
	uint64_t max_slots;   /* per session */
	uint64_t total_slots; /* of all sessions */
	uint64_t max_opens;   /* per session */
	uint64_t max_regions; /* registrations for layouts per session */
	uint64_t staging_size;
	uint64_t message_size;
	uint64_t ready_fd; /* UINT64_MAX = none */
	bool squash_root;
	bool read_only;
	bool rescue;
	bool accept_unsafe_shutdown;
	bool full_scan;       /* read all logs even if the pool was unmounted cleanly */
	uint64_t cache_bytes; /* soft limit of DRAM for in-core inodes and indexes, 0 = by the number of inodes */
	uint64_t progress_ms; /* how often a long recovery logs its progress */

	/* from `atime` */
	bool keep_atime;   /* reads never set access times */
	bool strict_atime; /* reads always set them */

	/* from `listen` */
	char host[1024];
	uint16_t port;
};

enum config_result { CONFIG_OK, CONFIG_BAD, CONFIG_HELP, CONFIG_VERSION };

/*
 * config_read -- set the defaults, then read the file named by --config, then the flags. CONFIG_BAD with a sentence in
 * `why` that names the setting, its line and a correct value.
 */
enum config_result config_read(struct config *config, int argc, char **argv, char *why, size_t why_size);

/* config_help -- print all flags with their defaults. */
void config_help(FILE *out);

/* config_split_address -- split ADDR[:PORT], [ADDR6][:PORT] or /path into host and port; -EINVAL. */
int config_split_address(const char *address, char *host, size_t host_size, uint16_t *port);

#endif
