// What `./dev bench bridge` measures with: an MCP server that does next to nothing, and a client that calls
// it, over HTTP or over standard input and output by way of a bridge. Linux alone, no checks, no error that
// is not the end.
//
//   bridge_calls server PORT
//     an MCP server with sessions at /mcp, and tokens at /token
//   bridge_calls relay PORT
//     what a bridge cannot be quicker than: lines to requests, answers to lines, and nothing else
//   bridge_calls direct PORT CALLS IN_FLIGHT SIZE
//     calls over kept connections, one for each in flight
//   bridge_calls stdio CALLS IN_FLIGHT SIZE COMMAND…
//     the same by way of the command
//
// Each call has SIZE bytes of text in its result. A client prints one line of JSON: the first reply after the
// start in milliseconds, p50 and p99 in microseconds, calls a second, and of the command the processor time
// for a call and its resident memory, idle a second after its first answers and at once after its last. What
// of the idle memory is its own (the rest are pages of files, which all who run the same share) is told, too.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using clock_type = std::chrono::steady_clock;

double microseconds_since(clock_type::time_point from) {
  return std::chrono::duration<double, std::micro>(clock_type::now() - from).count();
}

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::exit(1);
}

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    auto n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EAGAIN) {
      pollfd room{fd, POLLOUT, 0};
      ::poll(&room, 1, -1);
      continue;
    }
    if (n <= 0) give_up("write");
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

sockaddr_in loopback(int port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(static_cast<std::uint16_t>(port));
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return at;
}

// The digits behind `"name":`, or "".
std::string_view number_of(std::string_view json, std::string_view name) {
  auto at = json.find("\"" + std::string(name) + "\":");
  if (at == std::string_view::npos) return "";
  at += name.size() + 3;
  auto end = std::min(json.find_first_not_of("0123456789", at), json.size());
  return json.substr(at, end - at);
}

std::string message(std::string_view method, long id, std::string_view params) {
  return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":")" + std::string(method) +
         R"(","params":)" + std::string(params) + "}";
}

std::string call(long id, long size) {
  return message("tools/call", id, R"({"name":"echo","arguments":{"size":)" + std::to_string(size) + "}}");
}

const std::string initialize = message(
    "initialize", 1,
    R"({"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"bench","version":"1"}})");
constexpr std::string_view initialized = R"({"jsonrpc":"2.0","method":"notifications/initialized"})";

// ---- the server

std::string answer(std::string_view head, std::string_view body) {
  auto ok = [](std::string_view json, std::string_view fields = "") {
    return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + std::string(fields) +
           "Content-Length: " + std::to_string(json.size()) + "\r\n\r\n" + std::string(json);
  };
  if (head.substr(0, 4) == "GET ") return "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n";
  if (head.substr(0, 11) == "POST /token")
    return ok(R"({"access_token":"a-token-for-benches","token_type":"Bearer","expires_in":3600})");
  auto id = number_of(body, "id");
  if (id.empty()) return "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
  std::string begin = R"({"jsonrpc":"2.0","id":)" + std::string(id) + R"(,"result":)";
  if (body.find("\"initialize\"") != std::string_view::npos) {
    return ok(begin + R"({"protocolVersion":"2025-06-18","capabilities":{"tools":{}},)" +
                  R"("serverInfo":{"name":"bench","version":"1"}}})",
              "Mcp-Session-Id: 3f2a0d9c8b7e6f5a4d3c2b1a09876543\r\n");
  }
  auto size = std::strtoul(std::string(number_of(body, "size")).c_str(), nullptr, 10);
  return ok(begin + R"({"content":[{"type":"text","text":")" + std::string(size, 'y') + R"("}]}})");
}

// Answers what is whole in `in` and takes it away.
std::string answers(std::string& in) {
  std::string out;
  for (;;) {
    auto end = in.find("\r\n\r\n");
    if (end == std::string::npos) return out;
    auto head = std::string_view(in).substr(0, end);
    std::size_t length = 0;
    for (std::string_view name : {"Content-Length: ", "content-length: "}) {
      auto at = head.find(name);
      if (at != std::string_view::npos)
        length = std::strtoul(std::string(head.substr(at + name.size(), 12)).c_str(), nullptr, 10);
    }
    if (in.size() < end + 4 + length) return out;
    out += answer(head, std::string_view(in).substr(end + 4, length));
    in.erase(0, end + 4 + length);
  }
}

