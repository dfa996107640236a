/*
 * nova_assert_test.c -- the core ends the process rather than store what breaks an invariant.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/nova/change/txn.h"
#include "server/nova/inode/inode.h"
#include "server/nova/space/worker.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* What `broken` does must end a child by abort(), and tell which condition did not hold. */
static void assert_aborts(void (*broken)(void), const char *condition)
{
	char told[1000] = "";
	size_t length = 0;
	ssize_t n;
	int ends[2];
	int status;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0});
		signal(SIGABRT, SIG_DFL);
		dup2(ends[1], 2);
		broken();
		_exit(0);
	}
	close(ends[1]);
	while (length < sizeof told - 1 && (n = read(ends[0], told + length, sizeof told - 1 - length)) > 0)
		length += (size_t)n;
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(told, condition));
}

static void sixth_log(void)
{
	struct txn txn = {.log_count = TXN_LOGS};
	struct nova_inode inode = {.ino = 1};

	txn_log_new(&txn, &inode);
}

static void append_without_the_lock(void)
{
	struct nova_inode inode = {.ino = 1};
	struct log_append append;

	inode_append_start(&append, &inode, ALLOC_GROWS);
}

static void sixth_life(void)
{
	struct txn txn = {.life_count = NOVA_RECORD_WORDS};
	struct nova_inode inode = {.life = NOVA_LIFE_ALLOCATED};

	txn_life(&txn, &inode, NOVA_LIFE_FREE);
}

static void orphan_that_gets_a_name(void)
{
	struct txn txn = {0};
	struct nova_inode inode = {.life = NOVA_LIFE_ORPHAN};

	txn_life(&txn, &inode, NOVA_LIFE_ALLOCATED);
}

static void record_of_too_many_words(void)
{
	static struct nova_worker worker;
	struct journal_word words[NOVA_RECORD_WORDS + 1] = {{0}};

	journal_commit(&worker, words, NOVA_RECORD_WORDS + 1);
}

static void a_transaction_has_no_more_logs_and_lives_than_it_has_room_for(void **state)
{
	assert_aborts(sixth_log, "log_count < ");
	assert_aborts(sixth_life, "life_count < ");
	assert_aborts(record_of_too_many_words, "count <= ");
}

static void an_inode_is_locked_where_its_log_is_appended_to(void **state)
{
	assert_aborts(append_without_the_lock, "inode_write_locked");
}

static void an_orphan_never_gets_a_name(void **state)
{
	assert_aborts(orphan_that_gets_a_name, "may_become");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_transaction_has_no_more_logs_and_lives_than_it_has_room_for),
	    cmocka_unit_test(an_inode_is_locked_where_its_log_is_appended_to),
	    cmocka_unit_test(an_orphan_never_gets_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
