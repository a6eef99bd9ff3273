#include "app/signals.h"

#include <csignal>

#include <poll.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

sigset_t ours() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  sigaddset(&set, SIGUSR1);
  return set;
}

}  // namespace

void take_signals() {
  auto set = ours();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on the size of files is a full disk, and no end
}

wake wait_for_signal(int descriptor) {
  // One for the life of the program: a signal that came between two calls is still there for the next.
  static const int signals = [] {
    auto set = ours();
    return ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  }();
  for (;;) {
    pollfd both[] = {{signals, POLLIN, 0}, {descriptor, POLLIN, 0}};
    if (::poll(both, 2, -1) < 0) continue;
    signalfd_siginfo got{};
    if (::read(signals, &got, sizeof got) == static_cast<ssize_t>(sizeof got)) {
      if (got.ssi_signo == SIGHUP) return wake::reload;
      return got.ssi_signo == SIGUSR1 ? wake::reopen : wake::stop;
    }
    if ((both[1].revents & POLLIN) != 0) return wake::readable;
  }
}

}  // namespace mcp_oauth