int serve(int port) {
  int listening = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int on = 1;
  ::setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  auto at = loopback(port);
  if (::bind(listening, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 || ::listen(listening, 512) != 0)
    give_up("listen");
  int loop = ::epoll_create1(EPOLL_CLOEXEC);
  std::map<int, std::string> connections;
  auto watch = [&](int fd) {
    epoll_event wanted{};
    wanted.events = EPOLLIN;
    wanted.data.fd = fd;
    ::epoll_ctl(loop, EPOLL_CTL_ADD, fd, &wanted);
  };
  watch(listening);
  for (std::vector<char> buffer(64 * 1024);;) {
    epoll_event events[64];
    int ready = ::epoll_wait(loop, events, 64, -1);
    for (int i = 0; i < ready; ++i) {
      int fd = events[i].data.fd;
      if (fd == listening) {
        int accepted = ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
        ::setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connections[accepted];
        watch(accepted);
        continue;
      }
      auto n = ::read(fd, buffer.data(), buffer.size());
      if (n <= 0) {
        connections.erase(fd);
        ::close(fd);
        continue;
      }
      auto& in = connections[fd];
      in.append(buffer.data(), static_cast<std::size_t>(n));
      auto out = answers(in);
      if (!out.empty()) write_all(fd, out);
    }
  }
}

// ---- what is reported

struct use_of_a_process {
  double cpu_us = 0;
  long rss_kib = 0, own_kib = 0;
};

use_of_a_process look_at(pid_t pid) {
  use_of_a_process seen;
  auto read = [&](const char* name) {
    std::string text(8192, '\0');
    auto path = "/proc/" + std::to_string(pid) + "/" + name;
    int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    auto n = fd < 0 ? 0 : ::read(fd, text.data(), text.size());
    if (fd >= 0) ::close(fd);
    text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return text;
  };
  auto status = read("status");
  if (auto at = status.find("VmRSS:"); at != std::string::npos)
    seen.rss_kib = std::strtol(status.c_str() + at + 6, nullptr, 10);
  if (auto at = status.find("RssAnon:"); at != std::string::npos)
    seen.own_kib = std::strtol(status.c_str() + at + 8, nullptr, 10);
  // In nanoseconds, of the first thread; a bridge that has more than one is cheaper here than it is.
  seen.cpu_us = static_cast<double>(std::strtoull(read("schedstat").c_str(), nullptr, 10)) / 1000.0;
  auto stat = read("stat");
  if (auto at = stat.rfind(')'); at != std::string::npos) {
    unsigned long user = 0, kernel = 0;
    std::sscanf(stat.c_str() + at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel);
    auto ticks = static_cast<double>(user + kernel) * 1e6 / static_cast<double>(::sysconf(_SC_CLK_TCK));
    seen.cpu_us = std::max(seen.cpu_us, ticks);
  }
  return seen;
}

struct outcome {
  double first_reply_ms = 0, seconds = 0;
  std::vector<double> took;  // µs, of each call
  use_of_a_process before, after;
};

void print(outcome& o) {
  std::sort(o.took.begin(), o.took.end());
  auto at = [&](double share) {
    return o.took[std::min(o.took.size() - 1,
                           static_cast<std::size_t>(share * static_cast<double>(o.took.size())))];
  };
  auto calls = static_cast<double>(o.took.size());
  std::printf(
      R"({"first_reply_ms":%.2f,"p50_us":%.1f,"p99_us":%.1f,"per_second":%.0f,"cpu_us":%.1f,"idle_kib":%ld,"own_kib":%ld,"after_kib":%ld})"
      "\n",
      o.first_reply_ms, at(0.5), at(0.99), calls / o.seconds, (o.after.cpu_us - o.before.cpu_us) / calls,
      o.before.rss_kib, o.before.own_kib, o.after.rss_kib);
}

// ---- the client over HTTP

struct http_connection {
  int fd = -1;
  std::string in;
  clock_type::time_point sent;
};

int connect_to(int port) {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  auto at = loopback(port);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) give_up("connect");
  return fd;
}

// `session`: header lines, or "".
std::string post(std::string_view json, std::string_view session) {
  return "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer a-token-for-benches\r\n" +
         std::string(session) +
         "Accept: application/json, text/event-stream\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(json.size()) + "\r\n\r\n" + std::string(json);
}

std::string_view field_of(std::string_view head, std::string_view small, std::string_view large) {
  auto at = std::min(head.find(small), head.find(large));
  if (at == std::string_view::npos) return "";
  at += small.size();
  return head.substr(at, head.find("\r\n", at) - at);
}

