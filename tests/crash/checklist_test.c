/*
 * checklist_test.c -- what is said to be tried for faults that others found is what is tried: each name is an
 * operation's, and the page shows the list as it is.
 */
#include "tests/crash/checklist.h"
#include "tests/crash/trios.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OPERATIONS_LEAST 40u

static void each_name_is_that_of_an_operation(void **state)
{
	assert_int_equal(checklist_check(), 0);
	assert_int_equal(trios_check(), 0);
}

static void no_two_operations_have_one_name(void **state)
{
	assert_true(operation_count >= OPERATIONS_LEAST);
	for (size_t i = 0; i < operation_count; i++)
		assert_ptr_equal(checklist_operation(operations[i].name), &operations[i]);
}

/* In every state: else a fault would be looked for in no pool but that of two zones. */
static void what_a_row_names_is_tried_in_every_state(void **state)
{
	for (size_t i = 0; i < checklist_count; i++)
		for (size_t k = 0; k < CHECKLIST_MAX && checklist[i].operations[k]; k++)
			assert_false(checklist_operation(checklist[i].operations[k])->zones);
}

static char *whole_file(const char *path)
{
	char *text = NULL;
	size_t room = 0;
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	assert_true(getdelim(&text, &room, '\0', f) > 0);
	fclose(f);
	return text;
}

/* Runs of white space become one blank, so that it does not matter where the page's lines are wrapped. */
static void fold(char *text)
{
	char *to = text;

	for (char *from = text; *from; from++)
		if (!isspace((unsigned char)*from))
			*to++ = *from;
		else if (to == text || to[-1] != ' ')
			*to++ = ' ';
	*to = '\0';
}

static void the_page_shows_the_list_as_it_is(void **state)
{
	char *page = whole_file(FARNOVA_SOURCE_DIR "/tests/crash/README.md");
	char *list = NULL, *rest = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&list, &size);

	assert_non_null(f);
	checklist_list(f);
	fclose(f);
	fold(page);
	for (char *line = strtok_r(list, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (!strstr(page, line))
			fail_msg("tests/crash/README.md lacks this line of crash_test --checklist:\n%s", line);
	free(list);
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_name_is_that_of_an_operation),
	    cmocka_unit_test(no_two_operations_have_one_name),
	    cmocka_unit_test(what_a_row_names_is_tried_in_every_state),
	    cmocka_unit_test(the_page_shows_the_list_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
