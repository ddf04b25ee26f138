/* SPDX-License-Identifier: Apache-2.0
 *
 * What the numbers mean that Windows' compute, storage and network services answer with.
 *
 * One condition has up to three spellings, which are one to every function here: the HRESULT of
 * computecore.dll (HCS_E_…, 0x8037xxxx), the code of vmcompute.dll and of machines' guests
 * (ERROR_VMCOMPUTE_…, 0xC037xxxx), and a Win32 code by itself (32) or inside an HRESULT
 * (0x80070020). Names and numbers are those of winerror.h.
 */
#ifndef ZL_RUNTIME_HCS_HRESULT_H
#define ZL_RUNTIME_HCS_HRESULT_H

#include <stdbool.h>
#include <stdint.h>
#include <zlayer/error.h>

/* Whether and how to try again. */
enum zl_hresult_retry {
  ZL_HRESULT_FINAL,   /* the same call fails again */
  ZL_HRESULT_SOON,    /* a device that is not there yet: five times, 100 ms apart */
  ZL_HRESULT_RELEASE, /* once whoever holds the file has let go: detach the disk first */
  ZL_HRESULT_RENEW,   /* once, with a new system (of a machine: with a new scratch disk) */
  ZL_HRESULT_REPLACE, /* once, after what stands in the way under this id was removed */
  ZL_HRESULT_SERVICE  /* when the service runs again; all handles are dead */
};

/* Calls to which some codes say that what they want is so already. */
enum zl_hresult_call {
  ZL_HRESULT_SHUTDOWN = 1 << 0,  /* of a system */
  ZL_HRESULT_TERMINATE = 1 << 1, /* of a system */
  ZL_HRESULT_SIGNAL = 1 << 2,    /* of a process */
  ZL_HRESULT_END = 1 << 3,       /* of a process, by force */
  ZL_HRESULT_DELETE = 1 << 4     /* of a system or object */
};

enum {
  ZL_HRESULT_TEXT = 96 /* "HCS_E_SYSTEM_NOT_FOUND (0x8037010e)" */
};

#define ZL_HRESULT_NO_HYPERV UINT32_C(0x80370102) /* HCS_E_HYPERV_NOT_INSTALLED */

struct zl_hresult_info {
  const char *name;      /* as an HRESULT or Win32 code; NULL: it has no such spelling */
  const char *vmcompute; /* its name as 0xC037xxxx; NULL: it has no such spelling */
  const char *hint;      /* what it means and what to do, or NULL */
  uint32_t code;         /* 0x8037xxxx, 0x8007xxxx, 0x803bxxxx, … */
  enum zl_code error;    /* how the library calls it */
  enum zl_hresult_retry retry;
  unsigned done_for; /* ZL_HRESULT_SHUTDOWN | …: calls for which it is success */
};

/* The sign decides: S_FALSE and its like are successes. A bare Win32 code is none of HRESULTs and
 * has to be compared with 0 instead. */
static inline bool zl_hresult_failed(uint32_t hr)
{
  return (hr & UINT32_C(0x80000000)) != 0;
}

/* The Win32 code inside of an HRESULT that carries one, else `hr` itself: 0x80070020 gives 32. */
uint32_t zl_hresult_fold(uint32_t hr);

/* A result as guests write it, a signed or an unsigned decimal: -1070137075 is 0xC037010D. What
 * does not fit into 32 bits is E_FAIL. */
uint32_t zl_hresult_of_number(int64_t number);

/* NULL: not known. Static. */
const struct zl_hresult_info *zl_hresult_find(uint32_t hr);
/* The i-th that is known, or NULL past the last; in no order. */
const struct zl_hresult_info *zl_hresult_at(unsigned i);

/* ZL_E_SYSTEM for unknown ones, ZL_OK for success. */
enum zl_code zl_hresult_error(uint32_t hr);
/* ZL_HRESULT_FINAL for unknown ones. */
enum zl_hresult_retry zl_hresult_retry(uint32_t hr);
/* True for success, and for a failure that says that the call's aim is reached already. */
bool zl_hresult_is_done(uint32_t hr, enum zl_hresult_call call);

/* Name and number in the spelling that was given; the number alone when it has no name. Returns
 * `text`. */
const char *zl_hresult_format(uint32_t hr, char text[ZL_HRESULT_TEXT]);

/* Fails like zl_fail: "what: HCS_E_INVALID_JSON (0x8037010d): hint", os_error is the number. */
int zl_hresult_fail(struct zl_error *err, uint32_t hr, const char *what);

#endif
