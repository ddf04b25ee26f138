/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/profile.h"

#include <string.h>

/* Only what any JSON reader would see in the same way is found; everything else is left to the real
 * one, which also reads what is left after a find. */
struct scan {
  const char *at, *end;
};

static bool skip_to(struct scan *s, char c)
{
  while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
    s->at++;
  return s->at < s->end && *s->at == c;
}

/* At its first quote. */
static bool take_string(struct scan *s, struct oci_span *ret)
{
  const char *begin = ++s->at;

  for (; s->at < s->end && *s->at != '"'; s->at++)
    if (*s->at == '\\')
      s->at++;
  if (s->at >= s->end)
    return false;
  *ret = (struct oci_span){ .at = begin, .len = (size_t)(s->at - begin) };
  s->at++;
  return true;
}

/* Up to what ends the member. */
static bool skip_value(struct scan *s)
{
  struct oci_span ignored;
  size_t depth = 0;

  while (s->at < s->end) {
    switch (*s->at) {
    case '"':
      if (!take_string(s, &ignored))
        return false;
      continue;
    case '{':
    case '[':
      depth++;
      break;
    case '}':
    case ']':
      if (depth == 0)
        return true;
      depth--;
      break;
    case ',':
      if (depth == 0)
        return true;
      break;
    default:
      break;
    }
    s->at++;
  }
  return false;
}

/* From the brace of an object into that member of it which is an object too. */
static bool enter(struct scan *s, const char *key)
{
  do {
    struct oci_span name;
    bool found;

    s->at++;
    if (!skip_to(s, '"') || !take_string(s, &name) || !skip_to(s, ':'))
      return false;
    s->at++;
    found = name.len == strlen(key) && memcmp(name.at, key, name.len) == 0;
    if (found)
      return skip_to(s, '{');
    if (!skip_value(s))
      return false;
  } while (*s->at == ',');
  return false;
}

bool oci_profile_find(const char *text, size_t len, struct oci_span *ret)
{
  struct scan s = { .at = text, .end = text + len };
  const char *begin;

  if (!skip_to(&s, '{') || !enter(&s, "linux") || !enter(&s, "seccomp"))
    return false;
  begin = s.at;
  if (!skip_value(&s))
    return false;
  /* Without white space; what does not end with a brace, such as "{]", is no object. */
  while (s.at > begin && s.at[-1] != '}')
    s.at--;
  if (s.at == begin)
    return false;
  *ret = (struct oci_span){ .at = begin, .len = (size_t)(s.at - begin) };
  return true;
}
