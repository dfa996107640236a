/*
 * client_calls.h -- shared by the parts of client_calls: the connection under test, and the calls of each part.
 */
#ifndef FARNOVA_TESTS_CLIENT_CALLS_H
#define FARNOVA_TESTS_CLIENT_CALLS_H

#include "client/include/farnova.h"
#include "tests/integration/check.h"

#include <stdint.h>
#include <string.h>

/* FAILS -- the call returns -1 with the errno, and the last error names it in words. */
#define FAILS(call, expected)                                                                                          \
	do {                                                                                                           \
		errno = 0;                                                                                             \
		CHECK((call) == -1);                                                                                   \
		CHECK(errno == (expected));                                                                            \
		CHECK(strstr(farnova_last_error(), strerror(expected)));                                               \
	} while (0)
#define FAILS_NULL(call, expected)                                                                                     \
	do {                                                                                                           \
		errno = 0;                                                                                             \
		CHECK((call) == NULL);                                                                                 \
		CHECK(errno == (expected));                                                                            \
		CHECK(strstr(farnova_last_error(), strerror(expected)));                                               \
	} while (0)

extern const char *url;
extern struct farnova *fs;

/* make_file -- a new file with these bytes, open for reading and writing. */
struct farnova_file *make_file(const char *path, const void *data, size_t length);

/* sent -- how many messages of this operation went to the server. */
uint64_t sent(const char *operation);

/* ---- client_calls_space.c ---- */

void reserving_and_punching(void);
void copying(void);
void changing_under_a_layout(void);

/* ---- client_calls_names.c ---- */

void names(void);
void directories(void);
void by_handle(void);

/* ---- client_calls_attributes.c ---- */

void attributes(void);
void on_behalf_of_others(void);
void extended_attributes(void);
void acls_and_the_umask(void);
void file_flags(void);

#endif
