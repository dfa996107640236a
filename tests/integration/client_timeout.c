/*
 * client_timeout.c -- calls that wait for a server which stays away give up in time, with words; a resumed one goes on.
 *
 *   client_timeout URL -- connect, then follow commands on stdin, one a line, each answered by a line:
 *     read      read the open file: "ok" or the errno and the last error
 *     stat      stat the root, the same
 *     blocked   the milliseconds a stat took, whatever it gave
 */
#include "client/include/farnova.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void answer(int failed)
{
	if (failed)
		printf("%s: %s\n", strerrorname_np(errno), farnova_last_error());
	else
		printf("ok\n");
}

static long now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
	struct farnova_options options = {.size = sizeof(options), .timeout_ms = 1500};
	struct farnova *fs = argc == 2 ? farnova_connect(argv[1], &options) : NULL;
	char line[64], buffer[8];
	struct stat st;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!fs)
		return fprintf(stderr, "usage: client_timeout URL: %s\n", farnova_last_error()), 2;
	struct farnova_file *file = farnova_open(fs, "timed", O_RDWR | O_CREAT, 0600);
	if (!file || farnova_write(file, "present", 7) != 7)
		return fprintf(stderr, "%s\n", farnova_last_error()), 1;
	printf("connected\n");
	while (fgets(line, sizeof(line), stdin)) {
		if (strcmp(line, "read\n") == 0) {
			answer(farnova_pread(file, buffer, 7, 0) != 7);
		} else if (strcmp(line, "stat\n") == 0) {
			answer(farnova_stat(fs, "/", &st) != 0);
		} else {
			long before = now_ms();
			(void)!farnova_stat(fs, "/", &st);
			printf("%ld\n", now_ms() - before);
		}
	}
	farnova_close(file);
	farnova_disconnect(fs);
	return 0;
}
