#include "net/stdio.h"

#include "net/readable.h"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <gtest/gtest.h>
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

TEST(StdioInput, HearsOfEveryMessageHoweverItFollowsTheOneBefore) {
  for (bool socket : {true, false}) {
    std::string got;
    int ended = 0;
    worker w(0);
    auto end = socket ? sockets() : pipe_in();
    stdio_input in(w, end.ours, [&](std::string_view bytes) { got += bytes; }, [&] { ++ended; });
    in.start();
    std::string sent;
    for (int i = 0; i < 50; ++i) {
      std::string one(i % 7 == 6 ? 70'000 : 10, static_cast<char>('a' + i % 26));
      std::thread writer(
          [&] { EXPECT_EQ(::write(end.theirs, one.data(), one.size()), static_cast<ssize_t>(one.size())); });
      sent += one;
      if (i % 3 != 0) {
        EXPECT_TRUE(turns(w, [&] { return got.size() == sent.size(); })) << socket << i;
      }
      // What is there already is told of once more when it goes on.
      if (i % 5 == 0) {
        in.pause(true);
        in.pause(false);
      }
      EXPECT_TRUE(turns(w, [&] { return got.size() == sent.size(); })) << socket << i;
      writer.join();
    }
    EXPECT_EQ(::write(end.theirs, "last", 4), 4);
    ::close(end.theirs);
    EXPECT_TRUE(turns(w, [&] { return ended > 0; })) << socket;
    for (int i = 0; i < 5; ++i) w.poll();
    EXPECT_EQ(got, sent + "last") << socket;
    EXPECT_EQ(ended, 1) << socket;
    ::close(end.ours);
  }
}

// A read gives one packet of a pipe of packets, however many there are.
TEST(StdioInput, ReadsAllPacketsThatAreThere) {
  std::string got;
  worker w(0);
  int both[2];
  if (::pipe2(both, O_CLOEXEC | O_DIRECT) != 0) GTEST_SKIP() << "no pipes of packets";
  stdio_input in(w, both[0], [&](std::string_view bytes) { got += bytes; }, [] {});
  in.start();
  for (int round = 0; round < 3; ++round) {
    got.clear();
    for (std::string_view packet : {"one", "two", "three"}) {
      EXPECT_EQ(::write(both[1], packet.data(), packet.size()), static_cast<ssize_t>(packet.size()));
    }
    EXPECT_TRUE(turns(w, [&] { return got == "onetwothree"; })) << round << got;
  }
  ::close(both[1]);
  ::close(both[0]);
}

TEST(StdioOutput, GivesAPipeMoreRoomWhenAMessageDoesNotFit) {
  auto other = pipe_out();
  bool may = ::fcntl(other.ours, F_SETPIPE_SZ, 512 * 1024) >= 0;
  ::close(other.ours);
  ::close(other.theirs);
  if (!may) GTEST_SKIP() << "this user's pipes have all the room there is";
  worker w(0);
  auto end = pipe_out();
  stdio_output out(w, end.ours, [] {}, [] {});
  out.start();
  std::string bytes = "small";
  out.write(bytes);
  EXPECT_EQ(::fcntl(end.ours, F_GETPIPE_SZ), 64 * 1024);
  bytes.assign(300'000, 'z');
  out.write(bytes);
  EXPECT_TRUE(bytes.empty());
  EXPECT_EQ(out.backlog(), 0U);
  std::string read(300'005, ' ');
  EXPECT_EQ(::read(end.theirs, read.data(), read.size()), static_cast<ssize_t>(read.size()));
  EXPECT_EQ(read, "small" + std::string(300'000, 'z'));
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

TEST(StdioOutput, WritesTogetherWhatComesOfOneTurn) {
  for (bool socket : {true, false}) {
    worker w(0);
    auto end = socket ? sockets() : pipe_out();
    ::fcntl(end.theirs, F_SETFL, O_NONBLOCK);
    stdio_output out(w, end.ours, [] {}, [] {});
    out.start();
    for (int i = 0; i < 3; ++i) w.poll();
    std::string bytes;
    char read[64];
    for (int round = 0; round < 3; ++round) {
      bytes = "one ";
      out.write_soon(bytes);
      bytes += "two";
      out.write_soon(bytes);
      EXPECT_EQ(::read(end.theirs, read, sizeof read), -1) << socket;
      w.poll();
      EXPECT_TRUE(bytes.empty());
      EXPECT_EQ(::read(end.theirs, read, sizeof read), 7) << socket;
      EXPECT_EQ(std::string_view(read, 7), "one two");
    }
    ::close(end.theirs);
    EXPECT_TRUE(turns(w, [&] { return out.gone(); })) << socket;
    bytes = "for nobody";
    out.write_soon(bytes);
    EXPECT_TRUE(bytes.empty());
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
  bytes = "more\n";
  out.write_soon(bytes);
  EXPECT_EQ(::lseek(file, 0, SEEK_END), 10);
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

}  // namespace
}  // namespace mcp_oauth::net
