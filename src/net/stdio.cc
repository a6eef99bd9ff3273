#include "net/stdio.h"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mcp_oauth::net {
namespace {

constexpr std::size_t block = 64 * 1024;
constexpr int turns_at_once = 8;
constexpr int large_pipe = 512 * 1024;

stdio_kind kind_of(int descriptor) {
  struct stat about{};
  if (::fstat(descriptor, &about) != 0) return stdio_kind::file;
  if (S_ISSOCK(about.st_mode)) return stdio_kind::socket;
  if (S_ISFIFO(about.st_mode)) return stdio_kind::pipe;
  if (S_ISREG(about.st_mode) || S_ISDIR(about.st_mode)) return stdio_kind::file;
  return stdio_kind::other;
}

// Whether a read that gives less than it could has taken all. Not so where there are records, of which a read
// gives one however many there are: a terminal's lines, the packets of a pipe, which its reader cannot tell
// from another.
bool flows(int descriptor, stdio_kind kind) {
  int type = 0;
  socklen_t size = sizeof type;
  return kind == stdio_kind::socket && ::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
         type == SOCK_STREAM;
}

bool is_ready(int descriptor, short wanted) {
  pollfd one{descriptor, wanted, 0};
  return ::poll(&one, 1, 0) == 1;
}

}  // namespace

// ---- input

stdio_input::stdio_input(worker& w, int descriptor, std::function<void(std::string_view)> on_bytes,
                         std::function<void()> on_end)
    : worker_(w),
      descriptor_(descriptor),
      kind_(kind_of(descriptor)),
      flows_(flows(descriptor, kind_)),
      on_bytes_(std::move(on_bytes)),
      on_end_(std::move(on_end)) {}

stdio_input::~stdio_input() {
  *alive_ = false;
  worker_.forget(*this);
}

void stdio_input::start() {
  // What cannot be waited for (a file, /dev/null) is ready.
  if (kind_ != stdio_kind::file && !worker_.watch(descriptor_, *this)) kind_ = stdio_kind::file;
  pause(false);
}

void stdio_input::stop() {
  ended_ = true;
  worker_.forget(*this);
}

void stdio_input::pause(bool now) {
  paused_ = now;
  if (paused_ || ended_) return;
  if (kind_ != stdio_kind::file) return worker_.again(*this, 0);
  if (std::exchange(posted_, true)) return;
  worker_.post([this, alive = alive_] {
    if (!*alive) return;
    posted_ = false;
    read_some(false);
  });
}

void stdio_input::on_events(std::uint32_t events) {
  hung_up_ = hung_up_ || (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  read_some((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0);
}

// `ready`: the kernel has just said so, and nobody has read since.
void stdio_input::read_some(bool ready) {
  for (int turn = 0; !paused_ && !ended_; ++turn) {
    if (turn == turns_at_once) return pause(false);
    bool waits = kind_ == stdio_kind::pipe || kind_ == stdio_kind::other;
    if (waits && !std::exchange(ready, false) && !is_ready(descriptor_, POLLIN)) return;
    char* buffer = worker_.take_block(block);
    ssize_t n = 0;
    do {
      n = kind_ == stdio_kind::socket ? ::recv(descriptor_, buffer, block, MSG_DONTWAIT)
                                      : ::read(descriptor_, buffer, block);
    } while (n < 0 && errno == EINTR);
    bool again = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    auto alive = alive_;
    if (n > 0) on_bytes_({buffer, static_cast<std::size_t>(n)});
    worker_.give_block(buffer, block);
    if (again || !*alive) return;
    // Read short: it is empty, and what comes then will be told of.
    bool emptied = flows_ && !hung_up_ && n < static_cast<ssize_t>(block);
    if (n > 0 && emptied) return;
    if (n > 0) continue;
    stop();
    on_end_();
  }
}

// ---- output

stdio_output::stdio_output(worker& w, int descriptor, std::function<void()> on_drained,
                           std::function<void()> on_gone)
    : worker_(w),
      descriptor_(descriptor),
      kind_(kind_of(descriptor)),
      on_drained_(std::move(on_drained)),
      on_gone_(std::move(on_gone)) {}

stdio_output::~stdio_output() { worker_.forget(*this); }

void stdio_output::start() {
  if (kind_ == stdio_kind::pipe) ::fcntl(descriptor_, F_SETFL, ::fcntl(descriptor_, F_GETFL) | O_NONBLOCK);
  if (kind_ != stdio_kind::file && !worker_.watch(descriptor_, *this)) kind_ = stdio_kind::file;
}

void stdio_output::write(std::string& bytes) {
  if (gone_ || bytes.empty()) return bytes.clear();
  if (backlog() > 0) {
    held_ += bytes;
    return bytes.clear();
  }
  std::string_view rest = bytes;
  while (!rest.empty() && (write_some(rest) || enlarge())) {
  }
  if (gone_) return bytes.clear();
  if (!rest.empty()) {
    held_.assign(rest);
    at_ = 0;
  }
  constexpr std::size_t usual = 256 * 1024;
  bytes.clear();
  if (bytes.capacity() > usual) bytes.shrink_to_fit();
}

void stdio_output::write_soon(std::string& bytes) {
  if (bytes.empty()) return;
  // What cannot be waited for has no turn.
  if (kind_ == stdio_kind::file || gone_) return write(bytes);
  soon_ = &bytes;
  worker_.again(*this, 0);
}

// Once, when a message comes that a pipe's usual 64 KiB do not hold: with more room it needs fewer turns.
bool stdio_output::enlarge() {
  if (kind_ != stdio_kind::pipe || gone_ || std::exchange(enlarged_, true)) return false;
  return ::fcntl(descriptor_, F_SETPIPE_SZ, large_pipe) >= 0;
}

// False: not now.
bool stdio_output::write_some(std::string_view& bytes) {
  auto part = bytes;
  // A terminal takes what it is given, however long that lasts; so it gets little at a time.
  if (kind_ == stdio_kind::other) {
    if (!is_ready(descriptor_, POLLOUT)) return false;
    part = part.substr(0, 4096);
  }
  ssize_t n = 0;
  do {
    n = kind_ == stdio_kind::socket
            ? ::send(descriptor_, part.data(), part.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
            : ::write(descriptor_, part.data(), part.size());
  } while (n < 0 && errno == EINTR);
  if (n >= 0) {
    bytes.remove_prefix(static_cast<std::size_t>(n));
    return true;
  }
  if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
  if (!std::exchange(gone_, true)) {
    worker_.forget(*this);
    held_.clear();
    at_ = 0;
    on_gone_();
  }
  return false;
}

void stdio_output::on_events(std::uint32_t events) {
  if ((events & (EPOLLERR | EPOLLHUP)) != 0 && !gone_) {
    gone_ = true;
    worker_.forget(*this);
    held_.clear();
    at_ = 0;
    return on_gone_();
  }
  if (backlog() > 0) flush();
  if (auto* bytes = std::exchange(soon_, nullptr)) write(*bytes);
}

void stdio_output::flush() {
  auto rest = std::string_view(held_).substr(at_);
  while (!rest.empty() && write_some(rest)) {
  }
  if (gone_) return;
  at_ = held_.size() - rest.size();
  if (!rest.empty()) return;
  std::string().swap(held_);
  at_ = 0;
  on_drained_();
}

}  // namespace mcp_oauth::net
