/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/operation.h"

#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "runtime/hcs/doc.h"
#include "runtime/hcs/hresult.h"

#define OPERATION_TIMEOUT UINT32_C(0x80370118)

int zl_hcs_operation_open(const struct zl_hcs_api *api, const json_t *document, const char *what,
                          struct zl_hcs_operation *ret, struct zl_error *err)
{
  struct zl_hcs_operation op = { .api = api };
  zl_autofree char *text = NULL;
  int r = document != NULL ? zl_hcs_doc_render(document, what, &text, err) : 0;

  if (r == 0 && text != NULL)
    r = zl_wide_new(text, &op.text, err);
  if (r == 0) {
    op.handle = api->HcsCreateOperation(NULL, NULL);
    if (op.handle == NULL)
      r = zl_fail_nomem(err, what);
  }
  if (r < 0) {
    free(op.text);
    return r;
  }
  *ret = op;
  return 0;
}

void zl_hcs_operation_close(struct zl_hcs_operation *op)
{
  if (op->handle != NULL)
    op->api->HcsCloseOperation(op->handle);
  free(op->text);
  free(op->result);
  *op = (struct zl_hcs_operation){ .api = op->api };
}

int zl_hcs_take_text(const struct zl_hcs_api *api, zl_wchar *text, char **ret, struct zl_error *err)
{
  int r;

  *ret = NULL;
  if (text == NULL)
    return 0;
  r = zl_wide_text(text, ZL_MAX_HCS_DOCUMENT, ret, err);
  (void)api->LocalFree(text);
  return r;
}

/* ---- What an error's document says ---- */

static const char *text_of(const json_t *object, const char *key)
{
  const char *text = json_string_value(json_object_get(object, key));

  return text != NULL && *text != '\0' ? text : NULL;
}

/* {"Error","ErrorMessage","ErrorEvents":[{"Message",…}]}, by itself or as "ResultError". Only there
 * is said which part of our document was not liked. */
static const char *message_of(const json_t *document)
{
  const json_t *inner = json_object_get(document, "ResultError");
  const json_t *error = json_is_object(inner) ? inner : document;
  const json_t *events = json_object_get(error, "ErrorEvents");
  const char *text = NULL;

  for (size_t i = 0; text == NULL && i < json_array_size(events) && i < ZL_HCS_MAX_EVENTS; i++)
    text = text_of(json_array_get(events, i), "Message");
  return text != NULL ? text : text_of(error, "ErrorMessage");
}

int zl_hcs_fail_document(zl_hr hr, const char *what, const char *document, struct zl_error *err)
{
  zl_autojson *json = NULL;
  const char *message = NULL;
  char whole[ZL_ERROR_MSG_MAX];

  if (document != NULL)
    (void)zl_json_parse_upto(document, strlen(document), ZL_MAX_HCS_DOCUMENT, what, &json, NULL);
  if (json != NULL)
    message = message_of(json);
  if (message == NULL)
    return zl_hresult_fail(err, hr, what);
  (void)snprintf(whole, sizeof(whole), "%s: %.300s", what, message);
  return zl_hresult_fail(err, hr, whole);
}

/* ---- The end of a call ---- */

static int take_result(struct zl_hcs_operation *op, zl_hr hr, zl_wchar *result, const char *what,
                       struct zl_error *err)
{
  int r;

  op->hr = hr;
  free(op->result);
  r = zl_hcs_take_text(op->api, result, &op->result, err);
  if (hr == OPERATION_TIMEOUT)
    (void)op->api->HcsCancelOperation(op->handle);
  return zl_hresult_failed(hr) ? zl_hcs_fail_document(hr, what, op->result, err) : r;
}

/* What was refused at once may have left a document all the same. */
static int refused(struct zl_hcs_operation *op, zl_hr hr, const char *what, struct zl_error *err)
{
  zl_wchar *result = NULL;

  (void)op->api->HcsGetOperationResult(op->handle, &result);
  return take_result(op, hr, result, what, err);
}

int zl_hcs_operation_wait(struct zl_hcs_operation *op, zl_hr accepted, uint32_t timeout_ms,
                          const char *what, struct zl_error *err)
{
  zl_wchar *result = NULL;
  zl_hr hr;

  if (zl_hresult_failed(accepted))
    return refused(op, accepted, what, err);
  hr = op->api->HcsWaitForOperationResult(op->handle, timeout_ms, &result);
  return take_result(op, hr, result, what, err);
}

int zl_hcs_operation_wait_process(struct zl_hcs_operation *op, zl_hr accepted, uint32_t timeout_ms,
                                  const char *what, struct zl_hcs_process_info *ret,
                                  struct zl_error *err)
{
  struct zl_hcs_process_info info = { 0 };
  zl_wchar *result = NULL;
  zl_hr hr;
  int r;

  if (zl_hresult_failed(accepted))
    return refused(op, accepted, what, err);
  hr = op->api->HcsWaitForOperationResultAndProcessInfo(op->handle, timeout_ms, &info, &result);
  r = take_result(op, hr, result, what, err);
  if (!zl_hresult_failed(hr))
    *ret = info; /* also with an unreadable document: its handles are the caller's */
  return r;
}
