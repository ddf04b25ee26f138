/* SPDX-License-Identifier: Apache-2.0 */
#include "image/oscompat.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/strv.h"

enum {
  PARTS = 4,
  DIGITS = 10,          /* of one part: a 32-bit number */
  SHOWN_VERSIONS = 200, /* bytes of an index's versions in a message */
  NO_ENTRY = -1
};

bool zl_os_version_parse(const char *text, struct zl_os_version *ret)
{
  uint64_t parts[PARTS] = { 0 };
  unsigned n = 0;

  for (const char *p = text; p != NULL; n++) {
    size_t len = strcspn(p, ".");
    char part[DIGITS + 1] = "";

    if (n == PARTS || len == 0 || len > DIGITS)
      return false;
    memcpy(part, p, len);
    if (!zl_parse_u64(part, UINT32_MAX, &parts[n]))
      return false;
    p = p[len] == '.' ? p + len + 1 : NULL;
  }
  if (n < PARTS - 1)
    return false;
  *ret = (struct zl_os_version){ (uint32_t)parts[0], (uint32_t)parts[1], (uint32_t)parts[2],
                                 (uint32_t)parts[3] };
  return true;
}

const char *zl_os_version_format(const struct zl_os_version *version, char text[ZL_OS_VERSION_TEXT])
{
  if (!zl_os_version_is_known(version))
    (void)snprintf(text, ZL_OS_VERSION_TEXT, "unknown");
  else if (version->revision == 0)
    (void)snprintf(text, ZL_OS_VERSION_TEXT, "%" PRIu32 ".%" PRIu32 ".%" PRIu32, version->major,
                   version->minor, version->build);
  else
    (void)snprintf(text, ZL_OS_VERSION_TEXT, "%" PRIu32 ".%" PRIu32 ".%" PRIu32 ".%" PRIu32,
                   version->major, version->minor, version->build, version->revision);
  return text;
}

bool zl_os_version_is_known(const struct zl_os_version *version)
{
  return version->build != 0;
}

/* ---- The rules ---- */

static bool same_system(const struct zl_os_version *host, const struct zl_os_version *image)
{
  return zl_os_version_is_known(host) && zl_os_version_is_known(image) &&
         host->major == image->major && host->minor == image->minor;
}

/* The oldest build whose images run on the kernel of `host`: the last long-term release before it
 * whose system calls were promised to stay. */
static uint32_t oldest_build(uint32_t host)
{
  if (host <= ZL_WINDOWS_2022)
    return host;
  return host <= ZL_WINDOWS_2025 ? ZL_WINDOWS_2022 : ZL_WINDOWS_2025;
}

bool zl_os_runs_process(const struct zl_os_version *host, const struct zl_os_version *image)
{
  return same_system(host, image) && image->build <= host->build &&
         image->build >= oldest_build(host->build);
}

bool zl_os_runs_hyperv(const struct zl_os_version *host, const struct zl_os_version *image)
{
  return same_system(host, image) && image->build <= host->build;
}

static bool can_run(enum zl_isolation isolation, const struct zl_os_version *host,
                    const struct zl_os_version *image)
{
  /* What runs as a process runs in a machine too. */
  return isolation == ZL_ISOLATION_PROCESS ? zl_os_runs_process(host, image)
                                           : zl_os_runs_hyperv(host, image);
}

int zl_os_check(enum zl_isolation isolation, const struct zl_os_version *host,
                const struct zl_os_version *version, const char *image, struct zl_error *err)
{
  char has[ZL_OS_VERSION_TEXT], wants[ZL_OS_VERSION_TEXT];
  bool in_machine = zl_os_runs_hyperv(host, version);

  if (!zl_os_version_is_known(version) || can_run(isolation, host, version))
    return 0;
  return zl_fail(err, ZL_E_WRONG_PLATFORM, 0,
                 "image '%s' is for Windows %s, this host is Windows %s: %s", image,
                 zl_os_version_format(version, wants), zl_os_version_format(host, has),
                 in_machine ? "its kernel cannot run it, use isolation hyperv"
                            : "a host runs images of its own build and older ones");
}

/* ---- Choosing ---- */

/* `wanted` gives three parts or four. */
static bool is_wanted(const struct zl_os_version *wanted, const struct zl_os_version *version)
{
  return wanted->major == version->major && wanted->minor == version->minor &&
         wanted->build == version->build &&
         (wanted->revision == 0 || wanted->revision == version->revision);
}

static bool is_better(const struct zl_os_version *host, const struct zl_os_version *a,
                      const struct zl_os_version *b)
{
  bool a_ahead = a->revision > host->revision, b_ahead = b->revision > host->revision;

  if (a->build != b->build)
    return a->build > b->build;
  if (a->build == host->build && a_ahead != b_ahead)
    return b_ahead;
  return a->revision > b->revision;
}

static int no_entry(const struct zl_os_choice *choice, const char *const *versions, size_t count,
                    struct zl_error *err)
{
  zl_autobuf list = ZL_BUF_INIT(SHOWN_VERSIONS);
  char host[ZL_OS_VERSION_TEXT];
  bool in_machine = false;

  for (size_t i = 0; i < count; i++) {
    const char *text = versions[i] != NULL && versions[i][0] != '\0' ? versions[i] : "unknown";
    struct zl_os_version version = { 0 };

    if (zl_buf_printf(&list, NULL, "%s%s", list.len > 0 ? ", " : "", text) < 0)
      break;
    in_machine |= zl_os_version_parse(text, &version) && zl_os_runs_hyperv(&choice->host, &version);
  }
  return zl_fail(
      err, ZL_E_WRONG_PLATFORM, 0, "image '%s' is for Windows %s%s%s, this host is Windows %s%s",
      choice->image, list.len > 0 ? list.data : "on no such processor",
      choice->wanted != NULL ? ", wanted is " : "", choice->wanted != NULL ? choice->wanted : "",
      zl_os_version_format(&choice->host, host),
      in_machine && choice->isolation == ZL_ISOLATION_PROCESS
          ? ": its kernel runs none of them, use isolation hyperv"
          : "");
}

int zl_os_choose(const struct zl_os_choice *choice, const char *const *versions, size_t count,
                 size_t *ret, struct zl_error *err)
{
  struct zl_os_version wanted = { 0 }, best = { 0 };
  ptrdiff_t found = NO_ENTRY, unknown = NO_ENTRY;

  if (choice->wanted != NULL && !zl_os_version_parse(choice->wanted, &wanted))
    return zl_fail(err, ZL_E_INVALID, 0,
                   "platform.osVersion: '%.100s' is not a version of Windows like 10.0.20348",
                   choice->wanted);
  for (size_t i = 0; i < count; i++) {
    struct zl_os_version version = { 0 };

    if (!zl_os_version_parse(versions[i], &version)) {
      unknown = unknown == NO_ENTRY ? (ptrdiff_t)i : unknown;
      continue;
    }
    if (!can_run(choice->isolation, &choice->host, &version) ||
        (choice->wanted != NULL && !is_wanted(&wanted, &version)))
      continue;
    if (found == NO_ENTRY || is_better(&choice->host, &version, &best)) {
      found = (ptrdiff_t)i;
      best = version;
    }
  }
  if (found == NO_ENTRY && choice->wanted == NULL)
    found = unknown;
  if (found == NO_ENTRY)
    return no_entry(choice, versions, count, err);
  *ret = (size_t)found;
  return 0;
}
