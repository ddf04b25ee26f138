/* SPDX-License-Identifier: Apache-2.0
 *
 * winlayer_tool PARENTS FAIL_AT [ROOT:KIND:PATH...] <LAYER.tar
 *
 * Imports a layer into fake_host.h's host, with these files in the layers below, and prints "ok" or
 * "error CODE MESSAGE", then what the host saw.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_host.h"
#include "image/layer/tar.h"
#include "image/windows/sink_windows.h"

static int feed(struct zl_tar *tar, struct zl_error *err)
{
  char chunk[1000];
  size_t n;
  int r = 0;

  while (r == 0 && (n = fread(chunk, 1, sizeof(chunk), stdin)) > 0)
    r = zl_tar_feed(tar, chunk, n, err);
  return r == 0 ? zl_tar_finish(tar, err) : r;
}

static int import(struct fake_host *host, size_t n_parents, struct zl_error *err)
{
  const struct zl_tar_limits limits = { .bytes = 64 << 20, .entries = 10000 };
  struct zl_sink_windows *sink = NULL;
  struct zl_tar *tar = NULL;
  int r = zl_sink_windows_new(&fake_host_ops, host, n_parents, &sink, err);

  if (r == 0)
    r = zl_tar_new(&limits, &zl_sink_windows_ops, sink, &tar, err);
  if (r == 0)
    r = feed(tar, err);
  if (r == 0)
    r = zl_sink_windows_ops.seal(sink, err);
  zl_tar_free(tar);
  zl_sink_windows_ops.free(sink);
  return r;
}

static void add(struct fake_host *host, char *text)
{
  char *kind = strchr(text, ':');

  if (kind == NULL || kind[1] == '\0' || kind[2] != ':')
    abort();
  fake_host_add(host, (int)strtol(text, NULL, 10), kind[1], kind + 3);
}

int main(int argc, char **argv)
{
  struct zl_error err = { 0 };
  struct fake_host *host;
  bool closed;
  int r;

  if (argc < 3)
    return 2;
  host = fake_host_new(strtoul(argv[1], NULL, 10));
  fake_host_fail_at(host, (unsigned)strtoul(argv[2], NULL, 10));
  for (int i = 3; i < argc; i++)
    add(host, argv[i]);
  r = import(host, strtoul(argv[1], NULL, 10), &err);
  if (r == 0)
    (void)printf("ok\n");
  else
    (void)printf("error %s %s\n", zl_code_name(err.code), err.msg);
  closed = fake_host_print(host, stdout);
  fake_host_free(host);
  return closed ? 0 : 3;
}
