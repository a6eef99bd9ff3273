#pragma once

// The whole gateway in one process and without ports: clients and the MCP server are the test's ends of
// socket pairs.

#include "app/audit.h"
#include "app/gateway_service.h"
#include "app/span_exporter.h"
#include "jose/random.h"
#include "net/server.h"
#include "net/test_peer.h"
#include "oauth/access_token.h"
#include "store/memory_store.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

namespace mcp_oauth {

inline constexpr const char* origin = "http://127.0.0.1:8080";
inline constexpr const char* resource = "http://127.0.0.1:8080/mcp";

inline constexpr const char* call =
    R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{}}})";
inline constexpr const char* ok =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

class Gateway : public testing::Test {
 protected:
  Gateway() {
    conf.public_url = origin;
    conf.callback_url = std::string(origin) + "/auth/callback";
    conf.scopes_supported = {"mcp"};
    conf.cors.origins = {"http://localhost:*"};
    conf.timeouts.request = milliseconds(500);
    conf.limits.admission = 2048;
    conf.limits.body = 1 << 20;
    provider_settings local;
    local.name = local.type = "local";
    conf.providers = {local};
    upstream_settings up;
    up.name = "files";
    up.url = "http://up:3000/rpc";
    up.paths = {"/mcp"};
    up.resource = resource;
    conf.upstreams = {up};
  }
  ~Gateway() override {
    if (server) server->stop();
    server.reset();
  }

  void start() {
    auto opened = log_sink::open(log_file, log_level::debug);
    log = std::move(*opened);
    auto made_seal = sealer::of({secret(std::string(32, 'k'))});
    seal.emplace(std::move(*made_seal));
    broker_world world{conf, store, *seal, [](std::size_t n) { return random_bytes(n); },
                       [this](const std::string& grant, time_point until) { revoke(grant, until); }};
    auto as = broker::start(std::move(world), now());
    ASSERT_TRUE(as);
    authorization_server = std::move(*as);
    auto made = make_snapshot(conf, authorization_server, secret("session key"), spans.get(), policies);
    ASSERT_TRUE(made);
    serve_under(**made);
  }

  // With the MCP server's end in the test's hands.
  void serve_under(const snapshot& made) {
    if (!log) {
      auto opened = log_sink::open("/dev/null", log_level::debug);
      log = std::move(*opened);
    }
    auto dialled_snapshot = std::make_shared<snapshot>(made);
    for (auto& u : dialled_snapshot->upstreams) {
      if (!dials) break;
      u.target.dial = [this] {
        if (upstream_is_down) return -1;
        auto [mine, theirs] = net::test_peer::pair();
        std::lock_guard lock(mutex);
        dialled.push_back(std::move(mine));
        arrived.notify_all();
        return theirs;
      };
    }
    rules = dialled_snapshot;
    parts.store = &store;
    parts.log = log.get();
    audit = std::make_unique<audit_trail>(*log);
    EXPECT_TRUE(audit->change(made.conf.audit));
    parts.audit = audit.get();
    parts.auditing = &blocking;
    parts.counts = &counts;
    parts.blocking = &blocking;
    parts.naming = &naming;
    parts.fetching = &blocking;
    parts.strangers = &blocking;
    parts.introspecting = &blocking;
    parts.connections = [this] { return server->connections(); };
    parts.started = now();
    parts.pseudonym = "mop-test";
    server = std::make_unique<net::server>(net::server_options{}, [this](net::worker& w) {
      return std::make_unique<gateway_service>(w, parts, rules);
    });
    server->start_unbound();
  }

  void revoke(const std::string& grant, time_point until) {
    std::promise<void> done;
    server->workers()[0]->post([&] {
      static_cast<gateway_service&>(server->service_of(0)).revoke(grant, until);
      done.set_value();
    });
    done.get_future().wait();
  }

  // As the timer does it.
  void sweep(time_point at) {
    std::promise<void> done;
    server->workers()[0]->post([&] {
      static_cast<gateway_service&>(server->service_of(0)).sweep(at);
      done.set_value();
    });
    done.get_future().wait();
  }

  static time_point now() { return std::chrono::system_clock::now(); }

  std::string token(const std::function<void(access_claims&)>& change = nullptr) {
    if (!server) start();
    access_claims c;
    c.issuer = origin;
    c.subject = "local:ada";
    c.audience = resource;
    c.client_id = "client";
    c.grant_id = "grant";
    c.token_id = "id";
    c.email = "ada@example.com";
    c.name = "Ad\xC3\xA4";
    c.scopes = {"mcp"};
    c.issued = now();
    c.expires = now() + seconds(60);
    if (change) change(c);
    return mint_access_token(c, authorization_server->keys()->current);
  }

  net::test_peer connect() {
    if (!server) start();
    auto [mine, theirs] = net::test_peer::pair();
    server->adopt(theirs, 0, from_address);
    return std::move(mine);
  }
  net::test_peer upstream_end() {
    std::unique_lock lock(mutex);
    arrived.wait_for(lock, seconds(5), [this] { return !dialled.empty(); });
    if (dialled.empty()) return net::test_peer(-1);
    auto next = std::move(dialled.front());
    dialled.pop_front();
    return next;
  }

  static std::string post(const std::string& body, const std::string& fields) {
    return "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/json\r\n" + fields +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  std::string with_token(const std::string& more = "") {
    return "Authorization: Bearer " + token() + "\r\n" + more;
  }
  std::string as(const std::string& subject) {
    return "Authorization: Bearer " + token([&](access_claims& c) { c.subject = subject; }) + "\r\n";
  }
  static std::string get(const std::string& path, const std::string& fields) {
    return "GET " + path + " HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n";
  }
  std::string post_to(const std::string& path, const std::string& fields) {
    auto request = post(call, fields);
    return request.replace(5, 4, path);
  }
  static int status_of(const std::string& answer) {
    return answer.size() < 12 ? 0 : std::stoi(answer.substr(9, 3));
  }
  // The whole answer to one request on a connection of its own. A request that says itself that it is the
  // last is sent as it stands.
  std::string answer_to(std::string request) {
    auto client = connect();
    auto at = request.find("\r\n");
    if (request.find("\r\nConnection: close") == std::string::npos) {
      request.insert(at + 2, "Connection: close\r\n");
    }
    client.send(request);
    return client.rest();
  }

  std::string from_address = "local";  // the address that clients come from
  settings conf;
  memory_store store;
  std::optional<sealer> seal;
  std::string log_file = "/dev/null";
  std::unique_ptr<log_sink> log;
  std::unique_ptr<audit_trail> audit;
  metrics counts;
  net::blocking_pool blocking{2}, naming{1};
  bool dials = true;  // false: MCP servers are connected to where their URLs say
  std::shared_ptr<broker> authorization_server;
  std::unique_ptr<span_exporter> spans;     // of a test that wants traces
  const policy_source* policies = nullptr;  // of a test that fetches its rules
  std::shared_ptr<const snapshot> rules;
  gateway_parts parts;
  std::atomic<bool> upstream_is_down{false};
  std::mutex mutex;
  std::condition_variable arrived;
  std::deque<net::test_peer> dialled;
  std::unique_ptr<net::server> server;
};

inline bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace mcp_oauth
