// Peers by the thousand that do not read, on either side: what is held for each is bounded, and others are
// answered.

#include "app/descriptor_limit.h"
#include "app/gateway_fixture.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>

namespace mcp_oauth {
namespace {

// Both ends of a connection on which the kernel keeps little for whoever does not read.
std::pair<int, int> narrow_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) std::abort();
  int bytes = 4608;
  for (int end : ends) ::setsockopt(end, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  return {ends[0], ends[1]};
}

class SlowPeers : public Gateway {
 protected:
  SlowPeers() {
    // Four descriptors each, in one process.
    crowd = std::min<std::size_t>(2000, raise_descriptor_limit() / 5);
    conf.timeouts.request = conf.timeouts.idle = conf.timeouts.write = seconds(60);
  }
  void begin() {
    start();
    // The servers are the test's own, on narrow connections.
    auto changed = std::make_shared<snapshot>(*rules);
    for (auto& u : changed->upstreams) {
      u.target.dial = [this] {
        auto [mine, theirs] = narrow_pair();
        std::lock_guard lock(mutex);
        servers.push_back(mine);
        return theirs;
      };
    }
    server->workers()[0]->post(
        [this, changed] { static_cast<gateway_service&>(server->service_of(0)).use(changed); });
  }
  ~SlowPeers() override {
    for (int fd : clients) ::close(fd);
    server->stop();  // it dials into what goes now
    for (int fd : servers) ::close(fd);
  }

  void connect_crowd(const std::string& request) {
    for (std::size_t i = 0; i < crowd; ++i) {
      auto [mine, theirs] = narrow_pair();
      clients.push_back(mine);
      server->adopt(theirs);
      ASSERT_EQ(::send(mine, request.data(), request.size(), MSG_NOSIGNAL),
                static_cast<ssize_t>(request.size()));
    }
  }
  std::size_t dialled_so_far() {
    std::lock_guard lock(mutex);
    return servers.size();
  }
  template <class Condition>
  bool eventually(Condition holds) {
    auto end = std::chrono::steady_clock::now() + seconds(30);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }
  bool is_answered() { return status_of(answer_to(get("/health", ""))) == 200; }

  std::size_t crowd;
  std::vector<int> clients, servers;
};

TEST_F(SlowPeers, WhoDoesNotReadSlowsTheServerDownAndIsGivenUp) {
  conf.timeouts.write = milliseconds(1500);
  begin();
  connect_crowd(post(call, with_token()));
  ASSERT_TRUE(eventually([this] { return dialled_so_far() == crowd; }));
  const std::string head =
      "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 100000000\r\n\r\n";
  const std::string filler(64 * 1024, 'x');
  std::vector<std::size_t> taken(crowd, 0);
  std::vector<bool> gone(crowd, false);
  for (std::size_t i = 0; i < crowd; ++i) {
    auto n = ::send(servers[i], head.data(), head.size(), MSG_NOSIGNAL);
    ASSERT_EQ(n, static_cast<ssize_t>(head.size()));
  }
  bool answered_meanwhile = is_answered();
  // Every server sends as much as is taken from it, until the gateway hangs up on it.
  std::size_t left = crowd;
  EXPECT_TRUE(eventually([&] {
    for (std::size_t i = 0; i < crowd; ++i) {
      if (gone[i]) continue;
      auto n = ::send(servers[i], filler.data(), filler.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n > 0) taken[i] += static_cast<std::size_t>(n);
      if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
        gone[i] = true;
        --left;
      }
    }
    return left == 0;
  })) << left
      << " of " << crowd << " are not given up";
  EXPECT_TRUE(answered_meanwhile);
  EXPECT_TRUE(is_answered());
  auto most = *std::max_element(taken.begin(), taken.end());
  EXPECT_LT(most, 160U * 1024) << "what the gateway held for one client that does not read";
}

TEST_F(SlowPeers, AServerThatDoesNotReadSlowsItsClientsDownAndIsGivenUp) {
  conf.timeouts.request = milliseconds(1500);
  begin();
  std::string start_of =
      R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"x":")";
  auto bearer = with_token();
  connect_crowd("POST /mcp HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n" + bearer +
                "Content-Length: 1000000\r\n\r\n" + start_of);
  ASSERT_TRUE(eventually([this] { return dialled_so_far() == crowd; }));
  EXPECT_TRUE(is_answered());
  const std::string filler(64 * 1024, 'x');
  std::vector<std::size_t> taken(crowd, 0);
  std::vector<bool> ended(crowd, false);
  std::size_t left = crowd;
  EXPECT_TRUE(eventually([&] {
    for (std::size_t i = 0; i < crowd; ++i) {
      if (ended[i]) continue;
      auto n = ::send(clients[i], filler.data(), filler.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n > 0) taken[i] += static_cast<std::size_t>(n);
      if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
        ended[i] = true;
        --left;
      }
      char answer[4096];
      auto got = ::recv(clients[i], answer, sizeof answer, MSG_DONTWAIT);
      if (!ended[i] && (got > 0 || got == 0)) {
        EXPECT_TRUE(got == 0 ||
                    std::string_view(answer, static_cast<std::size_t>(got)).starts_with("HTTP/1.1 50"));
        ended[i] = true;
        --left;
      }
    }
    return left == 0;
  })) << left
      << " of " << crowd << " wait on";
  EXPECT_TRUE(is_answered());
  auto most = *std::max_element(taken.begin(), taken.end());
  EXPECT_LT(most, 160U * 1024) << "what the gateway held for one server that does not read";
}

}  // namespace
}  // namespace mcp_oauth
