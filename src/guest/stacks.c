/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/stacks.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/strv.h"

enum {
  MAX_TEXT = 24 << 10,   /* in JSON each line end is two bytes, and an answer has 64 KiB */
  MAX_PROCESS = 2 << 10, /* of one process: status lines and some twenty stack frames */
};

/* The lines of a status file that say what a process is and does. */
static const char *const lines[] = { "Name:", "State:", "PPid:", "NSpid:", "VmRSS:" };

static void add_lines(struct zl_buf *out, const char *status)
{
  for (const char *line = status; *line != '\0'; line += strcspn(line, "\n"), line += *line != 0)
    for (size_t i = 0; i < ZL_COUNT(lines); i++)
      if (zl_has_prefix(line, lines[i]))
        (void)zl_buf_append(out, line, strcspn(line, "\n") + 1, NULL);
}

/* Which of these the kernel shows depends on how it was built; what is missing is left out. */
static void add_process(struct zl_buf *out, const char *pid)
{
  static const char *const files[] = { "wchan", "stack" };
  zl_autobuf status = ZL_BUF_INIT(ZL_MAX_SMALL_FILE), part = ZL_BUF_INIT(MAX_PROCESS);
  char path[48];

  (void)snprintf(path, sizeof(path), "/proc/%s/status", pid);
  if (zl_file_read(AT_FDCWD, path, &status, NULL) < 0 || status.data == NULL)
    return; /* it has just ended */
  (void)zl_buf_printf(&part, NULL, "Pid: %s\n", pid);
  add_lines(&part, status.data);
  for (size_t i = 0; i < ZL_COUNT(files); i++) {
    (void)snprintf(path, sizeof(path), "/proc/%s/%s", pid, files[i]);
    if (zl_file_read(AT_FDCWD, path, &part, NULL) == 0)
      (void)zl_buf_puts(&part, "\n", NULL);
  }
  if (part.data != NULL)
    (void)zl_buf_append(out, part.data, part.len, NULL);
}

/* Names that are no UTF-8 must not spoil the whole. */
static json_t *render(struct zl_buf *text)
{
  json_t *json = text->data != NULL ? json_stringn(text->data, text->len) : json_string("");

  if (json != NULL || text->data == NULL)
    return json;
  for (size_t i = 0; i < text->len; i++)
    if ((unsigned char)text->data[i] >= 0x80)
      text->data[i] = '?';
  return json_stringn(text->data, text->len);
}

int stacks_dump(json_t **ret, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(MAX_TEXT);
  DIR *dir = opendir("/proc");
  struct dirent *entry;

  if (dir == NULL)
    return zl_fail_errno(err, "/proc");
  while ((entry = readdir(dir)) != NULL)
    if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
      add_process(&text, entry->d_name);
  (void)closedir(dir);
  *ret = json_pack("{s:o}", "GuestStacks", render(&text));
  return *ret != NULL ? 0 : zl_fail_nomem(err, "stacks");
}
