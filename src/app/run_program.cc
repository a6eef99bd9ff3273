#include "app/run_program.h"

#include "base/text.h"
#include "net/descriptor.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace mcp_oauth {
namespace {

constexpr std::size_t most_output = 64 * 1024;
constexpr milliseconds glance{25};

// What configures us is nobody else's business.
std::vector<char*> environment_for(surroundings which) {
  std::vector<char*> kept;
  for (char** one = environ; *one != nullptr; ++one) {
    std::string_view pair = *one;
    bool ours = pair.starts_with("OAUTH2_") || pair.starts_with("UPSTREAM_");
    if (which == surroundings::all || !ours) kept.push_back(*one);
  }
  kept.push_back(nullptr);
  return kept;
}

result<pid_t> spawned(const std::vector<std::string>& arguments, int in, int out, surroundings which) {
  std::vector<char*> argv;
  for (const auto& one : arguments) argv.push_back(const_cast<char*>(one.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawnattr_t how;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&how);
  auto redirect = [&](int from, int to, int flags) {
    if (from >= 0) {
      posix_spawn_file_actions_adddup2(&files, from, to);
    } else {
      posix_spawn_file_actions_addopen(&files, to, "/dev/null", flags, 0);
    }
  };
  // Standard output belongs to the protocol of whoever started us.
  redirect(in, 0, O_RDONLY);
  redirect(out, 1, O_WRONLY);
  redirect(-1, 2, O_WRONLY);
  sigset_t none, usual;
  sigemptyset(&none);
  sigemptyset(&usual);
  for (int signal : {SIGPIPE, SIGINT, SIGTERM, SIGHUP}) sigaddset(&usual, signal);
  posix_spawnattr_setsigmask(&how, &none);
  posix_spawnattr_setsigdefault(&how, &usual);
  posix_spawnattr_setflags(
      &how, static_cast<short>(POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
  pid_t child = -1;
  auto around = environment_for(which);
  int failed = ::posix_spawnp(&child, argv[0], &files, &how, argv.data(), around.data());
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&how);
  if (failed != 0)
    return fail(errc::file_unreadable, arguments[0] + ": " + std::generic_category().message(failed));
  return child;
}

}  // namespace

std::string find_program(const std::string& name, const std::string& path) {
  if (name.find('/') != std::string::npos) return ::access(name.c_str(), X_OK) == 0 ? name : "";
  for (const auto& folder : split_words(path, ':')) {
    auto whole = folder + "/" + name;
    if (::access(whole.c_str(), X_OK) == 0) return whole;
  }
  return "";
}

result<pid_t> start_program(const std::vector<std::string>& arguments) {
  return spawned(arguments, -1, -1, surroundings::without_secrets);
}

result<std::string> run_program(const std::vector<std::string>& arguments, const std::string& input,
                                milliseconds most, surroundings which, const std::atomic<bool>* given_up) {
  int to[2], from[2];
  if (::pipe2(to, O_CLOEXEC) != 0) return fail(errc::file_unreadable, "no pipe");
  net::descriptor child_in(to[0]), our_out(to[1]);
  if (::pipe2(from, O_CLOEXEC) != 0) return fail(errc::file_unreadable, "no pipe");
  net::descriptor our_in(from[0]), child_out(from[1]);
  auto child = spawned(arguments, child_in.number(), child_out.number(), which);
  if (!child) return tl::unexpected<error>(child.error());
  child_in.close();
  child_out.close();
  // What is written fits into a pipe; one that nobody reads is an error, not a signal (SIGPIPE is ignored).
  bool fed = input.empty() ||
             ::write(our_out.number(), input.data(), input.size()) == static_cast<ssize_t>(input.size());
  our_out.close();
  std::string out;
  auto until = std::chrono::steady_clock::now() + most;
  // Waits at most a glance long: whoever gives up is not held up.
  auto may_go_on = [&] {
    return std::chrono::steady_clock::now() < until && (given_up == nullptr || !*given_up);
  };
  bool closed = false;
  while (!closed && out.size() < most_output && may_go_on()) {
    pollfd readable{our_in.number(), POLLIN, 0};
    if (::poll(&readable, 1, static_cast<int>(glance.count())) <= 0) continue;
    char piece[4096];
    auto n = ::read(our_in.number(), piece, sizeof piece);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      closed = true;
    } else {
      out.append(piece, static_cast<std::size_t>(n));
    }
  }
  // Who has closed its output may go on for ever.
  int status = 0;
  bool over = false;
  auto pause = milliseconds(1);
  while (closed && !over && may_go_on()) {
    over = ::waitpid(*child, &status, WNOHANG) == *child;
    if (over) break;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, glance);
  }
  if (!over) {
    ::kill(-*child, SIGKILL);
    while (::waitpid(*child, &status, 0) < 0 && errno == EINTR) continue;
  }
  if (!over) return fail(errc::file_unreadable, arguments[0] + " was not over in time, or wrote too much");
  if (!fed || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return fail(errc::file_unreadable,
                arguments[0] + " ended with " +
                    (WIFEXITED(status) ? "status " + std::to_string(WEXITSTATUS(status)) : "a signal"));
  return out;
}

}  // namespace mcp_oauth
