/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ZLAYER_VERSION_H
#define ZLAYER_VERSION_H

#define ZL_VERSION "0.1.0"

/* Marks a function as part of libzlayer's stable interface; everything else is hidden. */
#if defined(_WIN32)
#define ZL_PUBLIC            __declspec(dllexport)
#define ZL_PRINTF(fmt, args) __attribute__((format(gnu_printf, fmt, args)))
#else
#define ZL_PUBLIC            __attribute__((visibility("default")))
#define ZL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#endif

/* The version of the linked library, "MAJOR.MINOR.PATCH"; static storage. */
ZL_PUBLIC const char *zl_version(void);

#endif
