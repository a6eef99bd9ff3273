#include "net/stdio.h"

#include "net/readable.h"
#include "net/upstream.h"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace mcp_oauth::net {
namespace {

struct ends {
  int ours = -1, theirs = -1;  // theirs: of whoever is at the other side
};

ends pipe_in() {
  int both[2];
  EXPECT_EQ(::pipe2(both, O_CLOEXEC), 0);
  return {both[0], both[1]};
}
ends pipe_out() {
  auto [in, out] = pipe_in();
  return {out, in};
}
ends sockets() {
  int both[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both), 0);
  return {both[0], both[1]};
}
int file_of(std::string_view text) {
  std::FILE* file = std::tmpfile();
  int number = ::dup(::fileno(file));
  std::fclose(file);
  EXPECT_EQ(::write(number, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  ::lseek(number, 0, SEEK_SET);
  return number;
}

// Rounds of the loop until it holds, at most for ten seconds.
template <class F>
bool turns(worker& w, F holds) {
  auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!holds() && std::chrono::steady_clock::now() < until) {
    w.poll();
    std::this_thread::yield();
  }
  return holds();
}

TEST(StdioInput, ReadsPipesSocketsAndFilesToTheirEnd) {
  for (int kind = 0; kind < 3; ++kind) {
    std::string got;
    int ended = 0;
    std::string text(300'000, 'x');
    worker w(0);
    auto end = kind == 0 ? pipe_in() : kind == 1 ? sockets() : ends{file_of(text), -1};
    std::signal(SIGPIPE, SIG_IGN);
    std::thread writer([&] {
      if (end.theirs < 0) return;
      std::string_view rest = text;
      while (!rest.empty()) {
        auto n = ::write(end.theirs, rest.data(), rest.size());
        if (n <= 0) break;
        rest.remove_prefix(static_cast<std::size_t>(n));
      }
      ::close(end.theirs);
    });
    {
      stdio_input in(w, end.ours, [&](std::string_view bytes) { got += bytes; }, [&] { ++ended; });
      in.start();
      EXPECT_TRUE(turns(w, [&] { return ended > 0; })) << kind;
      EXPECT_EQ(got.size(), text.size()) << kind;
      EXPECT_EQ(ended, 1) << kind;
    }
    ::close(end.ours);
    writer.join();
  }
}

TEST(StdioInput, ReadsNothingWhileItIsPaused) {
  std::string got;
  int ended = 0;
  worker w(0);
  auto end = sockets();
  stdio_input in(w, end.ours, [&](std::string_view bytes) { got += bytes; }, [&] { ++ended; });
  in.start();
  in.pause(true);
  EXPECT_EQ(::write(end.theirs, "hello", 5), 5);
  for (int i = 0; i < 20; ++i) w.poll();
  EXPECT_EQ(got, "");
  in.pause(false);
  EXPECT_TRUE(turns(w, [&] { return got == "hello"; }));
  in.stop();
  EXPECT_EQ(::write(end.theirs, "more", 4), 4);
  for (int i = 0; i < 20; ++i) w.poll();
  EXPECT_EQ(got, "hello");
  ::close(end.theirs);
  ::close(end.ours);
}

TEST(StdioOutput, HoldsWhatIsNotReadAndSaysWhenItHasGone) {
  for (bool socket : {true, false}) {
    int drained = 0, gone = 0;
    worker w(0);
    auto end = socket ? sockets() : pipe_out();
    stdio_output out(w, end.ours, [&] { ++drained; }, [&] { ++gone; });
    out.start();
    std::string bytes(2'000'000, 'y');
    out.write(bytes);
    EXPECT_TRUE(bytes.empty());
    EXPECT_GT(out.backlog(), 0U);
    bytes = "last";
    out.write(bytes);
    std::string read;
    std::thread reader([&] {
      char buffer[65536];
      while (read.size() < 2'000'004) {
        auto n = ::read(end.theirs, buffer, sizeof buffer);
        if (n <= 0) break;
        read.append(buffer, static_cast<std::size_t>(n));
      }
    });
    EXPECT_TRUE(turns(w, [&] { return drained > 0; })) << socket;
    reader.join();
    EXPECT_EQ(read.size(), 2'000'004U);
    EXPECT_EQ(read.substr(2'000'000), "last");
    EXPECT_EQ(out.backlog(), 0U);
    EXPECT_EQ(gone, 0);
    ::close(end.theirs);
    EXPECT_TRUE(turns(w, [&] { return gone > 0; })) << socket;
    bytes = "for nobody";
    out.write(bytes);
    EXPECT_TRUE(out.gone());
    EXPECT_EQ(gone, 1);
    ::close(end.ours);
  }
}

TEST(StdioOutput, WritesToAFile) {
  int drained = 0, gone = 0;
  worker w(0);
  int file = file_of("");
  stdio_output out(w, file, [&] { ++drained; }, [&] { ++gone; });
  out.start();
  std::string bytes = "line\n";
  out.write(bytes);
  EXPECT_EQ(::lseek(file, 0, SEEK_END), 5);
  EXPECT_EQ(out.backlog(), 0U);
  ::close(file);
}

TEST(Readable, CallsBackWhenThereIsSomethingToRead) {
  int called = 0;
  worker w(0);
  int number = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  readable watched(w, descriptor(number), [&](int which) {
    EXPECT_EQ(which, number);
    ++called;
  });
  readable none(w, descriptor(-1), [&](int) { called += 100; });
  for (int i = 0; i < 5; ++i) w.poll();
  EXPECT_EQ(called, 0);
  EXPECT_EQ(::eventfd_write(number, 1), 0);
  EXPECT_TRUE(turns(w, [&] { return called > 0; }));
  EXPECT_EQ(called, 1);
}

// ---- tunnels of a proxy

struct proxied {
  const char* answer;
  bool good;
};

task<void> connect_through(upstream_pool& pool, const upstream_target& target, int& state, std::string& why) {
  auto leased = co_await pool.acquire(target, upstream_pool::freshness::any);
  state = leased ? 1 : 2;
  if (!leased) why = leased.error().detail;
}

TEST(UpstreamProxy, IsAskedForATunnelAndItsAnswerDecides) {
  for (auto [answer, good] : {proxied{"HTTP/1.1 200 OK\r\n\r\n", true},
                              proxied{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 204 Fine\r\n\r\n", true},
                              proxied{"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", false},
                              proxied{"SSH-2.0\r\n\r\n", false}, proxied{"", false}}) {
    int state = 0;
    std::string why, asked;
    int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof where;
    ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&where), size), 0);
    ASSERT_EQ(::listen(listener, 1), 0);
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&where), &size);
    std::thread proxy([&, said = std::string(answer)] {
      int client = ::accept(listener, nullptr, nullptr);
      if (client < 0) return;
      char buffer[4096];
      auto n = ::recv(client, buffer, sizeof buffer, 0);
      if (n > 0) asked.assign(buffer, static_cast<std::size_t>(n));
      if (!said.empty()) {
        EXPECT_GT(::send(client, said.data(), said.size(), MSG_NOSIGNAL), 0);
      }
      ::close(client);
    });
    worker w(0);
    blocking_pool blocking(1);
    upstream_pool pool(w, blocking);
    upstream_target target;
    target.host = "mcp.test";
    target.port = 8443;
    target.authority = "mcp.test:8443";
    target.proxy = upstream_proxy{"127.0.0.1", ntohs(where.sin_port), "Basic x"};
    spawn(connect_through(pool, target, state, why));
    EXPECT_TRUE(turns(w, [&] { return state != 0; }));
    ::shutdown(listener, SHUT_RDWR);
    proxy.join();
    ::close(listener);
    EXPECT_EQ(state, good ? 1 : 2) << answer << why;
    EXPECT_EQ(
        asked,
        "CONNECT mcp.test:8443 HTTP/1.1\r\nHost: mcp.test:8443\r\nProxy-Authorization: Basic x\r\n\r\n");
  }
}

}  // namespace
}  // namespace mcp_oauth::net
