/* SPDX-License-Identifier: Apache-2.0
 *
 * A node of its own in a temporary directory, as setup and teardown of a test.
 */
#ifndef ZL_TESTS_RUNTIME_BOX_H
#define ZL_TESTS_RUNTIME_BOX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/path.h"
#include "runtime/node.h"

struct node {
  char root[64];
  struct zl_runtime *rt;
  struct zl_store *store;
};

static inline struct zl_runtime *open_node(const char *root)
{
  struct zl_runtime *rt = NULL;

  assert_int_equal(zl_runtime_open(&(struct zl_runtime_options){ .root = root }, &rt, NULL), 0);
  return rt;
}

static inline int setup_node(void **state)
{
  struct node *node = calloc(1, sizeof(*node));

  assert_non_null(node);
  (void)snprintf(node->root, sizeof(node->root), "/tmp/zlayer-test-node-XXXXXX");
  assert_non_null(mkdtemp(node->root));
  node->rt = open_node(node->root);
  assert_int_equal(zl_node_store(node->rt, &node->store, NULL), 0);
  *state = node;
  return 0;
}

static inline int teardown_node(void **state)
{
  struct node *node = *state;

  zl_runtime_close(node->rt);
  assert_int_equal(zl_path_remove_tree(AT_FDCWD, node->root), 0);
  free(node);
  return 0;
}

#endif
