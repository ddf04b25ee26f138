/* SPDX-License-Identifier: Apache-2.0 */
#include "image.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/fd.h"
#include "box.h"

enum {
  BLOCK = 512,
  MAX_IMAGE = 8 << 20
};

/* One header of the ustar format. */
static void add_header(struct zl_buf *tar, const char *name, char type, unsigned mode, size_t size,
                       const char *link)
{
  char h[BLOCK] = { 0 };
  unsigned sum = 0;

  (void)snprintf(h, 100, "%s", name);
  (void)snprintf(h + 100, 8, "%07o", mode);
  (void)snprintf(h + 108, 8, "%07o", 0);
  (void)snprintf(h + 116, 8, "%07o", 0);
  (void)snprintf(h + 124, 12, "%011zo", size);
  (void)snprintf(h + 136, 12, "%011o", 0);
  h[156] = type;
  (void)snprintf(h + 157, 100, "%s", link);
  // NOLINTNEXTLINE(bugprone-not-null-terminated-result): two fields of a header without an end
  memcpy(h + 257, "ustar\00000", 8);
  memset(h + 148, ' ', 8);
  for (size_t i = 0; i < BLOCK; i++)
    sum += (unsigned char)h[i];
  (void)snprintf(h + 148, 8, "%06o", sum);
  assert_int_equal(zl_buf_append(tar, h, BLOCK, NULL), 0);
}

static void add_file(struct zl_buf *tar, const char *name, unsigned mode, const char *data,
                     size_t len)
{
  static const char zeros[BLOCK];

  add_header(tar, name, '0', mode, len, "");
  assert_int_equal(zl_buf_append(tar, data, len, NULL), 0);
  assert_int_equal(zl_buf_append(tar, zeros, (BLOCK - len % BLOCK) % BLOCK, NULL), 0);
}

static void add_text(struct zl_buf *tar, const char *name, const char *text)
{
  add_file(tar, name, 0644, text, strlen(text));
}

static void add_busybox(struct zl_buf *tar)
{
  static const char *const names[] = { "sh",       "sleep",    "true", "false", "echo",  "cat",
                                       "hostname", "id",       "env",  "ls",    "touch", "kill",
                                       "ps",       "ip",       "ping", "head",  "wc",    "dd",
                                       "seq",      "nc",       "pwd",  "grep",  "stty",  "mount",
                                       "mkdir",    "nslookup", "wget", "tail",  "chmod", "printf",
                                       "tr",       "stat",     "awk" };
  struct zl_buf busybox = ZL_BUF_INIT(MAX_IMAGE);

  assert_int_equal(zl_file_read(AT_FDCWD, "/bin/busybox", &busybox, NULL), 0);
  add_file(tar, "bin/busybox", 0755, busybox.data, busybox.len);
  zl_buf_done(&busybox);
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    char path[64];

    (void)snprintf(path, sizeof(path), "bin/%s", names[i]);
    add_header(tar, path, '2', 0777, 0, "busybox");
  }
}

static void make_layer(struct zl_buf *tar)
{
  static const char *const dirs[] = { "bin/",  "etc/", "proc/", "sys/", "dev/",
                                      "root/", "srv/", "var/",  "data/" };
  static const char zeros[2 * BLOCK];

  for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
    add_header(tar, dirs[i], '5', 0755, 0, "");
  add_header(tar, "tmp/", '5', 01777, 0, "");
  add_busybox(tar);
  add_text(tar, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001::/srv:/bin/sh\n");
  add_text(tar, "etc/group", "root:x:0:\nweb:x:1001:\nextra:x:2000:web\n");
  add_text(tar, "etc/not-a-program", "just text\n");
  assert_int_equal(zl_buf_append(tar, zeros, sizeof(zeros), NULL), 0);
}

/* Writes a blob and gives its digest. */
static void add_blob(int dir_fd, const void *data, size_t len, char digest[ZL_DIGEST_TEXT])
{
  char path[ZL_DIGEST_TEXT + 16];
  int fd;

  assert_int_equal(zl_digest_of(ZL_SHA256, data, len, digest, NULL), 0);
  (void)snprintf(path, sizeof(path), "blobs/sha256/%s", digest + strlen("sha256:"));
  fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  assert_true(fd >= 0);
  assert_int_equal(zl_fd_write_full(fd, data, len), 0);
  (void)close(fd);
}

static size_t add_json(int dir_fd, json_t *json, char digest[ZL_DIGEST_TEXT])
{
  char *text = json_dumps(json, JSON_COMPACT);
  size_t len;

  assert_non_null(text);
  len = strlen(text);
  add_blob(dir_fd, text, len, digest);
  free(text);
  json_decref(json);
  return len;
}

static json_t *descriptor(const char *type, const char *digest, size_t size)
{
  return json_pack("{s:s, s:s, s:I}", "mediaType", type, "digest", digest, "size",
                   (json_int_t)size);
}

static void write_json(int dir_fd, const char *name, json_t *json)
{
  char *text = json_dumps(json, JSON_COMPACT);

  assert_int_equal(zl_file_replace(dir_fd, name, text, strlen(text), 0644, false, NULL), 0);
  free(text);
  json_decref(json);
}

static const char *arch(void)
{
#if defined(__aarch64__)
  return "arm64";
#else
  return "amd64";
#endif
}

void image_make(const char *dir)
{
  struct zl_buf tar = ZL_BUF_INIT(MAX_IMAGE);
  char layer[ZL_DIGEST_TEXT], config[ZL_DIGEST_TEXT], manifest[ZL_DIGEST_TEXT];
  size_t config_len, manifest_len;
  int fd;

  assert_int_equal(mkdir(dir, 0755), 0);
  fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  assert_int_equal(mkdirat(fd, "blobs", 0755), 0);
  assert_int_equal(mkdirat(fd, "blobs/sha256", 0755), 0);
  make_layer(&tar);
  add_blob(fd, tar.data, tar.len, layer);
  config_len = add_json(fd,
                        json_pack("{s:s, s:s, s:{s:[s, s, s], s:[s, s], s:s, s:s}, s:{s:s, s:[s]}}",
                                  "architecture", arch(), "os", "linux", "config", "Cmd", "/bin/sh",
                                  "-c", "echo from the image", "Env", "PATH=/bin", "IMAGE=yes",
                                  "WorkingDir", "/srv", "StopSignal", "SIGTERM", "rootfs", "type",
                                  "layers", "diff_ids", layer),
                        config);
  manifest_len = add_json(
      fd,
      json_pack("{s:i, s:s, s:o, s:[o]}", "schemaVersion", 2, "mediaType",
                "application/vnd.oci.image.manifest.v1+json", "config",
                descriptor("application/vnd.oci.image.config.v1+json", config, config_len),
                "layers", descriptor("application/vnd.oci.image.layer.v1.tar", layer, tar.len)),
      manifest);
  write_json(
      fd, "index.json",
      json_pack("{s:i, s:[o]}", "schemaVersion", 2, "manifests",
                descriptor("application/vnd.oci.image.manifest.v1+json", manifest, manifest_len)));
  write_json(fd, "oci-layout", json_pack("{s:s}", "imageLayoutVersion", "1.0.0"));
  zl_buf_done(&tar);
  (void)close(fd);
}
