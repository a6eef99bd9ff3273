#pragma once

namespace mcp_oauth {

// stop: SIGTERM or SIGINT. reload: SIGHUP. reopen: SIGUSR1. readable: the other descriptor has something.
enum class wake { stop, reload, reopen, readable };

// These signals are answered by `wait_for_signal` and nothing else from here on, and SIGPIPE by nobody: a
// peer that went away is an error of its write. To be called before any thread is made.
void take_signals();
// Waits for one of them, or for `descriptor` to become readable; -1 stands for none.
wake wait_for_signal(int descriptor = -1);

}  // namespace mcp_oauth