// Reads on; when one answer is whole, gives its length and that of its head, else zeros.
struct whole_answer {
  std::size_t head = 0, all = 0;
  bool chunked = false;
};
whole_answer read_answer(http_connection& c, std::vector<char>& buffer) {
  auto n = ::read(c.fd, buffer.data(), buffer.size());
  if (n <= 0) give_up("read");
  c.in.append(buffer.data(), static_cast<std::size_t>(n));
  auto end = c.in.find("\r\n\r\n");
  if (end == std::string::npos) return {};
  auto head = std::string_view(c.in).substr(0, end + 2);
  auto length = field_of(head, "content-length: ", "Content-Length: ");
  bool chunked = !field_of(head, "transfer-encoding: ", "Transfer-Encoding: ").empty();
  end += 4;
  if (chunked) return c.in.ends_with("\r\n0\r\n\r\n") ? whole_answer{end, c.in.size(), true} : whole_answer{};
  auto all = end + std::strtoul(std::string(length).c_str(), nullptr, 10);
  return c.in.size() < all ? whole_answer{} : whole_answer{end, all};
}

// The content of a body that came in chunks.
std::string joined(std::string_view chunks) {
  std::string content;
  while (!chunks.empty()) {
    auto size = std::strtoul(std::string(chunks.substr(0, 16)).c_str(), nullptr, 16);
    if (size == 0) break;
    content += chunks.substr(chunks.find("\r\n") + 2, size);
    chunks.remove_prefix(chunks.find("\r\n") + 2 + size + 2);
  }
  return content;
}

// What every request behind `initialize` has to say (Streamable HTTP of 2025-06-18).
std::string session_of(std::string_view answer) {
  std::string lines = "Mcp-Protocol-Version: 2025-06-18\r\n";
  auto id = field_of(answer, "mcp-session-id: ", "Mcp-Session-Id: ");
  if (!id.empty()) lines += "Mcp-Session-Id: " + std::string(id) + "\r\n";
  return lines;
}

outcome call_directly(int port, long calls, std::size_t in_flight, long size) {
  outcome o;
  std::vector<char> buffer(256 * 1024);
  std::vector<http_connection> all(in_flight);
  std::vector<pollfd> watched;
  for (auto& c : all) {
    c.fd = connect_to(port);
    watched.push_back({c.fd, POLLIN, 0});
  }
  std::string session;
  for (std::string_view first : {std::string_view(initialize), initialized}) {
    write_all(all.front().fd, post(first, session));
    while (read_answer(all.front(), buffer).all == 0) continue;
    if (session.empty()) session = session_of(all.front().in);
    all.front().in.clear();
  }
  long sent = 0;
  auto send = [&](http_connection& c) {
    c.sent = clock_type::now();
    write_all(c.fd, post(call(++sent, size), session));
  };
  auto began = clock_type::now();
  for (auto& c : all) send(c);
  while (static_cast<long>(o.took.size()) < calls) {
    if (::poll(watched.data(), watched.size(), -1) < 0) give_up("poll");
    for (std::size_t i = 0; i < all.size(); ++i) {
      if ((watched[i].revents & POLLIN) == 0 || read_answer(all[i], buffer).all == 0) continue;
      all[i].in.clear();
      o.took.push_back(microseconds_since(all[i].sent));
      if (sent < calls) send(all[i]);
    }
  }
  o.seconds = microseconds_since(began) / 1e6;
  return o;
}

// ---- a bridge that does nothing but carry

int relay(int port) {
  std::vector<char> buffer(256 * 1024);
  std::vector<http_connection> all;
  std::vector<std::size_t> idle;
  std::vector<pollfd> watched{{0, POLLIN, 0}};
  std::string lines, session, content, out;
  auto send = [&](std::string_view line) {
    if (idle.empty()) {
      idle.push_back(all.size());
      all.push_back({connect_to(port), "", {}});
      watched.push_back({all.back().fd, POLLIN, 0});
    }
    auto which = idle.back();
    idle.pop_back();
    write_all(all[which].fd, post(line, session));
  };
  for (;;) {
    if (::poll(watched.data(), watched.size(), -1) < 0) give_up("poll");
    for (std::size_t i = 0; i < all.size(); ++i) {
      auto& c = all[i];
      if ((watched[i + 1].revents & POLLIN) == 0) continue;
      auto whole = read_answer(c, buffer);
      if (whole.all == 0) continue;
      if (session.empty()) session = session_of(std::string_view(c.in).substr(0, whole.head));
      auto body = std::string_view(c.in).substr(whole.head, whole.all - whole.head);
      if (whole.chunked) body = content = joined(body);
      if (auto event = body.find("\ndata: "); event != std::string_view::npos) {
        body.remove_prefix(event + 7);
        body = body.substr(0, body.find('\n'));
      }
      if (!body.empty()) {
        out.assign(body);
        out += '\n';
        write_all(1, out);
      }
      c.in.clear();
      idle.push_back(i);
    }
    if (watched.front().revents == 0) continue;
    auto n = ::read(0, buffer.data(), buffer.size());
    if (n <= 0) return 0;
    lines.append(buffer.data(), static_cast<std::size_t>(n));
    std::size_t at = 0;
    for (auto end = lines.find('\n'); end != std::string::npos; end = lines.find('\n', at)) {
      send(std::string_view(lines).substr(at, end - at));
      at = end + 1;
    }
    lines.erase(0, at);
  }
}

