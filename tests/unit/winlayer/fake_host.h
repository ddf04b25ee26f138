/* SPDX-License-Identifier: Apache-2.0
 *
 * A host for Windows layers that remembers: files in memory, and each call on a line. It is as
 * strict as NTFS and the import are: names have no case, nothing is made twice or below what is not
 * there, nothing goes through a reparse point, staged directories have their marks, and streams
 * are whole. A place that no host may ever be asked for ends the program.
 */
#ifndef ZL_TEST_FAKE_HOST_H
#define ZL_TEST_FAKE_HOST_H

#include <stdio.h>

#include "image/windows/host.h"

struct fake_host;

extern const struct zl_win_host_ops fake_host_ops;

struct fake_host *fake_host_new(size_t n_parents);
void fake_host_free(struct fake_host *host);
/* A file ('f'), directory ('d') or directory link ('j') of a layer below; its directories too. */
void fake_host_add(struct fake_host *host, int root, char kind, const char *path);
/* The call number `n` (from 1 on) fails; 0: none. */
void fake_host_fail_at(struct fake_host *host, unsigned n);
unsigned fake_host_open_files(const struct fake_host *host);
/* The calls, then all files, a line each. False: a file was left open. */
bool fake_host_print(const struct fake_host *host, FILE *out);

#endif
