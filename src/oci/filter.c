/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/filter.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dir.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "oci/profile.h"

#define CACHE    ".filters~"
#define OWN_FILE "filter"
#define MAGIC    "zlfilt1"
/* What an old reader, or one that finds no filter beside it, makes of a shortened document. */
#define KILLER   "{\"defaultAction\":\"SCMP_ACT_KILL_PROCESS\"}"

enum {
  MAX_CACHED = 64,  /* profiles; then the cache is emptied */
  MAX_INSNS = 4096, /* the kernel's BPF_MAXINSNS */
  MAX_FILE = 2 * ZL_MAX_BUNDLE,
  NAME_TEXT = 17
};

/* The instructions and the text follow. */
struct head {
  char magic[8];
  uint64_t inode, size, changed_s, changed_ns; /* of the program that compiled it */
  uint64_t sum;                                /* of the instructions and flags */
  uint32_t flags, n_insns;
  uint64_t text_len;
};

/* ---- Files --------------------------------------------------------------------------------- */

static int shorten(const struct zl_buf *text, const struct oci_span *profile, struct zl_buf *ret,
                   struct zl_error *err)
{
  const char *rest = profile->at + profile->len;
  int r = zl_buf_append(ret, text->data, (size_t)(profile->at - text->data), err);

  if (r == 0)
    r = zl_buf_puts(ret, KILLER, err);
  return r == 0 ? zl_buf_append(ret, rest, (size_t)(text->data + text->len - rest), err) : r;
}

