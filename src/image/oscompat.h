/* SPDX-License-Identifier: Apache-2.0
 *
 * Which Windows images a Windows host can run. A container with process isolation uses the host's
 * kernel, whose system calls are stable within some ranges of builds only; a machine brings the
 * image's own kernel, which may be older than the host's but not newer. Microsoft documents both as
 * "Windows container version compatibility".
 */
#ifndef ZL_IMAGE_OSCOMPAT_H
#define ZL_IMAGE_OSCOMPAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>
#include <zlayer/spec.h>

enum {
  ZL_WINDOWS_2019 = 17763, /* Server 2019: the first with the operations of computecore.dll */
  ZL_WINDOWS_2022 = 20348, /* Server 2022: from here on later builds run its images */
  ZL_WINDOWS_2025 = 26100, /* Server 2025: the next such one */
  ZL_OS_VERSION_TEXT = 44  /* "10.0.20348.2966" */
};

/* "10.0.20348.2966", of an image's os.version or of RtlGetVersion. All 0: not known. The revision
 * says which updates are installed; nothing is refused for it. */
struct zl_os_version {
  uint32_t major, minor, build, revision;
};

/* Three or four decimal numbers with dots between; false leaves *ret as it was. NULL is none. */
bool zl_os_version_parse(const char *text, struct zl_os_version *ret);
/* "unknown" when it is. Returns `text`. */
const char *zl_os_version_format(const struct zl_os_version *version,
                                 char text[ZL_OS_VERSION_TEXT]);
bool zl_os_version_is_known(const struct zl_os_version *version);

/* False when one of them is not known. */
bool zl_os_runs_process(const struct zl_os_version *host, const struct zl_os_version *image);
bool zl_os_runs_hyperv(const struct zl_os_version *host, const struct zl_os_version *image);

/* ZL_E_WRONG_PLATFORM naming both versions, and what would help, unless a container of this
 * isolation can run; ZL_ISOLATION_AUTO takes either. An image of unknown version passes: the
 * isolation is chosen without it (isolation.h). `image` is the reference, for the message. */
int zl_os_check(enum zl_isolation isolation, const struct zl_os_version *host,
                const struct zl_os_version *version, const char *image, struct zl_error *err);

/* What an index has to offer for this node. */
struct zl_os_choice {
  struct zl_os_version host;
  enum zl_isolation isolation;
  const char *wanted; /* platform.osVersion of the service: "10.0.20348", or NULL */
  const char *image;  /* the reference, for messages */
};

/* *ret is the place in `versions` (os.version of each entry for Windows and this architecture, NULL
 * or "" where it has none) of the entry that suits best: of those that can run the newest build; of
 * two of one build the one whose revision the host has or has passed, else the higher; an entry
 * without a version only when nothing else suits and nothing else was wanted.
 * ZL_E_WRONG_PLATFORM naming the host's version and what is offered. ZL_E_INVALID: `wanted` is not
 * a version. */
int zl_os_choose(const struct zl_os_choice *choice, const char *const *versions, size_t count,
                 size_t *ret, struct zl_error *err);

#endif
