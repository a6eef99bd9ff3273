// Requests to the server, and what comes of them.

#include "base/text.h"
#include "base/url.h"
#include "bridge/conversation.h"
#include "mcp/error_body.h"
#include "mcp/headers.h"
#include "mcp/revision.h"

#include <algorithm>
#include <array>

namespace mcp_oauth {
namespace {

constexpr std::size_t most_error_body = 64 * 1024, most_whole_message = 64 * 1024 * 1024;
constexpr int most_waits = 5, most_resumes_in_vain = 5;
constexpr int most_silent_timeouts = 20;
constexpr milliseconds shortest_resume{500}, first_resume{1'000}, longest_resume{30'000};
constexpr int header_mismatch = -32020;

// Methods that change nothing at the server, so that asking twice does no harm.
bool is_harmless(std::string_view method) {
  constexpr std::array harmless = {"initialize",      "ping",         "server/discover",
                                   "tools/list",      "prompts/list", "resources/list",
                                   "resources/read",  "prompts/get",  "resources/templates/list",
                                   "logging/setLevel"};
  for (std::string_view one : harmless) {
    if (method == one) return true;
  }
  return method.starts_with("notifications/");
}

bool is_type(std::string_view content_type, std::string_view wanted) {
  return equal_ignoring_case(trim(content_type.substr(0, content_type.find(';'))), wanted);
}

// Seconds, or nothing for a date: no server that limits calls sends one.
std::optional<milliseconds> wait_of(std::string_view retry_after) {
  auto given = parse_decimal(trim(retry_after));
  if (!given || *given > 86'400) return std::nullopt;
  return milliseconds(static_cast<std::int64_t>(*given) * 1000);
}

bool mentions_session(std::string_view text) { return to_lower(text).find("session") != std::string::npos; }

}  // namespace

conversation::exchange* conversation::find_exchange(std::uint64_t id) {
  auto at = exchanges_.find(id);
  return at != exchanges_.end() ? at->second.get() : nullptr;
}

conversation::exchange& conversation::open_exchange(enum exchange::kind kind, std::uint64_t serial,
                                                    milliseconds now) {
  auto made = std::make_unique<exchange>();
  auto& x = *made;
  x.id = ++last_call_;
  x.kind = kind;
  x.serial = serial;
  x.session = session_;
  x.opened_at = now;
  exchanges_.emplace(x.id, std::move(made));
  return x;
}

void conversation::send(exchange& x, enum bridge_action::method method,
                        std::shared_ptr<const std::string> body, std::string extra, std::string_view target,
                        bool may_repeat) {
  bridge_action action;
  action.kind = bridge_action::kind::send;
  action.call = x.id;
  action.method = method;
  action.target = target.empty() ? std::string_view(moved_to_) : target;
  x.target = action.target;
  action.fields = std::move(extra);
  action.body = std::move(body);
  action.may_repeat = may_repeat;
  action.unattended = is_unattended(x);
  actions_.push_back(std::move(action));
}

void conversation::touch(transit& t, milliseconds now) {
  t.deadline = now + options_.upstream.timeout;
  if (!t.endless) wake(t.deadline);
}

// What says to which session and under which revision a request is.
std::string conversation::session_fields(const transit* t) const {
  std::string lines;
  bool opens = t != nullptr && t->facts.method == "initialize";
  bool stateless = t != nullptr && t->facts.version_in_meta && t->by != route::to_sessions;
  if (t != nullptr && (stateless || t->by == route::to_stateless)) {
    auto version =
        t->by == route::to_stateless ? name(newest_revision) : std::string_view(t->facts.protocol_version);
    lines += "MCP-Protocol-Version: " + encode_mirrored_value(version) + "\r\n";
    lines += "Mcp-Method: " + encode_mirrored_value(t->facts.method) + "\r\n";
    if (t->facts.has_name) lines += "Mcp-Name: " + encode_mirrored_value(t->facts.name) + "\r\n";
    return lines;
  }
  if (!session_.empty() && !opens) lines += "Mcp-Session-Id: " + session_ + "\r\n";
  const auto& version =
      options_.upstream.protocol_version.empty() ? negotiated_ : options_.upstream.protocol_version;
  if (!version.empty() && (!opens || !options_.upstream.protocol_version.empty()))
    lines += "MCP-Protocol-Version: " + encode_mirrored_value(version) + "\r\n";
  return lines;
}

// An answer that is only passed on may be written in parts; one that is looked into, or gets another id, is
// read as a whole first.
answer_bounds conversation::bounds_of(const transit* t) const {
  if (t == nullptr) return {};
  bool looked_into = t->why != purpose::client_request && t->why != purpose::client_batch;
  looked_into = looked_into || t->wire_id != t->client_id || t->by == route::to_sessions ||
                t->facts.method == "initialize" || t->facts.method == "server/discover" ||
                (t->facts.method == "tools/list" &&
                 (server_ != era::sessions || !options_.upstream.ignored_tools.empty()));
  if (looked_into) return {most_whole_message, false};
  return {};
}

// The same for a message on a stream, which need not be about the request that the stream answers.
answer_bounds conversation::bounds_for(std::uint64_t call, const message_facts& seen) {
  constexpr answer_bounds whole{most_whole_message, false};
  auto* x = find_exchange(call);
  auto* t = x != nullptr ? find(x->serial) : nullptr;
  if (t != nullptr && !bounds_of(t).in_parts) return whole;
  // What such a client gets of a server with sessions is made for it.
  if (client_ == era::stateless && server_ == era::sessions) return whole;
  if (!seen.method.empty()) return {};
  if (auto* meant = find_wire(seen.id)) return bounds_of(meant);
  if (!seen.id.empty() || t != nullptr) return {};
  // A batch, or an answer whose id comes last: it may be about any of them.
  bool any = std::any_of(transits_.begin(), transits_.end(), [this](const auto& one) {
    return !one.second->wire_id.empty() && !bounds_of(one.second.get()).in_parts;
  });
  return any ? whole : answer_bounds{};
}

void conversation::read_stream(exchange& x, answer_bounds bounds) {
  x.reader = std::make_unique<upstream_answer>(upstream_answer::form::events, bounds);
  x.reader->judge_large([this, call = x.id](const message_facts& seen) { return bounds_for(call, seen); });
}

void conversation::post(transit& t, milliseconds now) {
  auto& x = open_exchange(exchange::kind::post, t.serial, now);
  t.call = x.id;
  t.at = state::sent;
  t.sent_at = now;
  t.resuming = false;
  touch(t, now);
  auto fields = session_fields(&t);
  x.as_stateless = fields.find("Mcp-Method: ") != std::string::npos;
  if (x.as_stateless && t.facts.method == "tools/call") fields += tools_.fields_for(t.facts.name, *t.body);
  if (legacy_transport_) fields.clear();
  send(x, bridge_action::method::post, t.body, std::move(fields), legacy_transport_ ? endpoint_ : t.target,
       is_harmless(t.facts.method));
}

void conversation::resume(transit& t, milliseconds now) {
  auto& x = open_exchange(exchange::kind::resume, t.serial, now);
  t.call = x.id;
  t.at = state::sent;
  t.resuming = true;
  auto fields = session_fields(nullptr);
  fields += "Last-Event-ID: " + t.last_event_id + "\r\n";
  send(x, bridge_action::method::get, nullptr, std::move(fields), t.target, true);
}

bool conversation::on_sending(std::uint64_t call, milliseconds now) {
  auto* x = find_exchange(call);
  if (x == nullptr) return false;
  auto* t = find(x->serial);
  bool of_transit = x->kind == exchange::kind::post || x->kind == exchange::kind::resume;
  if (of_transit && t == nullptr) return false;
  if (std::exchange(x->under_way, true) || t == nullptr) return true;
  t->sent_at = now;
  touch(*t, now);
  return true;
}

// Whether the server may know of it. What waits for a token or a connection is known here alone.
bool conversation::may_have_arrived(const transit& t) {
  if (t.at == state::queued) return false;
  if (t.at == state::delayed || t.resuming) return t.resuming;
  auto* x = find_exchange(t.call);
  return x == nullptr || x->under_way;
}

void conversation::drop_exchange(std::uint64_t id, bool abort) {
  auto* x = find_exchange(id);
  if (x == nullptr) return;
  if (line_owner_ == id) break_flow(*x, "dropped", x->opened_at);
  std::erase(line_waiters_, id);
  exchanges_.erase(id);
  if (!abort) return;
  bridge_action action;
  action.kind = bridge_action::kind::abort;
  action.call = id;
  actions_.push_back(std::move(action));
}

// ---- heads

conversation::reading conversation::on_head(std::uint64_t call, const upstream_head& head, milliseconds now) {
  auto* x = find_exchange(call);
  if (x == nullptr) return reading::drain;
  x->status = head.status;
  if (x->kind == exchange::kind::remove) {
    if (removing_) finished_ = true;
    drop_exchange(call, false);
    return reading::drain;
  }
  forget_place(*x);
  auto* t = find(x->serial);
  if (t != nullptr) {
    t->head_seen = true;
    touch(*t, now);
  }
  if (refused_token(*x, t, head)) return reading::drain;
  bool events = head.status == 200 && is_type(head.content_type, "text/event-stream");
  if (x->kind == exchange::kind::server_stream || x->kind == exchange::kind::legacy_stream) {
    if (events) {
      read_stream(*x, answer_bounds{});
      if (x->kind == exchange::kind::legacy_stream) legacy_refusals_ = 0;
      if (x->kind == exchange::kind::server_stream) {
        stream_.token_refusals = 0;
        stream_.worked = stream_.worked_here = stream_.up = true;
        stream_.refused_new = 0;
        stream_.opened_at = now;
      }
      return reading::body;
    }
    auto id = x->id;
    bool legacy = x->kind == exchange::kind::legacy_stream;
    auto wait = wait_of(head.retry_after).value_or(milliseconds(0));
    drop_exchange(id, false);
    if (legacy) {
      bridge_failure why;
      why.why = {errc::upstream_status, "the event stream of HTTP with SSE could not be opened"};
      why.status = head.status;
      legacy_stream_ended(why, now);
    } else {
      server_stream_ended("HTTP " + std::to_string(head.status), head.status, wait, now);
    }
    return reading::drain;
  }
  if (t == nullptr) return reading::drain;
  return head_of_post(*x, *t, head, now);
}

conversation::reading conversation::head_of_post(exchange& x, transit& t, const upstream_head& head,
                                                 milliseconds now) {
  if (redirected(x, t, head, now) || must_wait(x, t, head, now)) return reading::drain;
  bool events = is_type(head.content_type, "text/event-stream");
  bool wants_answer = opening_ == t.serial || !t.client_id.empty() || !t.batch_ids.empty() ||
                      t.why == purpose::opening || t.why == purpose::listen || t.why == purpose::list_tools ||
                      (t.why == purpose::quiet && !t.wire_id.empty());
  if (head.status >= 200 && head.status < 300) {
    keep_place(t);
    if (t.facts.method == "initialize" && !legacy_transport_) {
      session_ = head.session_id;
    } else if (x.session == session_ && x.opened_at >= stream_.opened_at) {
      stream_.session_doubted = false;
    }
    if (!wants_answer) {
      auto id = x.id;
      x.serial = 0;
      drop_exchange(id, false);
      finish(t, now);
      return reading::drain;
    }
    if (legacy_transport_) {
      // The response comes on the stream.
      t.at = state::elsewhere;
      x.serial = 0;
      drop_exchange(x.id, false);
      return reading::drain;
    }
    bool json = is_type(head.content_type, "application/json") || head.content_type.empty();
    if (events || (json && head.status != 202 && head.status != 204)) {
      if (events) {
        read_stream(x, bounds_of(&t));
      } else {
        x.reader = std::make_unique<upstream_answer>(upstream_answer::form::json, bounds_of(&t));
      }
      return reading::body;
    }
  } else if (x.kind == exchange::kind::resume) {
    ended_without_response(x, t, "resuming its stream gave HTTP " + std::to_string(head.status), now);
    return reading::drain;
  }
  // An error, or no answer of MCP: what its body says is shown to the client.
  x.collecting = true;
  x.asks_patience = head.status == 429 || (head.status == 503 && !trim(head.retry_after).empty());
  if (head.status == 202 || head.status == 204) {
    error_answer(x, t, now);
    return reading::drain;
  }
  t.unclear = head.content_type;
  return reading::body;
}

// 429 and 503 name a time at which the call is welcome; until then it was not made.
bool conversation::must_wait(exchange& x, transit& t, const upstream_head& head, milliseconds now) {
  if (head.status != 429 && head.status != 503) return false;
  auto wait = wait_of(head.retry_after);
  if (!wait || t.waits >= most_waits || now + *wait >= t.began + options_.upstream.timeout) return false;
  ++t.waits;
  x.serial = 0;
  drop_exchange(x.id, false);
  t.at = state::delayed;
  t.target.clear();  // by then it may be elsewhere
  t.again_at = now + std::max(*wait, milliseconds(100));
  t.deadline = std::max(t.deadline, t.again_at + milliseconds(1));
  wake(t.again_at);
  log(bridge_log_level::info, t.facts.method + ": upstream returned " + std::to_string(head.status) +
                                  "; asked again in " + std::to_string(wait->count() / 1000) + " s");
  return true;
}

// ---- bodies

void conversation::on_body(std::uint64_t call, std::string_view piece, milliseconds now) {
  auto* x = find_exchange(call);
  if (x == nullptr) return;
  auto* t = find(x->serial);
  if (t != nullptr) touch(*t, now);
  if (x->collecting) {
    x->collected += piece.substr(0, most_error_body - std::min(x->collected.size(), most_error_body));
    return;
  }
  if (!x->reader) return;
  std::vector<answer_part> parts;
  auto fed = x->reader->feed(piece, parts);
  if (t != nullptr && x->kind != exchange::kind::server_stream) {
    t->last_event_id = x->reader->last_event_id().empty() ? t->last_event_id : x->reader->last_event_id();
    if (x->reader->retry()) t->retry = x->reader->retry();
  }
  if (x->kind == exchange::kind::server_stream) {
    if (!x->reader->last_event_id().empty()) stream_.last_event_id = x->reader->last_event_id();
    stream_.retry = x->reader->retry();
  }
  take_parts(call, std::move(parts), now);
  if (fed) return;
  // Of no use any more, whatever follows.
  x = find_exchange(call);
  if (x == nullptr) return;
  t = find(x->serial);
  x->serial = 0;
  if (t != nullptr) {
    bridge_failure why;
    why.why = fed.error();
    why.status = x->status;
    if (decides(*t)) {
      opening_failed(*t, why, now);
    } else {
      fail(*t, why, now);
    }
  }
  drop_exchange(call, true);
}

void conversation::on_end(std::uint64_t call, milliseconds now) {
  auto* x = find_exchange(call);
  if (x == nullptr) return;
  if (x->renewing) return;
  // Not first in end_of_body: what comes before that may end the session, which aborts what is open.
  if (x->kind == exchange::kind::legacy_stream && x->blocked.empty()) legacy_stream_ = 0;
  auto* t = find(x->serial);
  if (x->collecting) {
    if (t != nullptr) return error_answer(*x, *t, now);
    return drop_exchange(call, false);
  }
  std::string why = "its answer ended";
  if (x->reader) {
    std::vector<answer_part> parts;
    auto done = x->reader->finish(parts);
    bool empty = x->reader->empty();
    take_parts(call, std::move(parts), now);
    x = find_exchange(call);
    if (x == nullptr) return;
    t = find(x->serial);
    if (!done) {
      if (t != nullptr) {
        bridge_failure broken;
        broken.why = done.error();
        broken.status = x->status;
        x->serial = 0;
        if (decides(*t)) {
          opening_failed(*t, broken, now);
        } else {
          fail(*t, broken, now);
        }
      }
      return drop_exchange(call, false);
    }
    if (empty) why = "HTTP " + std::to_string(x->status) + " without content";
  }
  if (!x->blocked.empty()) {
    x->ended = true;  // the rest when the line is free
    return;
  }
  end_of_body(*x, why, now);
}

void conversation::end_of_body(exchange& x, const std::string& why, milliseconds now) {
  auto call = x.id;
  auto kind = x.kind;
  auto* t = find(x.serial);
  if (kind == exchange::kind::server_stream) {
    drop_exchange(call, false);
    return server_stream_ended("it ended", 0, milliseconds(0), now);
  }
  if (kind == exchange::kind::legacy_stream) {
    legacy_stream_ = 0;
    drop_exchange(call, false);
    bridge_failure ended;
    ended.why = {errc::upstream_no_answer, "the event stream of HTTP with SSE ended"};
    return legacy_stream_ended(ended, now);
  }
  if (t != nullptr) return ended_without_response(x, *t, why, now);
  drop_exchange(call, false);
}

void conversation::on_failure(std::uint64_t call, const error& why, milliseconds now) {
  auto* x = find_exchange(call);
  if (x == nullptr) return;
  bridge_failure failure;
  failure.why = why;
  failure.status = x->status;
  auto kind = x->kind;
  bool flowing = line_owner_ == call || !x->blocked.empty();
  auto* t = find(x->serial);
  if (kind == exchange::kind::remove) {
    if (removing_) finished_ = true;
    return drop_exchange(call, false);
  }
  if (kind == exchange::kind::server_stream) {
    drop_exchange(call, false);
    return server_stream_ended(failure_words(failure), 0, milliseconds(0), now);
  }
  if (kind == exchange::kind::legacy_stream) {
    legacy_stream_ = 0;
    drop_exchange(call, false);
    return legacy_stream_ended(failure, now);
  }
  if (flowing) {
    // Part of a line is out; its end makes it one that cannot be read, and then comes the error.
    break_flow(*x, failure_words(failure), now);
    return drop_exchange(call, false);
  }
  if (t == nullptr) return drop_exchange(call, false);
  if (x->collecting) return error_answer(*x, *t, now);
  bool stream = x->reader != nullptr && !t->last_event_id.empty();
  if ((stream || kind == exchange::kind::resume) && t->by != route::to_stateless) {
    return ended_without_response(*x, *t, failure_words(failure), now);
  }
  x->serial = 0;
  drop_exchange(call, false);
  if (decides(*t)) return opening_failed(*t, failure, now);
  fail(*t, failure, now);
}

// A stream whose events have ids may end before the response, and goes on where it is asked for (2025-03-26
// to 2025-11-25). Otherwise that was all.
void conversation::ended_without_response(exchange& x, transit& t, const std::string& why, milliseconds now) {
  bool resumable = !x.as_stateless && !t.last_event_id.empty() && !stopping_ &&
                   t.resumes < most_resumes_in_vain && x.status != 404 && x.status != 405;
  // A server may let its client ask again and again until there is something to say (2025-11-25), but not
  // for ever.
  auto silent = now - std::max(t.began, t.heard_at);
  bool in_vain = silent >= options_.upstream.timeout * most_silent_timeouts;
  bool news = x.reader != nullptr && !x.reader->last_event_id().empty();
  auto status = x.status;
  x.serial = 0;
  drop_exchange(x.id, false);
  if (resumable && !in_vain) {
    if (news) t.resumes = 0;
    auto pause = t.retry.value_or(std::min(first_resume * (1 << t.resumes), longest_resume));
    pause = std::max(pause, shortest_resume);
    ++t.resumes;
    t.at = state::delayed;
    t.resuming = true;
    t.again_at = now + pause;
    touch(t, now);
    t.deadline = std::max(t.deadline, t.again_at + milliseconds(1));
    wake(t.again_at);
    log(bridge_log_level::debug, t.facts.method + ": its stream broke (" + why + "); resumed");
    return;
  }
  bridge_failure failure;
  failure.why = {errc::upstream_no_answer, why};
  if (resumable)
    failure.why = {errc::upstream_timeout,
                   "its stream was resumed for " + std::to_string(silent.count()) + " ms without a message"};
  if (!t.unclear.empty())
    failure.why = {errc::upstream_malformed, "an event of its stream is no JSON: " + t.unclear};
  failure.status = status;
  if (decides(t)) return opening_failed(t, failure, now);
  fail(t, failure, now);
}

// What an error status says by itself.
bridge_failure conversation::refused_by_status(const exchange& x) const {
  bridge_failure failure;
  failure.status = x.status;
  failure.why = {x.asks_patience ? errc::upstream_throttled : errc::upstream_status, ""};
  if (x.status == 401) {
    failure.why = {errc::sign_in_tokens_in_vain, "upstream returned 401 for a token that was just obtained"};
    if (options_.token_words) failure.why.detail += "; " + options_.token_words();
  } else if (x.status == 403) {
    failure.hint =
        "Access is refused, and no sign-in is asked for: sign in as somebody who may (mcp-oauth-proxy bridge "
        "logout "
        "URL, then login), or ask the operator of the server; a firewall or a proxy before it answers 403, "
        "too.";
  }
  return failure;
}

std::string conversation::redacted(std::string_view text) const {
  return options_.redacted ? options_.redacted(text) : std::string(text);
}

// An answer that is none of MCP's, or an error status; all of its body that counts has come.
void conversation::error_answer(exchange& x, transit& t, milliseconds now) {
  bridge_failure failure;
  failure.status = x.status;
  bool ok = x.status >= 200 && x.status < 300;
  auto type = std::exchange(t.unclear, {});
  if (x.status == 202 || x.status == 204) {
    failure.why = {errc::upstream_no_answer, "HTTP " + std::to_string(x.status) + " without content"};
  } else if (ok) {
    failure.why = {errc::upstream_not_mcp, "Unexpected content type: " + type};
  } else {
    failure = refused_by_status(x);
  }
  auto collected = x.collected;
  failure.said = redacted(collected);
  auto said = ok ? tl::unexpected<error>(error{}) : scan_message(collected);
  bool message = said && said->kind == message_facts::kind::response && said->is_error;
  if (message && !said->error_message.empty())
    failure.why.detail = cut_text(redacted(said->error_message), most_said);

  bool asked_session = !x.session.empty() && !x.as_stateless && !legacy_transport_;
  bool other_reason = message && said->error_code == jsonrpc::method_not_found;
  bool lost = asked_session && !other_reason &&
              (x.status == 404 || (x.status == 400 && mentions_session(failure.said)));
  if (lost && session_lost(x, t, now)) return;
  x.serial = 0;
  drop_exchange(x.id, false);
  if (decides(t)) {
    if (try_other_transport(t, failure, message ? said->error_code : 0, now)) return;
  }
  if (message && said->error_code == header_mismatch && t.facts.method == "tools/call" &&
      !t.headers_repeated) {
    // The tool's schema is another one than we know: look, and once more.
    t.headers_repeated = true;
    t.at = state::elsewhere;
    if (relisting_for_ == 0) {
      auto request = make_request(next_id(), "tools/list", "");
      auto& list = add_own(purpose::list_tools, std::move(request), now);
      relisting_for_ = list.serial;
      list.by = route::to_stateless;
      list.body = std::make_shared<const std::string>(with_request_meta(
          *list.line, list.facts, client_ == era::stateless ? profile_of_meta(*t.line) : profile_));
      post(list, now);
    }
    return;
  }
  if (message && !t.client_id.empty() && t.why == purpose::client_request) {
    // The server's own words, under the id that the client waits for.
    auto tree = read_tree(collected);
    if (tree && tree->is_object() && tree->as_object().contains("error")) {
      log(bridge_log_level::debug, t.facts.method + ": " + failure_words(failure));
      auto answer = R"({"jsonrpc":"2.0","id":)" + t.client_id + R"(,"error":)" +
                    json::serialize(tree->as_object()["error"]) + '}';
      write_line(error_without_secrets(answer, t.client_id).value_or(answer));
      return finish(t, now);
    }
  }
  if (decides(t)) return opening_failed(t, failure, now);
  fail(t, failure, now);
}

}  // namespace mcp_oauth
