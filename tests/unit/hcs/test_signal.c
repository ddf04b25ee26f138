/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/cleanup.h"
#include "runtime/hcs/signal.h"

enum {
  REFUSED = -1
};

static void texts(void **state)
{
  static const struct {
    const char *text;
    int with, without; /* events, and where there are none */
  } rows[] = {
    { "CtrlC", ZL_HCS_CTRL_C, REFUSED },
    { "ctrlc", ZL_HCS_CTRL_C, REFUSED },
    { "0", ZL_HCS_CTRL_C, REFUSED },
    { "CtrlBreak", ZL_HCS_CTRL_BREAK, REFUSED },
    { "1", ZL_HCS_CTRL_BREAK, REFUSED },
    { "CtrlClose", ZL_HCS_CTRL_CLOSE, REFUSED },
    { "2", ZL_HCS_CTRL_CLOSE, REFUSED },
    { "CtrlLogOff", ZL_HCS_CTRL_LOGOFF, REFUSED },
    { "CTRLLOGOFF", ZL_HCS_CTRL_LOGOFF, REFUSED },
    { "5", ZL_HCS_CTRL_LOGOFF, REFUSED },
    { "CtrlShutdown", ZL_HCS_CTRL_SHUTDOWN, ZL_HCS_TERMINATE },
    { "6", ZL_HCS_CTRL_SHUTDOWN, ZL_HCS_TERMINATE },
    { "", ZL_HCS_CTRL_SHUTDOWN, ZL_HCS_TERMINATE },
    { NULL, ZL_HCS_CTRL_SHUTDOWN, ZL_HCS_TERMINATE },
    { "TERM", ZL_HCS_CTRL_SHUTDOWN, ZL_HCS_TERMINATE },
    { "SIGTERM", ZL_HCS_CTRL_SHUTDOWN, ZL_HCS_TERMINATE },
    { "sigterm", ZL_HCS_CTRL_SHUTDOWN, ZL_HCS_TERMINATE },
    { "15", ZL_HCS_CTRL_SHUTDOWN, ZL_HCS_TERMINATE },
    { "KILL", ZL_HCS_TERMINATE, ZL_HCS_TERMINATE },
    { "SIGKILL", ZL_HCS_TERMINATE, ZL_HCS_TERMINATE },
    { "9", ZL_HCS_TERMINATE, ZL_HCS_TERMINATE },
    /* What Linux knows, or nobody. */
    { "3", REFUSED, REFUSED },
    { "4", REFUSED, REFUSED },
    { "7", REFUSED, REFUSED },
    { "10", REFUSED, REFUSED },
    { "256", REFUSED, REFUSED },
    { "-1", REFUSED, REFUSED },
    { "INT", REFUSED, REFUSED },
    { "SIGHUP", REFUSED, REFUSED },
    { "SIGCtrlC", REFUSED, REFUSED },
    { "SIG", REFUSED, REFUSED },
    { "CtrlCC", REFUSED, REFUSED },
    { "Ctrl", REFUSED, REFUSED },
    { " TERM", REFUSED, REFUSED },
    { "SI", REFUSED, REFUSED },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(rows); i++)
    for (int supported = 0; supported < 2; supported++) {
      int expected = supported ? rows[i].with : rows[i].without;
      enum zl_hcs_signal signal = ZL_HCS_CTRL_BREAK;
      struct zl_error err = { 0 };
      int r = zl_hcs_signal_parse(rows[i].text, supported, &signal, &err);

      if (expected == REFUSED) {
        assert_true(r < 0);
        assert_int_equal(signal, ZL_HCS_CTRL_BREAK);
        assert_int_equal(r, rows[i].with == REFUSED ? -ZL_E_INVALID : -ZL_E_UNSUPPORTED);
        continue;
      }
      assert_int_equal(r, 0);
      assert_int_equal(signal, expected);
    }
}

static void names(void **state)
{
  (void)state;
  assert_string_equal(zl_hcs_signal_name(ZL_HCS_CTRL_C), "CtrlC");
  assert_string_equal(zl_hcs_signal_name(ZL_HCS_CTRL_BREAK), "CtrlBreak");
  assert_string_equal(zl_hcs_signal_name(ZL_HCS_CTRL_CLOSE), "CtrlClose");
  assert_string_equal(zl_hcs_signal_name(ZL_HCS_CTRL_LOGOFF), "CtrlLogOff");
  assert_string_equal(zl_hcs_signal_name(ZL_HCS_CTRL_SHUTDOWN), "CtrlShutdown");
  assert_null(zl_hcs_signal_name(ZL_HCS_TERMINATE));
}

static void a_refusal_names_what_there_is(void **state)
{
  enum zl_hcs_signal signal;
  struct zl_error err = { 0 };

  (void)state;
  assert_int_equal(zl_hcs_signal_parse("SIGUSR1", true, &signal, &err), -ZL_E_INVALID);
  assert_string_equal(err.msg, "signal 'SIGUSR1': Windows containers know CtrlC, CtrlBreak, "
                               "CtrlClose, CtrlLogOff, CtrlShutdown, TERM or KILL");
  assert_int_equal(zl_hcs_signal_of_number(3, true, &signal, &err), -ZL_E_INVALID);
  assert_non_null(strstr(err.msg, "signal 3: "));
  assert_int_equal(zl_hcs_signal_parse("1", false, &signal, &err), -ZL_E_UNSUPPORTED);
  assert_string_equal(err.msg, "signal 'CtrlBreak': this Windows version can only end processes; "
                               "use TERM or KILL");
}

static void who_supports_them(void **state)
{
  (void)state;
  assert_false(zl_hcs_signals_supported(14393, false, false));
  assert_false(zl_hcs_signals_supported(17762, false, true));
  assert_true(zl_hcs_signals_supported(17763, false, false));
  assert_false(zl_hcs_signals_supported(20348, true, false));
  assert_true(zl_hcs_signals_supported(20348, true, true));
  assert_false(zl_hcs_signals_supported(14393, true, true));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(texts),
    cmocka_unit_test(names),
    cmocka_unit_test(a_refusal_names_what_there_is),
    cmocka_unit_test(who_supports_them),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
