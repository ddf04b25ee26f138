/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts, paths and GUIDs, for the doubles and their server.
 */
#ifndef HCS_SIM_TEXT_H
#define HCS_SIM_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <windows.h>

enum {
  SIM_GUID_TEXT = 37
};

/* All give memory of malloc that the caller frees, and end the process when there is none. */
char *sim_narrow(const wchar_t *wide); /* UTF-8; NULL stays NULL */
wchar_t *sim_wide(const char *text);
char *sim_format(const char *fmt, ...) __attribute__((format(gnu_printf, 1, 2)));
/* One spelling of a path: lower case, backslashes, without "\\?\" and a backslash at the end. */
char *sim_path_key(const char *path);
/* `path`\`name` */
char *sim_join(const char *path, const char *name);
char *sim_env(const char *name); /* NULL: not set */

bool sim_path_under(const char *key, const char *root_key); /* or the same */
const char *sim_basename(const char *path);
bool sim_exists(const char *path);
bool sim_is_directory(const char *path);

bool sim_guid_parse(const char *text, GUID *ret); /* 36 characters of either case */
void sim_guid_format(const GUID *guid, char text[SIM_GUID_TEXT]);
void sim_guid_random(GUID *ret);
/* Always the same for the same text, and with the version of one made of a name. */
void sim_guid_of_name(const char *name, GUID *ret);

uint64_t sim_hash(const char *text);
/* -1 does not happen: the process ends when memory is out. */
void *sim_alloc(size_t size);
char *sim_copy(const char *text);

#endif
