/* SPDX-License-Identifier: Apache-2.0
 *
 * One HTTP exchange as the arguments say, for test_http.py: METHOD URL [UPLOAD-FILE].
 * Prints "STATUS LOCATION BYTES SHA256", or "failed CODE KIND: MESSAGE".
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "image/http.h"

static int take(void *ctx, const struct zl_http_reply *reply, const void *data, size_t len,
                struct zl_error *err)
{
  (void)reply;
  (void)err;
  zl_hash_update(ctx, data, len);
  return 0;
}

static void *cancel(void *arg)
{
  const uint64_t one = 1;

  (void)usleep(300000);
  (void)!write(*(int *)arg, &one, sizeof(one));
  return NULL;
}

/* A path of "/slow" is cancelled meanwhile. */
static int cancel_slow(const struct zl_url *url, int *fd)
{
  pthread_t thread;

  if (strcmp(url->path, "/slow") != 0)
    return -1;
  *fd = eventfd(0, 0);
  return pthread_create(&thread, NULL, cancel, fd) == 0 ? *fd : -1;
}

int main(int argc, char **argv)
{
  static int cancel_fd;
  zl_autourl url = { 0 };
  zl_autoreply reply = ZL_HTTP_REPLY_INIT;
  ZL_CLEANUP(zl_http_freep) struct zl_http *http = NULL;
  struct zl_http_upload upload = { .fd = -1 };
  struct zl_hash *hash = NULL;
  char text[ZL_DIGEST_TEXT];
  struct zl_error err = { 0 };
  const char *location;
  struct stat st;

  if (argc < 3 || zl_url_parse(argv[2], &url, &err) < 0 || zl_http_new(&http, &err) < 0 ||
      zl_hash_new(ZL_SHA256, &hash, &err) < 0)
    return 2;
  if (argc > 3) {
    upload.fd = open(argv[3], O_RDONLY);
    if (upload.fd < 0 || fstat(upload.fd, &st) < 0)
      return 2;
    upload.size = (uint64_t)st.st_size;
  }
  const struct zl_http_request request = {
    .method = strcmp(argv[1], "FORM") != 0 && strcmp(argv[1], "GET") != 0 ? argv[1] : NULL,
    .form = strcmp(argv[1], "FORM") == 0 ? "a=1&b=2" : NULL,
    .upload = argc > 3 ? &upload : NULL,
    .url = &url,
    .headers = (const char *const[]){ "X-Test: yes", NULL },
    .max_body = 64 << 20,
    .connect_ms = 10000,
    .stall_ms = 2000,
    .cancel_fd = cancel_slow(&url, &cancel_fd),
    .body = take,
    .ctx = hash,
  };

  if (zl_http_run(http, &request, &reply, &err) < 0) {
    (void)printf("failed %s %d: %s\n", zl_code_name(err.code), (int)reply.failure, err.msg);
    return 1;
  }
  location = zl_http_header(&reply, "Location");
  (void)zl_hash_final(hash, text, &err);
  (void)printf("%d %s %llu %s\n", reply.status, location != NULL ? location : "-",
               (unsigned long long)reply.received, text);
  zl_hash_free(hash);
  return 0;
}