static bool is_ours(int fd, mode_t type)
{
  struct stat st;

  return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type && st.st_uid == geteuid() &&
         (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* -1: none that may be used. */
static int open_cache(const struct oci_container *c)
{
  zl_autofd fd = -1;

  if (!is_ours(c->root_fd, S_IFDIR))
    return -1;
  fd = zl_fd_open(c->root_fd, CACHE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
  if (fd == -ENOENT && mkdirat(c->root_fd, CACHE, 0700) == 0)
    fd = zl_fd_open(c->root_fd, CACHE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
  return fd >= 0 && is_ours(fd, S_IFDIR) ? zl_steal_fd(&fd) : -1;
}

/* Another program may compile the same text to another filter. */
static bool make_head(struct head *head)
{
  struct stat st;

  *head = (struct head){ .magic = MAGIC };
  if (stat("/proc/self/exe", &st) < 0)
    return false;
  head->inode = st.st_ino;
  head->size = (uint64_t)st.st_size;
  head->changed_s = (uint64_t)st.st_mtim.tv_sec;
  head->changed_ns = (uint64_t)st.st_mtim.tv_nsec;
  return true;
}

/* Tells apart what differs by chance: no protection against anybody. */
static uint64_t sum_of(const void *data, size_t len, uint64_t seed)
{
  uint64_t sum = UINT64_C(0xcbf29ce484222325) ^ len ^ seed << 32, word;

  for (size_t i = 0; i < len; i += sizeof(word)) {
    word = 0;
    memcpy(&word, (const char *)data + i, len - i < sizeof(word) ? len - i : sizeof(word));
    sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    sum ^= sum >> 29;
  }
  return sum;
}

static void name_of(const struct oci_span *profile, char text[NAME_TEXT])
{
  (void)snprintf(text, NAME_TEXT, "%016llx",
                 (unsigned long long)sum_of(profile->at, profile->len, 0));
}

static int read_whole(int fd, struct zl_buf *ret, struct zl_error *err)
{
  struct stat st;
  ssize_t n;
  int r;

  if (fstat(fd, &st) < 0 || st.st_size < (off_t)sizeof(struct head) || st.st_size > (off_t)ret->max)
    return zl_fail(err, ZL_E_INVALID, 0, "file of a filter: of a strange size");
  r = zl_buf_reserve(ret, (size_t)st.st_size, err);
  if (r < 0)
    return r;
  n = zl_fd_read_full(fd, ret->data, (size_t)st.st_size);
  if (n != st.st_size)
    return zl_fail(err, ZL_E_SYSTEM, n < 0 ? (int)-n : EIO, "file of a filter");
  ret->len = (size_t)n;
  return 0;
}

/* *ret_text points into the file's content. */
static int take_filter(const struct zl_buf *file, struct head *ret_head,
                       struct zl_seccomp_filter *ret, struct oci_span *ret_text,
                       struct zl_error *err)
{
  size_t size;

  memcpy(ret_head, file->data, sizeof(*ret_head));
  size = ret_head->n_insns * sizeof(*ret->insns);
  if (memcmp(ret_head->magic, MAGIC, sizeof(MAGIC)) != 0 || ret_head->n_insns == 0 ||
      ret_head->n_insns > MAX_INSNS || ret_head->text_len > ZL_MAX_BUNDLE ||
      file->len != sizeof(*ret_head) + size + ret_head->text_len ||
      ret_head->sum != sum_of(file->data + sizeof(*ret_head), size, ret_head->flags))
    return zl_fail(err, ZL_E_INVALID, 0, "file of a filter: damaged");
  ret->insns = malloc(size);
  if (ret->insns == NULL)
    return zl_fail_nomem(err, "system call filter");
  memcpy(ret->insns, file->data + sizeof(*ret_head), size);
  ret->len = (unsigned short)ret_head->n_insns;
  ret->flags = ret_head->flags;
  *ret_text =
      (struct oci_span){ .at = file->data + sizeof(*ret_head) + size, .len = ret_head->text_len };
  return 0;
}

static int read_filter(int fd, struct head *ret_head, struct zl_buf *file,
                       struct zl_seccomp_filter *ret, struct oci_span *ret_text,
                       struct zl_error *err)
{
  int r = is_ours(fd, S_IFREG)
              ? read_whole(fd, file, err)
              : zl_fail(err, ZL_E_PERMISSION, 0, "file of a filter: not ours alone");

  return r < 0 ? r : take_filter(file, ret_head, ret, ret_text, err);
}

/* The file stays the container's when the cache is emptied. */
static bool give(const struct oci_container *c, int fd)
{
  char path[ZL_FD_PATH];

  return linkat(AT_FDCWD, zl_path_of_fd(fd, path), c->dir_fd, OWN_FILE, AT_SYMLINK_FOLLOW) == 0;
}

static bool load(const struct oci_container *c, int cache_fd, const struct oci_span *profile,
                 const struct head *own, struct zl_seccomp_filter *filter)
{
  zl_autobuf file = ZL_BUF_INIT(MAX_FILE);
  zl_autofilter found = { 0 };
  char name[NAME_TEXT];
  struct head head;
  struct oci_span text;
  zl_autofd fd = -1;

  name_of(profile, name);
  fd = zl_fd_open(cache_fd, name, O_RDONLY | O_NOFOLLOW, 0);
  if (fd < 0 || read_filter(fd, &head, &file, &found, &text, NULL) < 0)
    return false;
  if (head.inode != own->inode || head.size != own->size || head.changed_s != own->changed_s ||
      head.changed_ns != own->changed_ns || text.len != profile->len ||
      memcmp(text.at, profile->at, text.len) != 0 || !give(c, fd))
    return false;
  *filter = found;
  found.insns = NULL;
  return true;
}

static bool is_full(int cache_fd)
{
  zl_autodir *dir = zl_dir_open(cache_fd, ".");
  size_t n = 0;

  while (dir != NULL && readdir(dir) != NULL)
    n++;
  return n > MAX_CACHED + 2;
}

static void drop_all(int cache_fd)
{
  zl_autodir *dir = zl_dir_open(cache_fd, ".");
  const struct dirent *e;

  while (dir != NULL && (e = readdir(dir)) != NULL)
    (void)unlinkat(cache_fd, e->d_name, 0);
}

static bool store(const struct oci_container *c, int cache_fd, const struct oci_span *profile,
                  const struct head *own, const struct zl_seccomp_filter *filter)
{
  zl_autobuf file = ZL_BUF_INIT(MAX_FILE);
  struct head head = *own;
  char name[NAME_TEXT];
  zl_autofd fd = -1;

  head.flags = filter->flags;
  head.n_insns = filter->len;
  head.text_len = profile->len;
  head.sum = sum_of(filter->insns, filter->len * sizeof(*filter->insns), filter->flags);
  name_of(profile, name);
  if (is_full(cache_fd))
    drop_all(cache_fd);
  if (zl_buf_append(&file, &head, sizeof(head), NULL) < 0 ||
      zl_buf_append(&file, filter->insns, filter->len * sizeof(*filter->insns), NULL) < 0 ||
      zl_buf_append(&file, profile->at, profile->len, NULL) < 0 ||
      zl_file_replace(cache_fd, name, file.data, file.len, 0600, false, NULL) < 0)
    return false;
  fd = zl_fd_open(cache_fd, name, O_RDONLY | O_NOFOLLOW, 0);
  return fd >= 0 && give(c, fd);
}

/* ---- The whole ----------------------------------------------------------------------------- */

static int read_plain(const struct zl_buf *text, json_t **ret_doc,
                      struct zl_engine_config **ret_config, struct zl_error *err)
{
  zl_autojson *doc = NULL;
  int r = zl_engine_document_parse(text->data, text->len, &doc, err);

  if (r == 0)
    r = zl_engine_config_read(doc, ret_config, err);
  if (r == 0)
    *ret_doc = zl_steal_ptr(&doc);
  return r;
}

/* What a filter's file may stand for: a profile that has no further wishes. */
static bool is_plain(const struct zl_seccomp_profile *p, const struct zl_seccomp_filter *filter)
{
  return p->listener_path == NULL && p->listener_metadata == NULL &&
         (filter->flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) == 0;
}

static bool is_profile(const struct oci_span *profile, const json_t *doc)
{
  zl_autojson *value = NULL;

  return zl_engine_document_parse(profile->at, profile->len, &value, NULL) == 0 &&
         json_equal(value, json_object_get(json_object_get(doc, "linux"), "seccomp"));
}

/* The killer is where the profile was. */
static bool has_killer(const struct zl_engine_config *config)
{
  return config != NULL && config->seccomp != NULL && config->seccomp->n_rules == 0 &&
         config->seccomp->default_action == SECCOMP_RET_KILL_PROCESS;
}

static bool read_short(const struct zl_buf *text, json_t **ret_doc,
                       struct zl_engine_config **ret_config)
{
  zl_autojson *doc = NULL;
  zl_autoconfig *config = NULL;

  if (read_plain(text, &doc, &config, NULL) < 0 || !has_killer(config))
    return false;
  *ret_doc = zl_steal_ptr(&doc);
  *ret_config = zl_steal_ptr(&config);
  return true;
}

static void exchange(struct zl_buf *a, struct zl_buf *b)
{
  struct zl_buf kept = *a;

  *a = *b;
  *b = kept;
}

/* Compiles what was not known, and keeps it if it can be kept. */
static int learn(struct oci_container *c, int cache_fd, const struct oci_span *profile,
                 const struct head *own, const json_t *doc, struct zl_engine_config *config,
                 struct zl_seccomp_filter *filter, bool *ret_kept, struct zl_error *err)
{
  int r;

  if (config->seccomp == NULL || config->seccomp->listener_path != NULL)
    return 0; /* the engine's business */
  r = zl_seccomp_compile(config->seccomp, filter, err);
  if (r < 0)
    return zl_wrap(err, "system call filter");
  config->filter = filter;
  *ret_kept = is_plain(config->seccomp, filter) && is_profile(profile, doc) &&
              store(c, cache_fd, profile, own, filter);
  return 0;
}

int oci_filter_read(struct oci_container *c, struct zl_buf *text, json_t **ret_doc,
                    struct zl_engine_config **ret_config, struct zl_seccomp_filter *filter,
                    struct zl_error *err)
{
  zl_autobuf rest = ZL_BUF_INIT(MAX_FILE);
  struct oci_span profile;
  struct head own;
  zl_autofd cache = open_cache(c);
  bool kept = false;
  int r;

  if (cache < 0 || text->len == 0 || !make_head(&own) ||
      !oci_profile_find(text->data, text->len, &profile))
    return read_plain(text, ret_doc, ret_config, err);
  r = shorten(text, &profile, &rest, err);
  if (r < 0)
    return r;
  if (load(c, cache, &profile, &own, filter)) {
    if (read_short(&rest, ret_doc, ret_config)) {
      (*ret_config)->filter = filter;
      exchange(text, &rest);
      return 0;
    }
    (void)unlinkat(c->dir_fd, OWN_FILE, 0);
    zl_seccomp_filter_done(filter);
  }
  r = read_plain(text, ret_doc, ret_config, err);
  if (r == 0)
    r = learn(c, cache, &profile, &own, *ret_doc, *ret_config, filter, &kept, err);
  if (r == 0 && kept)
    exchange(text, &rest);
  return r;
}

int oci_filter_open(const struct oci_container *c, struct zl_seccomp_filter *ret,
                    struct zl_error *err)
{
  zl_autobuf file = ZL_BUF_INIT(MAX_FILE);
  zl_autofd fd = zl_fd_open(c->dir_fd, OWN_FILE, O_RDONLY | O_NOFOLLOW, 0);
  struct head head;
  struct oci_span text;
  int r;

  if (fd == -ENOENT)
    return 0;
  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "the filter of container '%s'", c->id);
  r = read_filter(fd, &head, &file, ret, &text, err);
  return r < 0 ? r : 1;
}