// ---- the client over standard input and output

struct child {
  pid_t pid = -1;
  int to = -1, from = -1;
};

child start(char** command) {
  int in[2], out[2];
  if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) give_up("pipe");
  child c{::fork(), in[1], out[0]};
  if (c.pid == 0) {
    ::dup2(in[0], 0);
    ::dup2(out[1], 1);
    ::execvp(command[0], command);
    give_up(command[0]);
  }
  ::close(in[0]);
  ::close(out[1]);
  return c;
}

// Whole lines, as they come.
class lines {
 public:
  explicit lines(int fd) : fd_(fd), buffer_(256 * 1024) {}
  std::string_view next() {
    for (taken_ = end_ == 0 ? 0 : end_ + 1;;) {
      end_ = in_.find('\n', std::max(taken_, searched_));
      if (end_ != std::string::npos) {
        searched_ = end_ + 1;
        return std::string_view(in_).substr(taken_, end_ - taken_);
      }
      in_.erase(0, taken_);
      taken_ = 0;
      searched_ = in_.size();
      auto n = ::read(fd_, buffer_.data(), buffer_.size());
      if (n <= 0) give_up("the command ended");
      in_.append(buffer_.data(), static_cast<std::size_t>(n));
    }
  }

 private:
  int fd_;
  std::vector<char> buffer_;
  std::string in_;
  std::size_t taken_ = 0, end_ = 0, searched_ = 0;
};

outcome call_by_way_of(char** command, long calls, std::size_t in_flight, long size) {
  outcome o;
  auto began = clock_type::now();
  auto bridge = start(command);
  lines from(bridge.from);
  write_all(bridge.to, initialize + "\n");
  while (number_of(from.next(), "id") != "1") continue;
  o.first_reply_ms = microseconds_since(began) / 1000;
  write_all(bridge.to, std::string(initialized) + "\n");
  constexpr long first_id = 10;
  std::vector<clock_type::time_point> sent_at(static_cast<std::size_t>(calls) + 1);
  long sent = 0;
  auto send = [&] {
    auto line = call(first_id + sent, size) + "\n";
    sent_at[static_cast<std::size_t>(sent++)] = clock_type::now();
    write_all(bridge.to, line);
  };
  auto take = [&] {
    for (;;) {
      std::string_view line = from.next();
      // Before the result or, as the official SDK writes it, behind it.
      auto digits = number_of(line.substr(0, 200), "id");
      if (digits.empty())
        digits = number_of(line.substr(line.size() - std::min<std::size_t>(line.size(), 200)), "id");
      auto id = std::strtol(std::string(digits).c_str(), nullptr, 10);
      if (id >= first_id) return static_cast<std::size_t>(id - first_id);
    }
  };
  // The first has connections to make; afterwards there is a second without anything.
  send();
  take();
  sent = 0;
  ::usleep(1'000'000);
  o.before = look_at(bridge.pid);
  auto from_here = clock_type::now();
  while (sent < std::min(calls, static_cast<long>(in_flight))) send();
  while (static_cast<long>(o.took.size()) < calls) {
    auto which = take();
    o.took.push_back(microseconds_since(sent_at[which]));
    if (sent < calls) send();
  }
  o.seconds = microseconds_since(from_here) / 1e6;
  o.after = look_at(bridge.pid);
  ::close(bridge.to);
  ::waitpid(bridge.pid, nullptr, 0);
  return o;
}

}  // namespace

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  auto number = [&](int at) { return std::strtol(argv[at], nullptr, 10); };
  std::string_view what = argc > 1 ? argv[1] : "";
  if (what == "server" && argc == 3) return serve(static_cast<int>(number(2)));
  if (what == "relay" && argc == 3) return relay(static_cast<int>(number(2)));
  outcome o;
  if (what == "direct" && argc == 6) {
    o = call_directly(static_cast<int>(number(2)), number(3), static_cast<std::size_t>(number(4)), number(5));
  } else if (what == "stdio" && argc > 5) {
    o = call_by_way_of(argv + 5, number(2), static_cast<std::size_t>(number(3)), number(4));
  } else {
    std::fprintf(stderr, "usage: see the head of bench/bridge_calls.cc\n");
    return 2;
  }
  print(o);
}
