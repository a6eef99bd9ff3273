#include "app/bridge_wire.h"

#include "app/version.h"
#include "base/text.h"
#include "base/url.h"
#include "net/http_write.h"

#include <array>
#include <chrono>
#include <utility>

namespace mcp_oauth {
namespace {

constexpr std::size_t largest_head = 64 * 1024, largest_drained = 64 * 1024;
constexpr int most_interim = 16;
constexpr milliseconds no_limit{0}, drain_time{2'000}, write_time{60'000};

// Names that say what only the bridge knows; a configured header of that name is left out.
bool is_ours(std::string_view name) {
  constexpr auto ours = std::to_array<std::string_view>(
      {"host", "content-length", "transfer-encoding", "connection", "content-type", "accept",
       "accept-encoding", "mcp-session-id", "mcp-protocol-version", "mcp-method", "mcp-name", "last-event-id",
       "expect", "te", "upgrade", "trailer"});
  for (auto one : ours) {
    if (equal_ignoring_case(name, one)) return true;
  }
  return false;
}

std::string joined(const net::response_head& head, std::string_view name) {
  std::string all;
  for (const auto& f : head.fields) {
    if (!equal_ignoring_case(f.name, name)) continue;
    if (!all.empty()) all += ", ";
    all += f.value;
  }
  return all;
}

std::string_view name_of(enum bridge_action::method method) {
  return method == bridge_action::method::post  ? "POST"
         : method == bridge_action::method::get ? "GET"
                                                : "DELETE";
}

}  // namespace

milliseconds steady_now() {
  return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now().time_since_epoch());
}

struct bridge_wire::running {
  std::uint64_t id = 0;
  bridge_action what;
  bridge_token token;
  net::upstream_pool::lease up;
  std::shared_ptr<net::channel> stream;
  std::string head_text;
  net::response_head head;
  net::body_decoder decoder;
  net::content_pieces content;
  std::coroutine_handle<> turn;
  bool aborted = false;
};

// Waits until `resume` or `abort` comes.
class bridge_wire::turn {
 public:
  explicit turn(running& call) : call_(call) {}
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> h) { call_.turn = h; }
  void await_resume() const {}

 private:
  running& call_;
};

bridge_wire::bridge_wire(net::upstream_pool& pool, bridge_credentials& credentials, bridge_log& log,
                         const bridge_settings& settings, net::upstream_target target, conversation& talk,
                         std::function<void()> after, std::function<bool()> room)
    : pool_(pool),
      credentials_(credentials),
      log_(log),
      settings_(settings),
      target_(std::move(target)),
      talk_(talk),
      after_(std::move(after)),
      room_(std::move(room)) {
  if (auto where = url::parse(settings.upstream.url)) {
    origin_ = where->origin();
    target_path_ = (where->path.empty() ? "/" : where->path) + (where->has_query ? "?" + where->query : "");
  }
  common_fields_ =
      "Host: " + target_.authority + "\r\nUser-Agent: mcp-oauth-proxy/" + std::string(version) + "\r\n";
  for (const auto& [name, value] : settings.upstream.headers) {
    if (is_ours(name)) {
      log_.write(bridge_log_level::warn, "wire", "a configured header is left out: the bridge sets it itself",
                 {{"header", name}});
      continue;
    }
    own_authorization_ = own_authorization_ || equal_ignoring_case(name, "authorization");
    net::append_field(common_fields_, name, value.reveal());
  }
}

bridge_wire::~bridge_wire() {
  *alive_ = false;
  auto open = std::exchange(calls_, {});
  for (auto& [id, call] : open) {
    call->aborted = true;
    if (call->stream) call->stream->abort();
  }
}

// ---- what the conversation wants

void bridge_wire::send(bridge_action what) {
  auto call = std::make_shared<running>();
  call->id = what.call;
  call->what = std::move(what);
  calls_[call->id] = call;
  net::spawn(run(*this, std::move(call)));
}

