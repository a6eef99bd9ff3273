// An MCP server that answers with as little work as possible, so that a bench measures what stands before it.
// One thread, HTTP/1.1 with Content-Length only, no checks.
//
//   bench_upstream PORT
//
// What it does is in the last part of the path, whatever the method:
//   …/large    64 KiB of JSON            …/session  a small JSON with an Mcp-Session-Id
//   …/events   100 events, each in a send of its own, in turn with those of all other streams
//   …/burst    100 events in one send
//   …/hold     an event stream that says nothing until …/release is asked for; then one event
//   …/count    what was answered so far, as JSON
//   all else   1 KiB of JSON

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr int events_in_a_stream = 100;

std::string json(std::size_t text_size, std::string_view fields = "") {
  auto body = R"({"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":")" +
              std::string(text_size, 'y') + R"("}]}})";
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + std::string(fields) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string chunk(std::string_view content) {
  char size[16];
  std::snprintf(size, sizeof size, "%zx\r\n", content.size());
  return size + std::string(content) + "\r\n";
}

const std::string small = json(900);
const std::string large = json(64 << 10);
const std::string with_session = json(900, "Mcp-Session-Id: 3f2a0d9c8b7e6f5a4d3c2b1a09876543\r\n");
const std::string stream_head =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: "
    "chunked\r\n\r\n";
const std::string event = chunk(
    "event: message\ndata: "
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":"
    "\"t\",\"progress\":1,\"message\":\"" +
    std::string(80, 'z') + "\"}}\n\n");
constexpr std::string_view stream_end = "0\r\n\r\n";

struct connection {
  int fd = -1;
  std::string in;
  std::string out;
  std::size_t sent = 0;
  std::size_t body_left = 0;
  std::string path;
  int events_left = -1;  // -1: no stream
  bool holds = false;
  bool in_turn = false;
  bool waits_for_room = false;
  bool head_read = false;
};

