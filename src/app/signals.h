#pragma once

namespace mcp_oauth {

enum class wake { stop, reload };

// SIGTERM, SIGINT and SIGHUP are answered by `wait_for_signal` and nothing else from here on, and SIGPIPE by
// nobody: a peer that went away is an error of its write. To be called before any thread is made.
void take_signals();
wake wait_for_signal();

}  // namespace mcp_oauth