void bridge_wire::abort(std::uint64_t id) {
  auto at = calls_.find(id);
  if (at == calls_.end()) return;
  auto call = at->second;
  calls_.erase(at);
  call->aborted = true;
  if (auto waiting = std::exchange(call->turn, nullptr)) {
    waiting.resume();
  } else if (call->stream) {
    auto stream = call->stream;
    stream->abort();
  }
}

void bridge_wire::resume() {
  std::vector<std::shared_ptr<running>> waiting;
  for (auto& [id, call] : calls_) {
    if (call->turn && may_read(*call)) waiting.push_back(call);
  }
  for (auto& call : waiting) {
    if (auto again = std::exchange(call->turn, nullptr)) again.resume();
  }
}

void bridge_wire::renew(const bridge_action& what) {
  auto at = calls_.find(what.call);
  std::uint64_t generation = at != calls_.end() ? at->second->token.generation : 0;
  ++renewals_;
  net::spawn(run_renewal(*this, what.call, generation, what));
}

net::task<void> bridge_wire::run_renewal(bridge_wire& wire, std::uint64_t call, std::uint64_t generation,
                                         bridge_action what) {
  auto alive = wire.alive_;
  auto renewal =
      wire.credentials_.renew(generation, what.status, what.challenges, what.dpop_nonce, !what.unattended);
  auto token = co_await std::move(renewal);
  if (!*alive) co_return;
  --wire.renewals_;
  result<void> said;
  if (!token) said = tl::unexpected<error>(token.error());
  wire.talk_.on_renewed(call, said, steady_now());
  wire.after_();
}

// ---- one request

net::task<void> bridge_wire::run(bridge_wire& wire, std::shared_ptr<running> call) {
  auto alive = wire.alive_;
  auto done = co_await wire.carry(*call);
  if (!*alive || call->aborted) co_return;
  auto id = call->id;
  wire.calls_.erase(id);
  if (done) {
    wire.talk_.on_end(id, steady_now());
  } else {
    wire.talk_.on_failure(id, done.error(), steady_now());
  }
  wire.after_();
}

net::task<result<void>> bridge_wire::carry(running& call) {
  auto alive = alive_;
  auto asking = credentials_.acquire(!call.what.unattended);
  auto token = co_await std::move(asking);
  if (!*alive || call.aborted) co_return fail(errc::client_gone);
  if (!token) co_return tl::unexpected<error>(token.error());
  call.token = std::move(*token);
  auto wanted = net::upstream_pool::freshness::any;
  for (;;) {
    auto leased = co_await pool_.acquire(target_, wanted);
    if (!*alive || call.aborted) co_return fail(errc::client_gone);
    if (!leased) co_return tl::unexpected<error>(leased.error());
    call.up = std::move(*leased);
    call.stream = call.up.shared_stream();
    // Cancelled meanwhile: it must not come behind its cancellation.
    if (!talk_.on_sending(call.id, steady_now())) co_return fail(errc::client_gone);
    bool sent_any = false, seen_any = false;
    auto sent = co_await send_request(call, sent_any);
    if (!*alive || call.aborted) co_return fail(errc::client_gone);
    if (sent) sent = co_await read_head(call, seen_any);
    if (!*alive || call.aborted) co_return fail(errc::client_gone);
    if (sent) break;
    // A kept connection that ended without a byte was closed while idle. Whether the server saw the request
    // is not known then, so only what does no harm is sent again.
    bool dead = sent.error().code == errc::upstream_closed && call.up.reused() && !seen_any;
    bool again = dead && (call.what.may_repeat || !sent_any) && wanted == net::upstream_pool::freshness::any;
    call.stream.reset();
    call.up.drop();
    if (!again) co_return sent;
    wanted = net::upstream_pool::freshness::fresh;
  }
  auto read = co_await read_body(call);
  co_return read;
}

