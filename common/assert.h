/*
 * assert.h -- invariants that are checked at run time.
 *
 * An fn_assert that fails is an error of the program, never of its input: the process says which and ends, because what
 * it would store next could not be trusted. Not for what a client, the medium or a user can bring about.
 *
 * They are on in every build, whatever NDEBUG says, and stand where they cost a compare and a branch: those of the core
 * take 0.7 % of the instructions of a create and 0.3 % of those of a write of 4 KiB (valgrind --tool=callgrind over
 * bench-counts --case create, --case overwrite_4k). -DFARNOVA_NO_ASSERT leaves them out.
 */
#ifndef FARNOVA_COMMON_ASSERT_H
#define FARNOVA_COMMON_ASSERT_H

#ifdef FARNOVA_NO_ASSERT
#define fn_assert(condition) ((void)sizeof(condition))
#else
#define fn_assert(condition)                                                                                           \
	(__builtin_expect(!!(condition), 1) ? (void)0 : fn_assert_failed(#condition, __FILE__, __LINE__))
#endif

/* fn_assert_failed -- log what was not true, and abort. */
__attribute__((noreturn, cold)) void fn_assert_failed(const char *condition, const char *file, int line);

#endif
