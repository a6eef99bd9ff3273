#include "app/signals.h"

#include <csignal>

#include <pthread.h>

namespace mcp_oauth {
namespace {

sigset_t ours() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace

void take_signals() {
  auto set = ours();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

wake wait_for_signal() {
  auto set = ours();
  int got = 0;
  while (sigwait(&set, &got) != 0) {
  }
  return got == SIGHUP ? wake::reload : wake::stop;
}

}  // namespace mcp_oauth
