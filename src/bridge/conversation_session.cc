// How a conversation begins, begins anew and ends; and the streams that belong to a session.

#include "base/text.h"
#include "base/url.h"
#include "bridge/conversation.h"
#include "mcp/revision.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr milliseconds shortest_pause{500}, longest_pause{60'000}, short_life{5'000};
// Clients give up on initialize after half a minute, and on other requests after a minute.
constexpr milliseconds patience_of_opening{8'000}, patience_of_list{20'000}, patience_of_call{45'000},
    between_tellings{10'000};

bool is_recognized(std::int64_t code) { return code <= -32020 && code >= -32022; }

const json::object* result_of(const std::optional<json::value>& tree) {
  if (!tree || !tree->is_object()) return nullptr;
  const auto* result = tree->as_object().if_contains("result");
  return result != nullptr && result->is_object() ? &result->as_object() : nullptr;
}

std::string_view empty_list_of(std::string_view method) {
  if (method == "tools/list") return R"({"tools":[]})";
  if (method == "prompts/list") return R"({"prompts":[]})";
  if (method == "resources/list") return R"({"resources":[]})";
  if (method == "resources/templates/list") return R"({"resourceTemplates":[]})";
  return {};
}

milliseconds pause_after(int failures) {
  return std::min(shortest_pause * (1 << std::min(failures, 10)), longest_pause);
}

}  // namespace

// ---- opening

void conversation::begin_opening(transit& t, milliseconds now) {
  profile_ = profile_of_initialize(*t.line);
  offered_ = t.facts.protocol_version;
  initialize_ = with_id(*t.line, t.facts, next_id());
  if (server_ == era::stateless) return answer_locally(t, initialize_result_of(discovered_, offered_), now);
  if (open_) {
    // A client that begins anew gets a session of its own.
    abort_streams();
    drop_legacy_stream();
    if (!session_.empty() && !legacy_transport_) {
      auto& x = open_exchange(exchange::kind::remove, 0, now);
      send(x, bridge_action::method::remove, nullptr, session_fields(nullptr), "", true);
    }
    session_.clear();
    negotiated_.clear();
    open_ = false;
  }
  leave_place();
  stream_ = server_stream();
  initialized_sent_ = false;
  opening_ = t.serial;
  auto by = options_.upstream.transport;
  bool by_events = by == bridge_transport::sse_first || by == bridge_transport::sse_only || legacy_transport_;
  if (by_events && !tried_http_) {
    tried_legacy_ = true;
    t.at = state::elsewhere;
    return open_legacy_stream(now);
  }
  post(t, now);
}

void conversation::opened(transit& t, std::string text, const message_facts& facts, milliseconds now) {
  bridge_failure failure;
  failure.status = 200;
  failure.why = {errc::upstream_status, facts.error_message};
  bool initialize = t.facts.method == "initialize";
  if (!initialize && t.why == purpose::opening) {
    // Our own server/discover, for a client that has asked for a session.
    auto tree = read_tree(text);
    const auto* result = result_of(tree);
    auto* asking = find(opening_);
    auto serial = t.serial;
    if (result == nullptr) return opening_failed(t, failure, now);
    server_ = era::stateless;
    session_.clear();
    held_answer_.clear();
    discovered_ = *result;
    opening_ = 0;
    log(bridge_log_level::info, "the server speaks revision " + std::string(name(newest_revision)) +
                                    ", the client an earlier one: translating");
    finish(*find(serial), now);
    if (asking != nullptr) {
      if (!asking->client_id.empty()) {
        answer_client(*asking, make_result(asking->client_id, initialize_result_of(discovered_, offered_)));
      } else {
        listen_for_client(now);
        announce_changes();
      }
      finish(*asking, now);
    }
    return flush_queue(now);
  }
  if (!initialize) {
    // The first request of a stateless client says it all.
    bool not_known =
        facts.is_error && t.facts.method == "server/discover" && !is_recognized(facts.error_code);
    if (not_known && try_other_transport(t, failure, facts.error_code, now)) return;
    server_ = era::stateless;
    opening_ = 0;
    pass_answer(t, std::move(text), facts, now);
    return flush_queue(now);
  }
  auto tree = read_tree(text);
  const auto* result = result_of(tree);
  if (result == nullptr) {
    if (try_other_transport(t, failure, facts.error_code, now)) return;
    if (t.client_id.empty()) return opening_failed(t, failure, now);
    forget_attempts();
    answer_client(t, text);
    return finish(t, now);
  }
  bool stateless = text_member(*result, "protocolVersion") >= name(revision::v2026_07_28);
  if (stateless && client_ == era::sessions && !legacy_transport_ && !std::exchange(tried_stateless_, true)) {
    // It names a revision that has no initialize: the client would know no better.
    held_answer_ = std::move(text);
    return probe_for_stateless(t, now);
  }
  forget_attempts();
  server_ = era::sessions;
  open_ = true;
  opening_ = 0;
  initialized_result_ = *result;
  negotiated_ = text_member(*result, "protocolVersion");
  if (!parse_revision(negotiated_))
    log(bridge_log_level::warn,
        "the server answers with a revision that was never published: " + negotiated_);
  bool ours = t.client_id.empty(), unattended = t.unattended;
  answer_client(t, text);
  finish(t, now);
  if (!ours) return flush_queue(now);
  auto& said = add_own(purpose::initialized, std::string(initialized_notification), now);
  said.unattended = unattended && !somebody_waits();
  initialized_sent_ = true;
  gate_ = said.serial;
  post(said, now);
  announce_changes();
}

// What the bridge said in place of the server counts no more.
void conversation::announce_changes() {
  if (!std::exchange(provisional_, false) || client_ != era::sessions) return;
  for (auto what : {"tools", "resources", "prompts"})
    write_line(make_notification("notifications/" + std::string(what) + "/list_changed", ""));
}

// Whether there is another way to speak to this server; then it is being tried.
bool conversation::try_other_transport(transit& t, const bridge_failure& failure, std::int64_t code,
                                       milliseconds now) {
  bool refused = failure.status >= 400 && failure.status < 500 && failure.status != 401 &&
                 failure.status != 403 && failure.status != 429;
  if (!refused && code == 0) return false;
  if (client_ == era::stateless && t.why == purpose::client_request) {
    if (is_recognized(code)) {
      server_ = era::stateless;
      return false;
    }
    // A server of a revision with sessions: it gets its initialize from us.
    let_go(t, now);
    first_failure_ = failure;
    profile_ = profile_of_meta(*t.line);
    initialize_ = initialize_request(next_id(), profile_);
    server_ = era::sessions;
    t.at = state::queued;
    queue_.push_front(t.serial);
    opening_ = 0;
    reopen(now);
    return true;
  }
  if (t.facts.method != "initialize") return false;
  if (!first_failure_) first_failure_ = failure;
  bool automatic = options_.upstream.protocol == bridge_protocol::automatic;
  if (code != 0 && automatic && client_ == era::sessions && !legacy_transport_ &&
      !std::exchange(tried_stateless_, true)) {
    probe_for_stateless(t, now);
    return true;
  }
  if (refused && options_.upstream.transport != bridge_transport::http_only &&
      !std::exchange(tried_legacy_, true)) {
    let_go(t, now);
    t.at = state::elsewhere;
    open_legacy_stream(now);
    return true;
  }
  return false;
}

// Its exchange has said all that counts; what still comes of it is about nobody.
void conversation::let_go(transit& t, milliseconds now) {
  auto* x = find_exchange(t.call);
  if (x == nullptr || x->serial != t.serial) return;
  x->serial = 0;
  x->linger_until = now + milliseconds(5'000);
  wake(x->linger_until);
}

void conversation::probe_for_stateless(transit& t, milliseconds now) {
  let_go(t, now);
  t.at = state::elsewhere;
  auto& probe = add_own(purpose::opening, make_request(next_id(), "server/discover", ""), now);
  probe.by = route::to_stateless;
  probe.unattended = t.unattended;
  probe.body = std::make_shared<const std::string>(with_request_meta(*probe.line, probe.facts, profile_));
  post(probe, now);
}

void conversation::opening_failed(transit& t, const bridge_failure& failure, milliseconds now) {
  if (t.facts.method == "server/discover" && t.why == purpose::opening) {
    // Only the probe; what was asked first counts.
    auto* asking = find(opening_);
    finish(t, now);
    if (asking == nullptr) return;
    auto answer = std::exchange(held_answer_, {});
    if (auto facts = scan_message(answer); !answer.empty() && facts) {
      return opened(*asking, std::move(answer), *facts, now);
    }
    return opening_failed(*asking, first_failure_.value_or(failure), now);
  }
  if (try_other_transport(t, failure, 0, now)) return;
  auto counts = first_failure_.value_or(failure);
  forget_attempts();
  if (counts.hint.empty()) counts.hint = transport_hint(counts);
  bool ours = t.client_id.empty();
  bool again = !initialized_result_.empty();
  bool for_nobody = t.unattended && counts.why.code == errc::sign_in_person_needed;
  if (for_nobody && somebody_waits()) {
    // By now there is somebody for whom a person may be asked.
    return finish(t, now);
  }
  if (ours) {
    // Everybody who waits for this session.
    if (again) counts.why = {errc::upstream_session_lost, failure_words(counts)};
    for (auto serial : std::exchange(queue_, {})) {
      if (auto* waiting = find(serial)) fail(*waiting, counts, now);
    }
  }
  if (server_ == era::sessions && !open_ && !again) server_ = era::unknown;
  fail(t, counts, now);
}

// What a setting has to do with it that server and bridge do not understand each other; "": nothing.
std::string conversation::transport_hint(const bridge_failure& failure) const {
  bool refused = failure.status >= 400 && failure.status < 500 && failure.status != 401 &&
                 failure.status != 403 && failure.status != 429;
  bool no_stream =
      (failure.status >= 200 && failure.status < 300) || failure.why.code == errc::upstream_no_answer;
  auto transport = options_.upstream.transport;
  if (transport == bridge_transport::http_only && refused)
    return "Check the path of the URL; or leave --transport http-only (UPSTREAM_TRANSPORT) away: servers of "
           "MCP "
           "2024-11-05 speak HTTP with SSE alone, and that is not tried with it.";
  if (transport == bridge_transport::sse_only && (refused || no_stream))
    return "Check the path of the URL; or leave --transport sse-only (UPSTREAM_TRANSPORT) away: servers of "
           "newer "
           "revisions do not speak HTTP with SSE, and nothing else is tried with it.";
  return "";
}

void conversation::forget_attempts() {
  first_failure_.reset();
  tried_legacy_ = tried_stateless_ = tried_http_ = false;
}

// Where a session was, the next one need not be.
void conversation::leave_place() {
  if (!moved_for_good_) moved_to_.clear();
}

// Whether somebody waits for the session that is being opened.
bool conversation::somebody_waits() {
  return std::any_of(queue_.begin(), queue_.end(), [this](auto serial) {
    auto* t = find(serial);
    return t != nullptr && !t->unattended;
  });
}

void conversation::reopen(milliseconds now) {
  if (opening_ != 0) return;
  open_ = false;
  session_.clear();
  initialized_sent_ = false;
  stream_.worked_here = stream_.session_doubted = false;
  // Its events were those of the session that is gone.
  stream_.last_event_id.clear();
  stream_.retry.reset();
  leave_place();
  abort_streams();
  auto facts = scan_message(initialize_);
  if (!facts) return;
  log(bridge_log_level::info, "opening a session at the server");
  auto& t = add_own(purpose::opening, with_id(initialize_, *facts, next_id()), now);
  t.unattended = !somebody_waits();
  opening_ = t.serial;
  bool by_events = options_.upstream.transport == bridge_transport::sse_only;
  tried_legacy_ = tried_legacy_ || by_events;
  if (!legacy_transport_ && !by_events) return post(t, now);
  t.at = state::elsewhere;
  drop_legacy_stream();
  open_legacy_stream(now);
}

// The server does not know the session any more, so it has not done what it was asked for: a new session, and
// once more.
bool conversation::session_lost(exchange& x, transit& t, milliseconds now) {
  if (initialize_.empty() || std::exchange(t.session_repeated, true)) return false;
  auto old = x.session;
  t.target.clear();
  x.serial = 0;
  drop_exchange(x.id, false);
  if (t.why == purpose::client_response || t.why == purpose::cancel || t.why == purpose::quiet) {
    finish(t, now);
    return true;
  }
  if (old == session_ && opening_ == 0) {
    log(bridge_log_level::info, "the server forgot its session");
    t.at = state::queued;
    queue_.push_front(t.serial);
    reopen(now);
    return true;
  }
  dispatch(t, now);
  return true;
}

void conversation::initialized_done(milliseconds now) {
  gate_ = 0;
  stream_.wanted = true;
  open_server_stream(now);
  flush_queue(now);
  check_ended(now);
}

// ---- the stream for what the server says unasked

void conversation::open_server_stream(milliseconds now) {
  if (client_ended_ || removing_ || !options_.upstream.open_server_stream) return;
  if (server_ == era::stateless) return listen_for_client(now);
  if (server_ == era::sessions && legacy_transport_) {
    if (!open_) reopen(now);
    return;
  }
  if (server_ != era::sessions || !open_ || stream_.call != 0 || stream_.refused) return;
  if (stream_.again_at > now) return;
  if (stream_.session_doubted) {
    // Calls that are under way show what the session is worth, and another one could be their end.
    if (waiting() == 0) return reopen(now);
    stream_.again_at = now + pause_after(stream_.failures);
    return wake(stream_.again_at);
  }
  auto fields = session_fields(nullptr);
  if (!stream_.last_event_id.empty()) fields += "Last-Event-ID: " + stream_.last_event_id + "\r\n";
  auto& x = open_exchange(exchange::kind::server_stream, 0, now);
  stream_.call = x.id;
  stream_.opened_at = now;
  stream_.up = false;
  send(x, bridge_action::method::get, nullptr, std::move(fields), "", true);
}

void conversation::server_stream_ended(const std::string& why, int status, milliseconds wait,
                                       milliseconds now) {
  stream_.call = 0;
  if (client_ended_ || removing_) return;
  bool lived = std::exchange(stream_.up, false) && now - stream_.opened_at >= short_life;
  if (lived) stream_.reopened = 0;
  bool new_session = status == 404 && !stream_.worked_here;
  bool not_there = status == 405 || status == 501 || (!stream_.worked && (status == 404 || status == 400)) ||
                   (new_session && stream_.refused_new > 0);
  if (not_there) {
    stream_.refused = true;
    return log(bridge_log_level::info,
               "the server has no stream of its own (" + why + "): nothing comes from it unasked");
  }
  if (new_session) ++stream_.refused_new;
  if (status == 404 && !session_.empty() && opening_ == 0) {
    // Once at once, and then ever more slowly: there are servers that know the session and not its stream.
    if (stream_.reopened++ == 0 && waiting() == 0) {
      log(bridge_log_level::info, "the server forgot its session");
      return reopen(now);
    }
    stream_.session_doubted = true;
  }
  stream_.failures = lived ? 0 : stream_.failures + 1;
  auto pause = std::max(wait, stream_.retry.value_or(pause_after(stream_.failures)));
  pause = std::max(pause, shortest_pause);
  stream_.again_at = now + pause;
  wake(stream_.again_at);
  log(stream_.failures > 1 ? bridge_log_level::debug : bridge_log_level::info,
      "the server's stream: " + why + "; opened again in " + std::to_string(pause.count()) + " ms");
}

void conversation::abort_streams() {
  stream_.again_at = milliseconds(0);
  if (auto call = std::exchange(stream_.call, 0)) drop_exchange(call, true);
  if (auto* t = find(std::exchange(listen_, 0))) {
    auto call = t->call;
    transits_.erase(t->serial);
    drop_exchange(call, true);
  }
}

void conversation::drop_legacy_stream() {
  if (auto call = std::exchange(legacy_stream_, 0)) drop_exchange(call, true);
  endpoint_.clear();
}

// ---- HTTP with SSE (2024-11-05)

void conversation::open_legacy_stream(milliseconds now) {
  auto& x = open_exchange(exchange::kind::legacy_stream, 0, now);
  legacy_stream_ = x.id;
  send(x, bridge_action::method::get, nullptr, "", "", true);
}

void conversation::legacy_endpoint(std::string_view uri, milliseconds now) {
  std::string text(trim(uri));
  bridge_failure why;
  if (text.find("://") != std::string::npos || text.starts_with("//")) {
    auto to = url::parse(text.starts_with("//") ? origin_.substr(0, origin_.find(':') + 1) + text : text);
    if (!to || to->origin() != origin_) {
      why.why = {errc::upstream_redirect_refused, "the endpoint that the server names is elsewhere: " + text};
      if (auto call = std::exchange(legacy_stream_, 0)) drop_exchange(call, true);
      return legacy_stream_ended(why, now);
    }
    text = (to->path.empty() ? "/" : to->path) + (to->has_query ? "?" + to->query : "");
  } else if (text.starts_with('?')) {
    text = path_.substr(0, path_.find('?')) + text;
  } else if (!text.starts_with('/')) {
    auto folder = path_.substr(0, path_.find('?'));
    text = folder.substr(0, folder.rfind('/') + 1) + text;
  }
  if (!url::parse(origin_ + text)) {
    why.why = {errc::upstream_malformed, "the endpoint that the server names is no URL"};
    if (auto call = std::exchange(legacy_stream_, 0)) drop_exchange(call, true);
    return legacy_stream_ended(why, now);
  }
  endpoint_ = text.substr(0, text.find('#'));
  legacy_transport_ = true;
  if (auto* t = find(opening_); t != nullptr && t->at == state::elsewhere) post(*t, now);
}

void conversation::legacy_stream_ended(const bridge_failure& why, milliseconds now) {
  legacy_stream_ = 0;
  legacy_refusals_ = 0;
  endpoint_.clear();
  open_ = false;
  if (auto* t = find(opening_)) {
    bool never = !legacy_transport_;
    bool http_left = options_.upstream.transport == bridge_transport::sse_first && !tried_http_ && never;
    if (http_left) {
      tried_http_ = true;
      return post(*t, now);
    }
    legacy_transport_ = legacy_transport_ && !initialized_result_.empty();
    return opening_failed(*t, first_failure_ && never ? *first_failure_ : why, now);
  }
  // What was answered there is not answered any more; it may have been done, so it is not repeated.
  std::vector<std::uint64_t> lost;
  for (const auto& [serial, t] : transits_) {
    if (t->at == state::elsewhere || t->at == state::sent) lost.push_back(serial);
  }
  for (auto serial : lost) {
    if (auto* t = find(serial)) fail(*t, why, now);
  }
  if (client_ended_ || removing_) return check_ended(now);
  stream_.again_at = now + pause_after(stream_.failures++);
  wake(stream_.again_at);
}

// ---- while a person signs in

void conversation::on_waiting(std::string_view what, milliseconds now) {
  if (what == waiting_for_) return;
  bool anew = waiting_for_.empty();
  waiting_for_ = what;
  if (waiting_for_.empty()) {
    if (opening_ == 0 && server_ != era::unknown) announce_changes();
    return;
  }
  if (client_ended_) return on_stop(now);
  if (anew) waiting_since_ = now;
  wake(waiting_since_ + patience_of_opening);
  if (client_ != era::sessions) return;
  json::object params{{"level", "warning"}, {"logger", "mcp-oauth-proxy"}};
  params["data"] = json::string(waiting_for_);
  write_line(make_notification("notifications/message", json::serialize(params)));
}

void conversation::tell_waiting(milliseconds now) {
  if (waiting_for_.empty() || stopping_) return;
  wake(now + milliseconds(1'000));
  auto* first = find(opening_);
  if (first != nullptr && !first->client_id.empty() && !first->head_seen &&
      now - waiting_since_ >= patience_of_opening)
    answer_opening_ourselves(*first, now);
  std::vector<std::uint64_t> unanswered;
  for (const auto& [id, serial] : by_client_id_) unanswered.push_back(serial);
  for (auto serial : unanswered) {
    auto* t = find(serial);
    if (t == nullptr || t->head_seen || serial == opening_ || t->client_id.empty()) continue;
    auto waited = now - std::max(t->began, waiting_since_);
    auto list = empty_list_of(t->facts.method);
    auto call = t->call;
    if (!list.empty() && waited >= patience_of_list) {
      answer_client(*t, make_result(t->client_id, list));
      provisional_ = true;
      finish(*t, now);
      drop_exchange(call, true);
    } else if (!t->facts.progress_token.empty() && now - std::max(t->told_at, t->began) >= between_tellings) {
      t->told_at = now;
      write_line(make_notification("notifications/progress",
                                   "{\"progressToken\":" + t->facts.progress_token +
                                       ",\"progress\":" + std::to_string(waited.count() / 1000 + 1) +
                                       ",\"message\":" + in_quotes(waiting_for_) + '}'));
    } else if (t->facts.progress_token.empty() && waited >= patience_of_call) {
      bridge_failure why;
      why.why = {errc::sign_in_pending, waiting_for_};
      fail(*t, why, now);
      drop_exchange(call, true);
    }
  }
}

// Clients give up on initialize long before a person has signed in. So they hear that everything may change,
// and that it has as soon as the server was asked (decision 29).
void conversation::answer_opening_ourselves(transit& t, milliseconds now) {
  json::object changing{{"listChanged", true}};
  json::object capabilities{{"tools", changing}, {"resources", changing}, {"prompts", changing}};
  capabilities["logging"] = json::object();
  json::object info{{"name", "mcp-oauth-proxy bridge"}};
  info["version"] = json::string(options_.version.empty() ? "0" : options_.version);
  json::object result;
  result["capabilities"] = std::move(capabilities);
  result["serverInfo"] = std::move(info);
  result["instructions"] = json::string(waiting_for_);
  std::string text;
  if (t.facts.method == "initialize") {
    auto offered = parse_revision(offered_);
    bool known = offered && *offered < newest_revision;
    auto version = name(known ? *offered : revision::v2025_11_25);
    result["protocolVersion"] = json::string(version.data(), version.size());
    text = json::serialize(result);
  } else if (t.facts.method == "server/discover") {
    text = discover_result_of(result);
  } else {
    return;
  }
  log(bridge_log_level::info, t.facts.method + " is answered by the bridge: " + waiting_for_);
  answer_client(t, make_result(t.client_id, text));
  by_client_id_.erase(t.client_id);
  t.client_id.clear();
  provisional_ = true;
  touch(t, now);
}

}  // namespace mcp_oauth
