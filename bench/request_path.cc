// Sends requests through the whole path of the gateway in one thread, the MCP server and the client being the
// other ends of socket pairs: each run does the same as the one before. ./dev instructions counts what it
// executes.
//
//   request_path CASE REQUESTS
//   request_path compiler

#include "app/gateway_service.h"
#include "jose/random.h"
#include "net/server.h"
#include "oauth/access_token.h"
#include "store/memory_store.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

// The only function of which callgrind counts what it and all below it execute.
extern "C" [[gnu::noinline]] void turn_the_loop(mcp_oauth::net::worker& loop) { loop.poll(); }

namespace mcp_oauth {
namespace {

constexpr const char* origin = "http://127.0.0.1:8080";
constexpr const char* resource = "http://127.0.0.1:8080/mcp";

[[noreturn]] void stop(const std::string& why) {
  std::fprintf(stderr, "request_path: %s\n", why.c_str());
  std::exit(1);
}

// One end of a socket pair; the gateway has the other.
class end {
 public:
  explicit end(int descriptor) : fd_(descriptor) {}
  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) stop("the gateway takes no more bytes");
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  // What is there; nothing when nothing is.
  std::string_view receive() {
    auto n = ::recv(fd_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    return {buffer_.data(), n > 0 ? static_cast<std::size_t>(n) : 0};
  }

 private:
  int fd_;
  std::vector<char> buffer_ = std::vector<char>(1 << 20);
};

std::pair<end, int> socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) stop("no socket pair");
  return {end(ends[0]), ends[1]};
}

settings rules_of_a_gateway() {
  settings conf;
  conf.public_url = origin;
  conf.callback_url = std::string(origin) + "/auth/callback";
  conf.scopes_supported = {"mcp"};
  provider_settings local;
  local.name = local.type = "local";
  conf.providers = {local};
  upstream_settings up;
  up.name = "files";
  up.url = "http://up:3000/mcp";
  up.paths = {"/mcp"};
  up.resource = resource;
  conf.upstreams = {up};
  return conf;
}

// A gateway whose loop turns only when it is told to.
class world {
 public:
  world() {
    auto opened = log_sink::open("/dev/null", log_level::info);
    if (!opened) stop(opened.error().detail);
    log_ = std::move(*opened);
    auto seal = sealer::of({secret(std::string(32, 'k'))});
    seal_.emplace(std::move(*seal));
    broker_world as_world{conf_, store_, *seal_, [](std::size_t n) { return random_bytes(n); },
                          [](const std::string&, time_point) {}};
    auto as = broker::start(std::move(as_world), now());
    if (!as) stop(as.error().detail);
    authorization_server_ = std::move(*as);
    auto made = make_snapshot(conf_, authorization_server_, secret("session key"));
    if (!made) stop(made.error().detail);
    auto dialled = std::make_shared<snapshot>(**made);
    dialled->upstreams[0].target.dial = [this] {
      auto [mine, theirs] = socket_pair();
      mcp_server_.emplace(std::move(mine));
      return theirs;
    };
    parts_.store = &store_;
    parts_.log = log_.get();
    parts_.counts = &counts_;
    parts_.blocking = parts_.naming = parts_.fetching = parts_.strangers = parts_.introspecting = &blocking_;
    parts_.connections = [] { return std::size_t{1}; };
    parts_.started = now();
    server_ = std::make_unique<net::server>(net::server_options{}, [&, this](net::worker& w) {
      return std::make_unique<gateway_service>(w, parts_, dialled);
    });
    auto [mine, theirs] = socket_pair();
    client_.emplace(std::move(mine));
    server_->adopt(theirs);
    turn();
  }

  std::string token(unsigned number) {
    access_claims c;
    c.issuer = origin;
    c.subject = "local:ada";
    c.audience = resource;
    c.client_id = "client";
    c.grant_id = "grant";
    c.token_id = "token " + std::to_string(number);
    c.email = "ada@example.com";
    c.name = "Ada Lovelace";
    c.scopes = {"mcp"};
    c.issued = now();
    c.expires = now() + seconds(3600);
    return mint_access_token(c, authorization_server_->keys()->current);
  }

  void turn() { turn_the_loop(*server_->workers()[0]); }

  // Until the other side has got bytes that end so, the loop turns.
  void carry(std::optional<end>& to, std::string_view ending) {
    seen_.clear();
    for (int turns = 0; turns < 1000; ++turns) {
      turn();
      for (auto piece = to ? to->receive() : ""; !piece.empty(); piece = to->receive()) seen_ += piece;
      if (seen_.ends_with(ending)) return;
    }
    stop("nothing that ends with `" + std::string(ending) + "` came, but: " + seen_);
  }
  const std::string& seen() const { return seen_; }
  std::optional<end>& client() { return client_; }
  std::optional<end>& mcp_server() { return mcp_server_; }

 private:
  static time_point now() { return std::chrono::system_clock::now(); }

