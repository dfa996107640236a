/*
 * assert.h -- invariants that are checked at run time.
 *
 * A failed fn_assert is an error of the program, never of its input. The process logs it and aborts, because it could
 * not trust what it would store next. Do not use fn_assert for conditions that a client, the medium or a user can
 * cause.
 *
 * The checks are active in every build, whatever NDEBUG says, and are placed where they cost a compare and a branch:
 * those of the core take 0.7 % of the instructions of a create and 0.3 % of those of a 4 KiB write (valgrind
 * --tool=callgrind over bench-counts --case create, --case overwrite_4k). -DFARNOVA_NO_ASSERT removes them.
 */
#ifndef FARNOVA_COMMON_ASSERT_H
#define FARNOVA_COMMON_ASSERT_H

#ifdef FARNOVA_NO_ASSERT
#define fn_assert(condition) ((void)sizeof(condition))
#else
#define fn_assert(condition)                                                                                           \
	(__builtin_expect(!!(condition), 1) ? (void)0 : fn_assert_failed(#condition, __FILE__, __LINE__))
#endif

/* fn_assert_failed -- log the failed condition and abort. */
__attribute__((noreturn, cold)) void fn_assert_failed(const char *condition, const char *file, int line);

#endif
