#include "app/ask_for_token.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <iostream>
#include <string_view>

#include <termios.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

constexpr std::size_t longest = 64 * 1024, most_path = 1024;

// The name of a file in place of what is in it.
result<void> check_no_file(const std::string& given) {
  auto path = given.starts_with('@') ? given.substr(1) : given;
  while (!path.empty() && (path.back() == '\n' || path.back() == '\r')) path.pop_back();
  if (path.empty() || path.size() > most_path) return {};
  if (::access(path.c_str(), F_OK) == 0)
    return fail(errc::parameter_malformed,
                path + " is a file, and no token: mcp-oauth-proxy explain-token - < " + path);
  constexpr auto endings = std::to_array<std::string_view>({".txt", ".json", ".jwt", ".token"});
  bool named = std::any_of(endings.begin(), endings.end(), [&](auto end) { return path.ends_with(end); });
  if (!named) return {};
  return fail(
      errc::parameter_malformed,
      path +
          " looks like the name of a file, and none of that name is here; what is in a file is read by: "
          "mcp-oauth-proxy explain-token - < FILE");
}

// A terminal that shows nothing and hands over each character: as a line it would hold 4095 of them, and a
// token may be longer. Signals come as characters, so that none of them leaves the terminal like this.
class silent_terminal {
 public:
  silent_terminal() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    auto silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | ISIG);
    silent.c_cc[VMIN] = 1;
    silent.c_cc[VTIME] = 0;
    changed_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
  }
  ~silent_terminal() {
    if (changed_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  silent_terminal(const silent_terminal&) = delete;
  silent_terminal& operator=(const silent_terminal&) = delete;

 private:
  struct termios before_{};
  bool changed_ = false;
};

// Nothing at the end of the input, or where it cannot be read.
bool read_one(char& into) {
  for (;;) {
    auto n = ::read(STDIN_FILENO, &into, 1);
    if (n == 1) return true;
    if (n == 0 || errno != EINTR) return false;
  }
}

constexpr char interrupt = 0x03, end_of_input = 0x04, backspace = 0x08, erase = 0x7F;

result<secret> from_terminal() {
  std::cerr << "Token (it is not shown; end with Enter): " << std::flush;
  std::string text;
  {
    silent_terminal silent;
    for (char c = 0; read_one(c);) {
      if (c == interrupt) text.clear();
      if (c == '\n' || c == '\r' || c == interrupt || c == end_of_input) break;
      if ((c == erase || c == backspace) && !text.empty()) {
        text.pop_back();
      } else if (c != erase && c != backspace) {
        text += c;
      }
      if (text.size() > longest) return fail(errc::parameter_too_long, "the token is over 64 KiB");
    }
  }
  std::cerr << "\n";
  if (text.empty()) return fail(errc::parameter_missing, "no token was given");
  if (auto fine = check_no_file(text); !fine) return tl::unexpected<error>(fine.error());
  return secret(std::move(text));
}

result<secret> from_input() {
  std::string text;
  char buffer[4096];
  for (;;) {
    auto n = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.append(buffer, static_cast<std::size_t>(n));
    if (text.size() > longest) return fail(errc::parameter_too_long, "the token is over 64 KiB");
  }
  if (text.find_first_not_of("\r\n") == std::string::npos)
    return fail(errc::parameter_missing, "no token on standard input");
  if (auto fine = check_no_file(text); !fine) return tl::unexpected<error>(fine.error());
  return secret(std::move(text));
}

}  // namespace

result<secret> ask_for_token(const std::string& given) {
  if (given == "-") return from_input();
  if (given.empty()) return ::isatty(STDIN_FILENO) == 1 ? from_terminal() : from_input();
  if (given.size() > longest) return fail(errc::parameter_too_long, "the token is over 64 KiB");
  if (auto fine = check_no_file(given); !fine) return tl::unexpected<error>(fine.error());
  std::cerr
      << "⚠ Warning: a token on the command line stays in the shell's history and can be seen among the "
         "processes: leave it away, and it is asked for, or write - and pipe it in\n";
  return secret(given);
}

}  // namespace mcp_oauth