  settings conf_ = rules_of_a_gateway();
  memory_store store_;
  std::optional<sealer> seal_;
  std::unique_ptr<log_sink> log_;
  metrics counts_;
  net::blocking_pool blocking_{1};
  std::shared_ptr<broker> authorization_server_;
  gateway_parts parts_;
  std::optional<end> client_;
  std::optional<end> mcp_server_;
  std::string seen_;
  std::unique_ptr<net::server> server_;
};

const std::string call_body =
    R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"search","arguments":{"query":")" +
    std::string(150, 'x') + R"(","limit":10}}})";

std::string call(const std::string& bearer) {
  return "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/json\r\n"
         "Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2025-11-25\r\n"
         "User-Agent: bench/1.0\r\n" +
         (bearer.empty() ? "" : "Authorization: Bearer " + bearer + "\r\n") +
         "Content-Length: " + std::to_string(call_body.size()) + "\r\n\r\n" + call_body;
}

std::string json_answer(std::size_t text_size) {
  auto body = R"({"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":")" +
              std::string(text_size, 'y') + R"("}]}})";
  return "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 21 Nov 2026 09:00:00 GMT\r\n"
         "Content-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\nConnection: keep-alive\r\n\r\n" + body;
}

void forwarded(world& w, const std::string& request, const std::string& answer) {
  w.client()->send(request);
  w.carry(w.mcp_server(), "}}}");
  w.mcp_server()->send(answer);
  w.carry(w.client(), "}]}}");
  if (!w.seen().starts_with("HTTP/1.1 200 ")) stop("not answered: " + w.seen());
}

void refused(world& w, const std::string& request) {
  w.client()->send(request);
  w.carry(w.client(), "}");
  if (!w.seen().starts_with("HTTP/1.1 401 ")) stop("not refused: " + w.seen());
}

void cached_token(world& w, unsigned requests) {
  const auto request = call(w.token(0));
  const auto answer = json_answer(900);
  for (unsigned i = 0; i < requests; ++i) forwarded(w, request, answer);
}

void reply_of_64_kib(world& w, unsigned requests) {
  const auto request = call(w.token(0));
  const auto answer = json_answer(64 << 10);
  for (unsigned i = 0; i < requests; ++i) forwarded(w, request, answer);
}

void new_token(world& w, unsigned requests) {
  const auto answer = json_answer(900);
  for (unsigned i = 0; i < requests; ++i) forwarded(w, call(w.token(i)), answer);
}

void no_token(world& w, unsigned requests) {
  const auto request = call("");
  for (unsigned i = 0; i < requests; ++i) refused(w, request);
}

// Signed with a key that is not ours: as dear as a token can be that is refused.
void forged_token(world& w, unsigned requests) {
  auto token = w.token(0);
  auto other = w.token(1);
  token.replace(token.rfind('.'), std::string::npos, other.substr(other.rfind('.')));
  const auto request = call(token);
  for (unsigned i = 0; i < requests; ++i) refused(w, request);
}

// A hundred events, each in a packet of its own and delivered before the next one comes.
void event_stream(world& w, unsigned requests) {
  const auto request = call(w.token(0));
  const std::string head =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
      "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n";
  const std::string event =
      R"(event: message
data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":1,"message":")" +
      std::string(80, 'z') + "\"}}\n\n";
  char size[16] = {};
  auto written = std::to_chars(size, size + sizeof size, event.size(), 16);
  const auto chunk = std::string(size, written.ptr) + "\r\n" + event + "\r\n";
  for (unsigned i = 0; i < requests; ++i) {
    w.client()->send(request);
    w.carry(w.mcp_server(), "}}}");
    w.mcp_server()->send(head);
    w.turn();
    for (int n = 0; n < 100; ++n) {
      w.mcp_server()->send(chunk);
      w.carry(w.client(), "\n\n\r\n");
    }
    w.mcp_server()->send("0\r\n\r\n");
    w.carry(w.client(), "0\r\n\r\n");
  }
}

struct named_case {
  std::string_view name;
  void (*run)(world&, unsigned);
};
constexpr named_case cases[] = {
    {"cached_token", cached_token}, {"reply_of_64_kib", reply_of_64_kib}, {"new_token", new_token},
    {"no_token", no_token},         {"forged_token", forged_token},       {"event_stream", event_stream},
};

}  // namespace
}  // namespace mcp_oauth

int main(int argc, char** argv) {
  using namespace mcp_oauth;
  if (argc == 2 && std::string_view(argv[1]) == "compiler") {
#ifdef __clang__
    std::printf("clang %d\n", __clang_major__);
#else
    std::printf("g++ %d\n", __GNUC__);
#endif
    return 0;
  }
  if (argc == 3) {
    for (const auto& c : cases) {
      if (c.name != argv[1]) continue;
      world w;
      c.run(w, static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10)));
      return 0;
    }
  }
  std::fprintf(stderr, "usage: request_path CASE REQUESTS; cases:");
  for (const auto& c : cases) std::fprintf(stderr, " %s", std::string(c.name).c_str());
  std::fprintf(stderr, "\n");
  return 2;
}