std::string bridge_wire::head_of(running& call) {
  const auto& what = call.what;
  bool post = what.method == bridge_action::method::post;
  auto method = name_of(what.method);
  const auto& path = what.target.empty() ? target_path_ : what.target;
  std::string head;
  head.reserve(512 + common_fields_.size() + call.token.value.reveal().size());
  head += method;
  head += ' ';
  head += path;
  head += " HTTP/1.1\r\n";
  head += common_fields_;
  head += post ? "Accept: application/json, text/event-stream\r\nContent-Type: application/json\r\n"
          : what.method == bridge_action::method::get
              ? "Accept: text/event-stream\r\nCache-Control: no-store\r\n"
              : "";
  if (call.token.generation != 0 && !call.token.value.empty() && !own_authorization_) {
    head += "Authorization: ";
    head += call.token.scheme;
    head += ' ';
    head += call.token.value.reveal();
    head += "\r\n";
    for (const auto& [name, value] :
         credentials_.proof(call.token, method, origin_ + path.substr(0, path.find('?'))))
      net::append_field(head, name, value);
  }
  if (settings_.upstream.cookies) {
    if (auto cookies = cookies_.value_for(path.substr(0, path.find('?'))); !cookies.empty())
      net::append_field(head, "Cookie", cookies);
  }
  head += what.fields;
  if (post) {
    head += "Content-Length: ";
    net::append_decimal(head, what.body ? what.body->size() : 0);
    head += "\r\n";
  }
  head += "\r\n";
  return head;
}

net::task<result<void>> bridge_wire::send_request(running& call, bool& sent_any) {
  auto head = head_of(call);
  std::array<iovec, 2> pieces{net::piece(head),
                              net::piece(call.what.body ? std::string_view(*call.what.body) : "")};
  std::size_t count = call.what.body && !call.what.body->empty() ? 2 : 1;
  std::span<const iovec> out(pieces.data(), count);
  auto sent = co_await call.stream->write(out, write_time);
  wipe(head.data(), head.size());
  if (sent == net::io::timeout)
    co_return fail(errc::upstream_timeout, "the server stopped reading the request");
  // It may have answered and closed without reading on, as a 413 does.
  if (sent != net::io::ok && call.up.reused()) co_return fail(errc::upstream_closed, "while idle");
  sent_any = true;
  co_return result<void>();
}

net::task<result<void>> bridge_wire::read_head(running& call, bool& seen_any) {
  auto& up = *call.stream;
  std::size_t searched = 0;
  for (int interim = 0; interim < most_interim;) {
    auto input = up.input();
    seen_any = seen_any || !input.empty();
    if (auto end = net::find_head_end(input, searched)) {
      call.head_text.assign(input.substr(0, *end));
      auto parsed = net::parse_response_head(call.head_text, name_of(call.what.method), call.head);
      if (!parsed) co_return parsed;
      up.consume(*end);
      searched = 0;
      if (call.head.status >= 200) co_return result<void>();
      if (call.head.status == 101) break;
      ++interim;
      continue;
    }
    searched = input.size();
    if (input.size() > largest_head) co_return fail(errc::upstream_malformed, "head over 64 KiB");
    if (input.size() >= 5 && input.substr(0, 5) != "HTTP/") {
      bool alert = !target_.tls && input.substr(0, 2) == "\x15\x03";
      co_return fail(
          errc::upstream_malformed,
          alert ? "not HTTP: the server speaks TLS here, and its URL begins with http://" : "not HTTP");
    }
    auto got = co_await up.more(no_limit);
    if (call.aborted) co_return fail(errc::client_gone);
    if (got != net::io::ok)
      co_return fail(errc::upstream_closed,
                     seen_any ? "in the middle of the answer's head" : "before the answer");
  }
  co_return fail(errc::upstream_malformed, "interim answers without end");
}

