/*
 * doctor.c -- `farnova doctor`: finds problems of the installation and says how to solve them.
 */
#include "client/cli/command.h"
#include "client/cli/diagnostics.h"
#include "client/cli/remote.h"
#include "client/cli/report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ROUND_TRIPS 16

static const char help[] = "Usage: farnova doctor [OPTION]... [URL|POOL]...\n"
                           "Look at this host, at pools and at servers, and say for each finding what to do. A POOL\n"
                           "may be a directory where one is to be.\n\n"
                           "      --json          a JSON array with an object for each finding\n" REMOTE_HELP
                           "\nExit code 1 if something that was asked for does not work; notes do not count.\n";

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void doctor_server(struct findings *findings, struct remote *remote, const char *url)
{
	struct statvfs fs_state;
	struct stat st;

	/* A diagnosis should not take the default time limit of half a minute. */
	if (!remote->options.timeout_ms)
		remote->options.timeout_ms = 5000;
	double start = seconds();
	struct farnova *fs = farnova_connect(url, &remote->options);
	if (!fs) {
		const char *advice =
		    errno == ECONNREFUSED ? "start farnovad there, or correct the port"
		    : errno == EPROTO     ? "something else listens at this port: correct the port"
		    : errno == ETIMEDOUT || errno == EHOSTUNREACH
		        ? "check the host's name, its firewall, and that farnovad listens on an address "
		          "that this host can reach (--listen)"
		        : "see the sentence above";
		finding(findings, "server", FINDING_BAD, advice, "%s", farnova_last_error());
		return;
	}
	double connected = seconds();
	int failed = 0;
	for (int i = 0; i < ROUND_TRIPS && !failed; i++)
		failed = farnova_stat(fs, "/", &st);
	double done = seconds();
	if (failed || farnova_statvfs(fs, &fs_state))
		finding(findings, "server", FINDING_BAD, "look at the server's log", "%s", farnova_last_error());
	else
		finding(findings, "server", FINDING_OK, NULL,
		        "%s answers over %s: connected in %.1f ms, a request takes %.0f us, %.1f GiB free", url,
		        farnova_transport(fs), (connected - start) * 1e3, (done - connected) * 1e6 / ROUND_TRIPS,
		        (double)fs_state.f_bavail * (double)fs_state.f_frsize / (1 << 30));
	farnova_disconnect(fs);
}

int doctor_main(int argc, char **argv)
{
	static const struct option long_options[] = {
	    REMOTE_LONG_OPTIONS, {"json", no_argument, NULL, OPTION_JSON}, {NULL, 0, NULL, 0}};
	struct findings findings = {0};
	struct remote remote;
	int option, code;

	remote_init(&remote, "doctor");
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == OPTION_JSON)
			findings.as_json = true;
		else if ((code = remote_option(&remote, option, help)) >= 0)
			return code;
	}
	for (int i = optind; i < argc; i++)
		if (remote_is_url(argv[i]) && (code = remote_check_url(&remote, argv[i])))
			return code;

	findings.json = (struct json){stdout, true};
	if (findings.as_json)
		json_open(&findings.json, NULL, '[');
	doctor_rdma(&findings);
	doctor_host(&findings);
	for (int i = optind; i < argc; i++) {
		if (remote_is_url(argv[i]))
			doctor_server(&findings, &remote, argv[i]);
		else
			doctor_pool(&findings, argv[i]);
	}
	if (findings.as_json) {
		json_close(&findings.json, ']');
		putchar('\n');
	}
	return findings.bad ? EXIT_FAILED : EXIT_OK;
}