class server {
 public:
  explicit server(std::uint16_t port) : epoll_(::epoll_create1(0)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(port);
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&where), sizeof where) != 0 ||
        ::listen(listener_, 4096) != 0) {
      std::perror("bench_upstream");
      std::exit(1);
    }
    epoll_event e{};
    e.events = EPOLLIN;
    e.data.ptr = nullptr;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &e);
  }

  [[noreturn]] void run() {
    std::vector<epoll_event> ready(1024);
    for (;;) {
      int n = ::epoll_wait(epoll_, ready.data(), static_cast<int>(ready.size()), turns_.empty() ? -1 : 0);
      for (int i = 0; i < n; ++i) {
        auto* c = static_cast<connection*>(ready[static_cast<std::size_t>(i)].data.ptr);
        if (c == nullptr) {
          accept();
        } else {
          serve(*c, ready[static_cast<std::size_t>(i)].events);
        }
      }
      next_events();
      // Not earlier, as an event in `ready` may still name it.
      gone_.clear();
    }
  }

 private:
  void accept() {
    for (;;) {
      int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK);
      if (fd < 0) return;
      int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      auto c = std::make_unique<connection>();
      c->fd = fd;
      listen_to(*c, EPOLLIN, EPOLL_CTL_ADD);
      open_[fd] = std::move(c);
    }
  }

  void listen_to(connection& c, std::uint32_t events, int how = EPOLL_CTL_MOD) const {
    epoll_event e{};
    e.events = events;
    e.data.ptr = &c;
    ::epoll_ctl(epoll_, how, c.fd, &e);
  }

  void drop(connection& c) {
    auto at = open_.find(c.fd);
    if (at == open_.end() || at->second.get() != &c) return;
    ::close(c.fd);
    if (c.holds) --held_;
    c.holds = false;
    c.events_left = -1;
    c.fd = -1;
    gone_.push_back(std::move(at->second));
    open_.erase(at);
  }

  void serve(connection& c, std::uint32_t events) {
    if (c.fd < 0) return;
    if ((events & EPOLLOUT) != 0) flush(c);
    if (c.fd < 0 || (events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) return;
    for (;;) {
      auto n = ::recv(c.fd, buffer_.data(), buffer_.size(), 0);
      if (n == 0 || (n < 0 && errno != EAGAIN)) return drop(c);
      if (n < 0) return;
      take(c, {buffer_.data(), static_cast<std::size_t>(n)});
      if (c.fd < 0 || static_cast<std::size_t>(n) < buffer_.size()) return;
    }
  }

  void take(connection& c, std::string_view bytes) {
    // A body is not kept.
    if (c.head_read) {
      auto body = std::min(bytes.size(), c.body_left);
      c.body_left -= body;
      bytes.remove_prefix(body);
      if (c.body_left == 0) answer(c);
    }
    if (c.fd < 0 || (bytes.empty() && c.in.empty())) return;
    c.in += bytes;
    while (c.fd >= 0 && !c.head_read) {
      auto end = c.in.find("\r\n\r\n");
      if (end == std::string::npos) return;
      read_head(c, std::string_view(c.in).substr(0, end + 2));
      c.in.erase(0, end + 4);
      auto body = std::min(c.in.size(), c.body_left);
      c.body_left -= body;
      c.in.erase(0, body);
      if (c.body_left == 0) answer(c);
    }
  }

  static void read_head(connection& c, std::string_view head) {
    auto target = head.substr(head.find(' ') + 1);
    target = target.substr(0, target.find(' '));
    c.path = target.substr(target.rfind('/') + 1);
    c.body_left = 0;
    c.head_read = true;
    constexpr std::string_view name = "content-length:";
    for (auto at = head.find("\r\n"); at + 2 < head.size(); at = head.find("\r\n", at + 2)) {
      if (::strncasecmp(head.data() + at + 2, name.data(), name.size()) == 0) {
        c.body_left = std::strtoull(head.data() + at + 2 + name.size(), nullptr, 10);
      }
    }
  }

  void answer(connection& c) {
    c.head_read = false;
    if (c.path == "count") {
      auto body = "{\"requests\":" + std::to_string(requests_) + ",\"events\":" + std::to_string(events_) +
                  ",\"held\":" + std::to_string(held_) + "}";
      return send(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
                         std::to_string(body.size()) + "\r\n\r\n" + body);
    }
    if (c.path == "release") {
      release();
      return send(c, small);
    }
    ++requests_;
    if (c.path == "large") return send(c, large);
    if (c.path == "session") return send(c, with_session);
    if (c.path == "hold") {
      c.holds = true;
      ++held_;
      return send(c, stream_head);
    }
    if (c.path == "burst") {
      static const std::string all = [] {
        std::string text = stream_head;
        for (int i = 0; i < events_in_a_stream; ++i) text += event;
        return text + std::string(stream_end);
      }();
      events_ += events_in_a_stream;
      return send(c, all);
    }
    if (c.path == "events") {
      c.events_left = events_in_a_stream;
      if (!c.in_turn) turns_.push_back(&c);
      c.in_turn = true;
      return send(c, stream_head);
    }
    send(c, small);
  }

  void release() {
    std::vector<connection*> held;
    for (auto& [fd, c] : open_) {
      if (c->holds) held.push_back(c.get());
    }
    for (auto* c : held) {
      ++events_;
      send(*c, event);
    }
  }

  void next_events() {
    std::vector<connection*> again;
    for (auto* c : std::exchange(turns_, {})) {
      if (c->fd < 0 || c->events_left < 0) continue;
      if (c->out.empty()) {
        if (c->events_left > 0) {
          --c->events_left;
          ++events_;
          send(*c, event);
        } else {
          c->events_left = -1;
          c->in_turn = false;
          send(*c, stream_end);
          if (c->fd >= 0) take(*c, "");
        }
      }
      // One that waits for room comes back when there is some.
      if (c->fd >= 0 && c->events_left >= 0) {
        if (c->waits_for_room) {
          c->in_turn = false;
        } else {
          again.push_back(c);
        }
      }
    }
    turns_.insert(turns_.end(), again.begin(), again.end());
  }

  void send(connection& c, std::string_view bytes) {
    if (!c.out.empty()) {
      c.out += bytes;
      return;
    }
    auto n = ::send(c.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) return drop(c);
    auto done = n < 0 ? std::size_t{0} : static_cast<std::size_t>(n);
    if (done == bytes.size()) return;
    c.out = bytes.substr(done);
    c.sent = 0;
    c.waits_for_room = true;
    listen_to(c, EPOLLIN | EPOLLOUT);
  }

  void flush(connection& c) {
    auto n = ::send(c.fd, c.out.data() + c.sent, c.out.size() - c.sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) return drop(c);
    if (n > 0) c.sent += static_cast<std::size_t>(n);
    if (c.sent < c.out.size()) return;
    c.out.clear();
    c.waits_for_room = false;
    listen_to(c, EPOLLIN);
    if (c.events_left >= 0 && !c.in_turn) {
      c.in_turn = true;
      turns_.push_back(&c);
    }
  }

  int epoll_;
  int listener_;
  std::unordered_map<int, std::unique_ptr<connection>> open_;
  std::vector<std::unique_ptr<connection>> gone_;
  std::vector<connection*> turns_;
  std::vector<char> buffer_ = std::vector<char>(256 << 10);
  std::uint64_t requests_ = 0;
  std::uint64_t events_ = 0;
  std::uint64_t held_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: bench_upstream PORT\n");
    return 2;
  }
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  server(static_cast<std::uint16_t>(std::atoi(argv[1]))).run();
}
