#include "net/worker.h"

#include "net/channel.h"
#include "net/test_peer.h"

#include <array>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

namespace mcp_oauth::net {
namespace {

// Counts what it is told, and does what it is given.
class told final : public watcher {
 public:
  int times = 0;
  std::function<void()> then = [] {};

 private:
  void on_events(std::uint32_t events) override {
    if ((events & EPOLLIN) == 0) return;
    ++times;
    then();
  }
};

class socket_pair {
 public:
  socket_pair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) std::abort();
    ours = descriptor(ends[0]);
    theirs = descriptor(ends[1]);
  }
  void arrive(std::string_view bytes) const {
    ASSERT_EQ(::send(theirs.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  descriptor ours, theirs;
};

TEST(Worker, TellsOnceOfWhatHappenedAndAgainWhenMoreDoes) {
  worker loop(0);
  socket_pair pair;
  told who;
  ASSERT_TRUE(loop.watch(pair.ours.number(), who));
  loop.poll();
  EXPECT_EQ(who.times, 0);
  pair.arrive("a");
  loop.poll();
  loop.poll();
  EXPECT_EQ(who.times, 1);
  pair.arrive("b");
  loop.poll();
  EXPECT_EQ(who.times, 2);
  loop.forget(who);
}

// Two descriptors are ready in one round; whoever comes first forgets the other and puts a third in its
// place.
TEST(Worker, DoesNotTellANewWatcherWhatWasMeantForTheLast) {
  worker loop(0);
  std::array<socket_pair, 2> pairs;
  socket_pair quiet;
  std::array<told, 2> both;
  told third;
  for (std::size_t i = 0; i < 2; ++i) {
    auto& other = both[1 - i];
    both[i].then = [&loop, &other, &third, &quiet] {
      loop.forget(other);
      ASSERT_TRUE(loop.watch(quiet.ours.number(), third));
    };
    ASSERT_TRUE(loop.watch(pairs[i].ours.number(), both[i]));
  }
  for (const auto& p : pairs) p.arrive("a");
  loop.poll();
  EXPECT_EQ(both[0].times + both[1].times, 1);
  EXPECT_EQ(third.times, 0);
  for (auto* who : {&both[0], &both[1], &third}) loop.forget(*who);
}

TEST(Worker, RunsWhatIsPostedWhileItRunsInTheNextRound) {
  worker loop(0);
  int ran = 0;
  loop.post([&] {
    ++ran;
    loop.post([&] { ++ran; });
  });
  loop.poll();
  EXPECT_EQ(ran, 1);
  loop.poll();
  EXPECT_EQ(ran, 2);
}

task<void> read_on(std::shared_ptr<channel> from, std::size_t& seen, io& end) {
  for (;;) {
    end = co_await from->more(milliseconds(0));
    seen += from->input().size();
    from->consume(from->input().size());
    if (end != io::ok) co_return;
  }
}

struct reading {
  explicit reading(worker& loop) : stream(std::make_shared<channel>(loop, std::move(pair.ours))) {
    spawn(read_on(stream, seen, end));
  }
  ~reading() { stream->abort(); }
  socket_pair pair;
  std::size_t seen = 0;
  io end = io::ok;
  std::shared_ptr<channel> stream;
};

TEST(Channel, GivesWayWhenInputDoesNotEnd) {
  worker loop(0);
  reading greedy(loop), modest(loop);
  int size = 8 << 20;
  ::setsockopt(greedy.pair.theirs.number(), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
  // As much as the socket takes, in any case more than a few reads.
  std::string much(64 * 1024, 'x');
  std::size_t sent = 0;
  for (ssize_t n = 1; n > 0; sent += n > 0 ? static_cast<std::size_t>(n) : 0)
    n = ::send(greedy.pair.theirs.number(), much.data(), much.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  modest.pair.arrive("b");
  loop.poll();
  EXPECT_EQ(modest.seen, 1U);
  if (sent > (1 << 20)) {
    EXPECT_LT(greedy.seen, sent);
  }
  while (greedy.seen < sent) loop.poll();
}

TEST(Channel, SeesTheEndThatCameWithTheLastBytes) {
  worker loop(0);
  reading one(loop);
  loop.poll();
  one.pair.arrive("last words");
  one.pair.theirs.close();
  loop.poll();
  EXPECT_EQ(one.seen, 10U);
  EXPECT_EQ(one.end, io::closed);
}

TEST(Channel, SeesTheEndThatCameBetweenTheEventAndTheRead) {
  worker loop(0);
  socket_pair pair;
  auto stream = std::make_shared<channel>(loop, std::move(pair.ours));
  // The first event is taken while nobody reads; what comes then is found by the read, or told of.
  pair.arrive("last");
  loop.poll();
  pair.arrive(" words");
  pair.theirs.close();
  std::size_t seen = 0;
  io end = io::ok;
  spawn(read_on(stream, seen, end));
  loop.poll();
  EXPECT_EQ(seen, 10U);
  EXPECT_EQ(end, io::closed);
}

struct gone final : channel::listener {
  void on_gone() override { ++times; }
  int times = 0;
};

TEST(Channel, TellsAListenerThatThePeerWentAndLeavesItsInputAlone) {
  worker loop(0);
  socket_pair pair;
  auto stream = std::make_shared<channel>(loop, std::move(pair.ours));
  gone listening;
  stream->listen(&listening);
  pair.arrive("the next request");
  loop.poll();
  EXPECT_EQ(listening.times, 0);
  EXPECT_EQ(stream->input(), "");
  pair.theirs.close();
  loop.poll();
  loop.poll();
  EXPECT_EQ(listening.times, 1);
}

TEST(Channel, IsSilentUntilSomethingComes) {
  worker loop(0);
  std::array<socket_pair, 2> pairs;
  auto spoken = std::make_shared<channel>(loop, std::move(pairs[0].ours));
  auto ended = std::make_shared<channel>(loop, std::move(pairs[1].ours));
  loop.poll();
  EXPECT_TRUE(spoken->is_silent());
  EXPECT_TRUE(ended->is_silent());
  pairs[0].arrive("unasked");
  pairs[1].theirs.close();
  loop.poll();
  EXPECT_FALSE(spoken->is_silent());
  EXPECT_FALSE(ended->is_silent());
}

task<void> write_on(std::shared_ptr<channel> to, int& told, io& end) {
  struct listening final : channel::listener {
    explicit listening(int& t) : times(t) {}
    void on_gone() override { ++times; }
    int& times;
  };
  listening here(told);
  to->listen(&here);
  std::string much(8 << 20, 'x');
  std::array<iovec, 1> pieces{piece(much)};
  end = co_await to->write(pieces, milliseconds(60'000));
  to->listen(nullptr);
}

// Ending the writer ends the listener, too.
TEST(Channel, TellsItsListenerBeforeItEndsAWriterThatWaits) {
  worker loop(0);
  socket_pair pair;
  auto stream = std::make_shared<channel>(loop, std::move(pair.ours));
  int told = 0;
  io end = io::ok;
  spawn(write_on(stream, told, end));
  loop.poll();
  stream->hang_up();
  EXPECT_EQ(told, 1);
  EXPECT_EQ(end, io::failed);
}

TEST(Channel, TakesMoreThanABlockWhenItIsAskedTo) {
  worker loop(0);
  socket_pair pair;
  auto stream = std::make_shared<channel>(loop, std::move(pair.ours));
  std::string seen;
  auto read_all = [](std::shared_ptr<channel> from, std::size_t wanted, std::string& into) -> task<void> {
    while (from->input().size() < wanted) {
      if (co_await from->more(milliseconds(0)) != io::ok) co_return;
    }
    into = from->input();
  };
  std::string much;
  for (int i = 0; much.size() < 300'000; ++i) much += std::to_string(i);
  auto reading = read_all(stream, much.size(), seen);
  spawn(std::move(reading));
  for (std::size_t at = 0; at < much.size(); at += 10'000) {
    pair.arrive(std::string_view(much).substr(at, 10'000));
    loop.poll();
  }
  loop.poll();
  EXPECT_EQ(seen, much);
  stream->abort();
}

// A peer that sends on while it is read: each round reads no more than the one before.
TEST(Channel, GetsNoMoreTurnsFromARoundToTheNext) {
  worker loop(0);
  reading greedy(loop);
  int size = 4 << 20;
  ::setsockopt(greedy.pair.theirs.number(), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
  std::string much(64 * 1024, 'x');
  constexpr std::size_t most_in_a_round = 2 * 9 * 64 * 1024;
  for (int round = 0; round < 24; ++round) {
    // An edge while it still has its turns to come.
    while (::send(greedy.pair.theirs.number(), much.data(), much.size(), MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
    }
    auto before = greedy.seen;
    loop.poll();
    EXPECT_LE(greedy.seen - before, most_in_a_round) << "round " << round;
  }
}

TEST(Channel, KnowsOfAnEndThatTheSameRoundWillTellOf) {
  worker loop(0);
  std::array<socket_pair, 2> pairs;
  auto kept = std::make_shared<channel>(loop, std::move(pairs[0].ours));
  told client;
  bool silent = true;
  client.then = [&] { silent = kept->is_silent(); };
  ASSERT_TRUE(loop.watch(pairs[1].ours.number(), client));
  loop.poll();
  pairs[1].arrive("a request");  // its event comes first
  pairs[0].theirs.close();
  loop.poll();
  EXPECT_EQ(client.times, 1);
  EXPECT_FALSE(silent);
  loop.forget(client);
}

class at_deadline final : public timed {
 public:
  bool passed = false;

 private:
  void on_deadline() override { passed = true; }
};

// A machine that slept: what arrived in that time is looked at before anything is given up.
TEST(Worker, DoesNotCountTheTimeInWhichItStoodStill) {
  worker loop(0);
  at_deadline limit;
  loop.deadlines().set(limit, 300);
  bool looked = false;
  // Held up for longer than the deadline, by what runs in the loop itself.
  loop.post([&] {
    auto until = std::chrono::steady_clock::now() + milliseconds(700);
    while (std::chrono::steady_clock::now() < until) {
    }
    loop.post([&] {
      looked = !limit.passed;
      loop.stop();
    });
  });
  loop.run();
  EXPECT_TRUE(looked);
}

// Rings 20 times, a millisecond apart, and says how often the thread of the loop slept meanwhile: once for a
// ring, but where a busy machine kept the thread away until the next one.
long sleeps_between_rings(std::chrono::microseconds awake) {
  constexpr int rings = 20;
  worker loop(0);
  descriptor bell(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  auto wind = [&] {
    itimerspec in_a_millisecond{};
    in_a_millisecond.it_value.tv_nsec = 1'000'000;
    ASSERT_EQ(::timerfd_settime(bell.number(), 0, &in_a_millisecond, nullptr), 0);
  };
  told who;
  who.then = [&] {
    if (who.times == rings) return loop.stop();
    wind();
    if (awake.count() > 0) loop.stay_awake(awake);
  };
  EXPECT_TRUE(loop.watch(bell.number(), who));
  auto slept = [] {
    rusage use{};
    ::getrusage(RUSAGE_THREAD, &use);
    return use.ru_nvcsw;
  };
  loop.post(wind);
  loop.poll();
  if (awake.count() > 0) loop.stay_awake(awake);
  auto before = slept();
  loop.run();
  auto after = slept();
  loop.forget(who);
  EXPECT_EQ(who.times, rings);
  return after - before;
}

TEST(Worker, SleepsUntilSomethingHappens) {
  EXPECT_GT(sleeps_between_rings(std::chrono::microseconds(0)), 10);
}

TEST(Worker, StaysAwakeForAsLongAsItIsTold) {
  EXPECT_LT(sleeps_between_rings(std::chrono::seconds(10)), 10);
  EXPECT_GT(sleeps_between_rings(std::chrono::microseconds(1)), 10) << "a while is over when it is over";
}

}  // namespace
}  // namespace mcp_oauth::net
