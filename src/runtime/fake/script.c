/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/fake/script.h"

#include <string.h>

#include "base/limits.h"
#include "base/strv.h"
#include "base/time.h"

void zl_script_done(struct zl_script *script)
{
  zl_buf_done(&script->out);
  zl_buf_done(&script->err);
}

/* "0.25" as nanoseconds. */
static bool parse_seconds(const char *text, uint64_t *ret)
{
  char whole[24];
  const char *dot = strchr(text, '.');
  size_t len = dot != NULL ? (size_t)(dot - text) : strlen(text);
  uint64_t seconds = 0, unit = ZL_NS_PER_S / 10;

  if (len >= sizeof(whole))
    return false;
  memcpy(whole, text, len);
  whole[len] = '\0';
  if (!zl_parse_u64(whole, UINT32_MAX, &seconds))
    return false;
  *ret = seconds * ZL_NS_PER_S;
  for (const char *p = dot != NULL ? dot + 1 : ""; *p != '\0'; p++, unit /= 10) {
    if (*p < '0' || *p > '9')
      return false;
    *ret += (uint64_t)(*p - '0') * unit;
  }
  return true;
}

static int do_echo(struct zl_script *script, char *const *words, struct zl_error *err)
{
  size_t n = zl_strv_len((const char *const *)words);
  bool to_err = n > 0 && strcmp(words[n - 1], ">&2") == 0;
  struct zl_buf *to = to_err ? &script->err : &script->out;
  int r = 0;

  for (size_t i = 0; r == 0 && i < n - (to_err ? 1 : 0); i++)
    r = zl_buf_printf(to, err, "%s%s", i > 0 ? " " : "", words[i]);
  return r < 0 ? r : zl_buf_puts(to, "\n", err);
}

/* One command. > 0: it was an exit. */
static int do_command(struct zl_script *script, char *const *words, const char *hostname,
                      struct zl_error *err)
{
  const char *name = words[0];
  uint64_t number = 0;

  if (strcmp(name, "true") == 0 || strcmp(name, "false") == 0) {
    script->exit_code = *name == 'f';
  } else if (strcmp(name, "echo") == 0) {
    return do_echo(script, words + 1, err);
  } else if (strcmp(name, "hostname") == 0) {
    return zl_buf_printf(&script->out, err, "%s\n", hostname);
  } else if (strcmp(name, "sleep") == 0 && words[1] != NULL && parse_seconds(words[1], &number)) {
    script->duration_ns += number;
  } else if (strcmp(name, "exit") == 0 && words[1] != NULL &&
             zl_parse_u64(words[1], 255, &number)) {
    script->exit_code = (int)number;
    return 1;
  } else if (strcmp(name, "trap") == 0) {
    script->ignores_term = true;
  } else if (strcmp(name, "oom") == 0) {
    script->oom = true;
    return 1;
  } else if (strcmp(name, "cat") == 0) {
    script->copies_input = true;
  } else {
    return zl_fail(err, ZL_E_NO_COMMAND, 0, "executing '%.80s': no such command", name);
  }
  return 0;
}

/* Splits one command of a script at blanks; single quotes are taken off. */
static int split_words(const char *text, size_t len, char ***ret, struct zl_error *err)
{
  size_t i = 0;
  int r = 0;

  while (r == 0 && i < len) {
    zl_autofree char *word = NULL;
    char stop = ' ';
    size_t start;

    while (i < len && text[i] == ' ')
      i++;
    if (i < len && text[i] == '\'') {
      stop = '\'';
      i++;
    }
    start = i;
    while (i < len && text[i] != stop)
      i++;
    if (i == start && stop == ' ')
      break;
    word = strndup(text + start, i - start);
    r = word != NULL ? zl_strv_push(ret, word, err) : zl_fail_nomem(err, "script");
    i += stop == '\'' && i < len ? 1 : 0;
  }
  return r;
}

static int do_shell(struct zl_script *script, const char *text, const char *hostname,
                    struct zl_error *err)
{
  int r = 0;

  while (r == 0 && *text != '\0') {
    size_t len = strcspn(text, ";");
    zl_autostrv words = NULL;

    r = split_words(text, len, &words, err);
    if (r == 0 && words != NULL)
      r = do_command(script, words, hostname, err);
    text += len + (text[len] == ';' ? 1 : 0);
  }
  return r;
}

int zl_script_parse(const char *const *argv, const char *hostname, struct zl_script *ret,
                    struct zl_error *err)
{
  zl_autoscript script = { .out = ZL_BUF_INIT(ZL_MAX_SMALL_FILE),
                           .err = ZL_BUF_INIT(ZL_MAX_SMALL_FILE) };
  const char *slash = strrchr(argv[0], '/');
  const char *name = slash != NULL ? slash + 1 : argv[0];
  zl_autostrv words = NULL;
  int r;

  if (strcmp(name, "sh") == 0 && argv[1] != NULL && strcmp(argv[1], "-c") == 0 && argv[2] != NULL) {
    r = do_shell(&script, argv[2], hostname, err);
  } else {
    r = zl_strv_push(&words, name, err);
    for (size_t i = 1; r == 0 && argv[i] != NULL; i++)
      r = zl_strv_push(&words, argv[i], err);
    if (r == 0)
      r = do_command(&script, words, hostname, err);
  }
  if (r < 0)
    return r;
  *ret = script;
  script = (struct zl_script){ 0 };
  return 0;
}
