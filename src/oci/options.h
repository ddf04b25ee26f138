/* SPDX-License-Identifier: Apache-2.0
 *
 * Options of one command by a table: getopt_long(3) does the work.
 */
#ifndef ZL_OCI_OPTIONS_H
#define ZL_OCI_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

enum oci_option_kind {
  OCI_FLAG,    /* bool */
  OCI_TEXT,    /* const char *; the last one given counts */
  OCI_LIST,    /* char **: a vector (base/strv.h) of all given, freed by the caller */
  OCI_NUMBER,  /* int64_t, decimal; left alone when not given */
  OCI_BYTES,   /* the same, with one of b, k, m, g, t behind it (of 1024), in either case */
  OCI_REFUSED, /* no variable: known to others, refused here with the text of `why`, unless it is a
                * flag that is set to false */
  OCI_NOTHING  /* a flag whose effect this program always has */
};

struct oci_option {
  const char *name; /* without the dashes */
  void *variable;
  const char *why;
  enum oci_option_kind kind;
  char letter;      /* 0: none */
  bool takes_value; /* of OCI_REFUSED and OCI_NOTHING */
};

/* Fills the variables from argv[1 ..]; parsing stops at the first operand. *ret_first is its index,
 * or argc. ZL_E_INVALID names what is wrong; ZL_E_UNSUPPORTED for one that is refused. */
int oci_options(const struct oci_option *options, size_t n, int argc, char **argv, int *ret_first,
                struct zl_error *err);

/* The same for a command that takes exactly one operand, a container's id, after or before its
 * options (as runc reads it). */
int oci_options_id(const struct oci_option *options, size_t n, int argc, char **argv,
                   const char **ret_id, struct zl_error *err);

/* --preserve-fds N: the descriptors 3 .. 2 + N are the program's. Called before any file is opened,
 * as it keeps the numbers free that the caller has not used; those the program does not get. */
int oci_check_preserved(int64_t n, struct zl_error *err);

#endif
