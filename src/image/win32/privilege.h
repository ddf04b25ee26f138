/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZL_IMAGE_WIN32_PRIVILEGE_H
#define ZL_IMAGE_WIN32_PRIVILEGE_H

/* Turns the privileges for backup and restore on, for the rest of the process's life, if it has
 * them: without, files that belong to Windows are refused one by one. */
void zl_enable_restore(void);

#endif
