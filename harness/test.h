/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests on CUnit's Basic interface, ending in the line that every test of this tree ends in. Only for *_test.c;
 * it holds code because each test is a program of its own. */
#ifndef LAD_TEST_H
#define LAD_TEST_H

#include <CUnit/Basic.h>
#include <stdio.h>

struct lad_test {
    const char *name; /* NULL ends the list */
    void (*run)(void);
};

/* Runs every test and prints "N passed, M failed"; the result is main's. No test is no success. */
static inline int lad_test_main(const char *suite, const struct lad_test *tests)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    CU_pSuite s = CU_add_suite(suite, NULL, NULL);
    for (const struct lad_test *t = tests; s && t->name; t++)
        CU_add_test(s, t->name, t->run);
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_tests_failed(), passed = CU_get_number_of_tests_run() - failed;
    CU_basic_show_failures(CU_get_failure_list());
    CU_cleanup_registry();
    printf("\n%u passed, %u failed\n", passed, failed);
    return failed || !passed;
}

#endif