// Tells the conversation; whether it wants the body.
bool bridge_wire::tell_head(running& call) {
  const auto& head = call.head;
  auto challenges = joined(head, "www-authenticate");
  upstream_head about;
  about.status = head.status;
  about.content_type = head.find("content-type").value_or("");
  about.session_id = head.find("mcp-session-id").value_or("");
  about.retry_after = head.find("retry-after").value_or("");
  about.location = head.find("location").value_or("");
  about.dpop_nonce = head.find("dpop-nonce").value_or("");
  about.challenges = challenges;
  if (!about.dpop_nonce.empty()) credentials_.take_nonce(about.dpop_nonce);
  if (head.status < 300) credentials_.accepted(call.token.generation);
  if (settings_.upstream.cookies) {
    for (const auto& f : head.fields) {
      if (equal_ignoring_case(f.name, "set-cookie")) cookies_.take(f.value);
    }
  }
  if (log_.wants(bridge_log_level::debug)) {
    log_.write(bridge_log_level::debug, "wire", "answered",
               {{"method", name_of(call.what.method)},
                {"status", std::to_string(head.status)},
                {"type", about.content_type}});
  }
  auto how = talk_.on_head(call.id, about, steady_now());
  after_();
  return how == conversation::reading::body;
}

bool bridge_wire::may_read(const running& call) const { return room_() && talk_.may_read(call.id); }

net::task<result<void>> bridge_wire::read_body(running& call) {
  auto alive = alive_;
  auto& up = *call.stream;
  call.decoder = net::body_decoder(call.head.body, call.head.length, net::chunk_extensions::skip);
  bool wanted = tell_head(call);
  if (!*alive || call.aborted) co_return fail(errc::client_gone);
  auto keep_for = net::announced_keep_alive(call.head);
  bool keep = call.head.keep_alive;
  if (!wanted) {
    bool drained = co_await drain_body(call);
    if (!*alive || call.aborted) co_return fail(errc::client_gone);
    call.stream.reset();
    if (drained && keep) pool_.release(std::move(call.up), keep_for);
    co_return result<void>();
  }
  auto type = call.head.find("content-type");
  if (type && starts_with_ignoring_case(*type, "text/event-stream")) up.go_lean();
  for (;;) {
    call.content.clear();
    while (!call.decoder.done() && !call.decoder.failed() && !up.input().empty()) {
      up.consume(call.decoder.feed(up.input(), call.content));
    }
    if (call.decoder.failed()) co_return fail(errc::upstream_malformed, "chunked framing");
    for (auto piece : call.content) {
      talk_.on_body(call.id, piece, steady_now());
      if (call.aborted) co_return fail(errc::client_gone);
    }
    after_();
    if (!*alive || call.aborted) co_return fail(errc::client_gone);
    if (call.decoder.done()) break;
    while (!may_read(call)) {
      turn mine(call);
      co_await mine;
      if (!*alive || call.aborted) co_return fail(errc::client_gone);
    }
    auto got = co_await up.more(settings_.upstream.body_timeout);
    if (!*alive || call.aborted) co_return fail(errc::client_gone);
    if (got == net::io::ok) continue;
    if (got == net::io::timeout) co_return fail(errc::upstream_timeout, "the answer stopped in the middle");
    if (up.input().empty() && call.decoder.finish()) {
      keep = false;
      break;
    }
    if (up.input().empty()) co_return fail(errc::upstream_closed, "in the middle of the answer");
  }
  call.stream.reset();
  if (keep && call.decoder.done()) pool_.release(std::move(call.up), keep_for);
  co_return result<void>();
}

// What is short is read, so that the connection can be kept.
net::task<bool> bridge_wire::drain_body(running& call) {
  auto& up = *call.stream;
  if (call.head.body == net::framing::until_close) co_return false;
  std::size_t read = 0;
  for (;;) {
    call.content.clear();
    while (!call.decoder.done() && !call.decoder.failed() && !up.input().empty()) {
      up.consume(call.decoder.feed(up.input(), call.content));
    }
    if (call.decoder.failed()) co_return false;
    if (call.decoder.done()) co_return true;
    for (auto piece : call.content) read += piece.size();
    if (read > largest_drained) co_return false;
    auto got = co_await up.more(drain_time);
    if (got != net::io::ok || call.aborted) co_return false;
  }
}

}  // namespace mcp_oauth
