/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts that go to Windows: names without case, lengths in UTF-16, paths, GUIDs. Texts are UTF-8.
 */
#ifndef ZL_RUNTIME_HCS_WINTEXT_H
#define ZL_RUNTIME_HCS_WINTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <zlayer/error.h>

enum {
  ZL_WIN_MAX_PATH = 32767, /* UTF-16 units of a path with \\?\ in front: its NUL counts */
  ZL_WIN_GUID = 36         /* characters of a GUID without braces */
};

/* The letters of ASCII are the same in either case; all else is compared as it is. */
bool zl_wintext_equal(const char *a, const char *b);
bool zl_wintext_equal_n(const char *a, const char *b, size_t len);
bool zl_wintext_has_prefix(const char *text, const char *prefix);

/* Code units of the text in UTF-16; false when it is no UTF-8 (overlong forms and surrogates are
 * none either). */
bool zl_wintext_units(const char *text, size_t *ret);
/* ZL_E_INVALID naming `field` unless the text is UTF-8 without control characters; ZL_E_LIMIT when
 * it has `max` code units or more. */
int zl_wintext_check(const char *text, const char *field, size_t max, struct zl_error *err);

/* Lower-case hexadecimal digits in groups of 8-4-4-4-12, without braces: how the compute service
 * takes them. */
bool zl_win_is_guid(const char *text);
/* "\\?\Volume{GUID}\": what GetLayerMountPath gives for a prepared layer. */
bool zl_win_is_volume(const char *text);
/* "C:\…" or "\\?\…", without a character that no file name has and without "." or ".." */
bool zl_win_is_absolute(const char *path);
/* ZL_E_INVALID or ZL_E_LIMIT naming `field` unless it is. */
int zl_win_check_path(const char *path, const char *field, struct zl_error *err);

/* The path in a container as Windows writes it, as a new text: "/" becomes "\", what begins with
 * neither a drive nor "\" is below C:\, what begins with "\" is on C:. Doubled and trailing "\" go.
 * ZL_E_INVALID naming `field`: of another machine or namespace ("\\…"), relative to a drive
 * ("C:data"), with "..", or with a character that no file name has. */
int zl_win_container_path(const char *path, const char *field, char **ret, struct zl_error *err);

#endif
