#include "bridge/conversation.h"

#include "base/text.h"
#include "base/url.h"
#include "mcp/error_body.h"
#include "mcp/revision.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

// A cancellation on a connection of its own could reach the server before what it cancels.
constexpr milliseconds head_start{100};
constexpr milliseconds removal_time{2'000}, removal_time_when_stopped{1'000};
constexpr std::size_t most_batch = 256;

// Revisions are dates, so that one of tomorrow is of this kind, too.
bool says_stateless(const message_facts& facts) {
  return facts.version_in_meta && facts.protocol_version >= name(revision::v2026_07_28);
}

}  // namespace

conversation::conversation(conversation_options options, milliseconds now)
    : options_(std::move(options)), started_(now) {
  if (auto where = url::parse(options_.upstream.url)) {
    origin_ = where->origin();
    path_ = where->path.empty() ? "/" : where->path;
    if (where->has_query) path_ += "?" + where->query;
  }
  if (options_.upstream.ping_interval.count() > 0) {
    ping_at_ = now + options_.upstream.ping_interval;
    wake(ping_at_);
  }
}

conversation::~conversation() = default;

void conversation::wake(milliseconds at) {
  if (!wake_ || at < *wake_) wake_ = at;
}

void conversation::log(bridge_log_level level, std::string text) {
  bridge_action action;
  action.kind = bridge_action::kind::log;
  action.level = level;
  action.text = std::move(text);
  actions_.push_back(std::move(action));
}

std::string conversation::next_id() { return "\"mcp-oauth-proxy-" + std::to_string(++last_own_id_) + '"'; }

conversation::transit* conversation::find(std::uint64_t serial) {
  auto at = transits_.find(serial);
  return at != transits_.end() ? at->second.get() : nullptr;
}

conversation::transit* conversation::find_client(std::string_view raw_id) {
  if (raw_id.empty()) return nullptr;
  if (auto at = by_client_id_.find(std::string(raw_id)); at != by_client_id_.end()) return find(at->second);
  for (const auto& [id, serial] : by_client_id_) {
    if (same_id(id, raw_id)) return find(serial);
  }
  return nullptr;
}

conversation::transit* conversation::find_wire(std::string_view raw_id) {
  if (raw_id.empty()) return nullptr;
  auto has = [](const transit& t, auto&& is_it) {
    return (!t.wire_id.empty() && is_it(t.wire_id)) ||
           std::any_of(t.batch_ids.begin(), t.batch_ids.end(), is_it);
  };
  for (auto& [serial, t] : transits_) {
    if (has(*t, [&](const auto& id) { return id == raw_id; })) return t.get();
  }
  for (auto& [serial, t] : transits_) {
    if (has(*t, [&](const auto& id) { return same_id(id, raw_id); })) return t.get();
  }
  return nullptr;
}

conversation::transit& conversation::add(purpose why, std::shared_ptr<const std::string> line,
                                         message_facts facts, milliseconds now) {
  auto made = std::make_unique<transit>();
  auto& t = *made;
  t.serial = ++last_serial_;
  t.why = why;
  t.body = t.line = std::move(line);
  t.facts = std::move(facts);
  // Without `initialized` nothing else goes on; clients ping by themselves.
  bool told = why == purpose::client_notification && t.facts.method != "notifications/initialized";
  t.unattended = told || t.facts.method == "ping" || why == purpose::cancel || why == purpose::listen ||
                 why == purpose::quiet;
  t.began = now;
  // The id of an answer is one of the server's, and may be that of a request of the client, too.
  if (t.facts.kind == message_facts::kind::request) t.wire_id = t.facts.id;
  touch(t, now);
  transits_.emplace(t.serial, std::move(made));
  return t;
}

conversation::transit& conversation::add_own(purpose why, std::string text, milliseconds now) {
  auto facts = scan_message(text);
  auto line = std::make_shared<const std::string>(std::move(text));
  return add(why, std::move(line), facts ? std::move(*facts) : message_facts(), now);
}

// ---- lines of the client

void conversation::on_line(std::string line, milliseconds now) {
  if (stopping_ || finished_) return;
  auto facts = scan_message(line);
  if (!facts) return refuse_client("", errc::body_not_json, facts.error().detail);
  std::replace(line.begin(), line.end(), '\r', ' ');
  auto text = std::make_shared<const std::string>(std::move(line));
  route_client(std::move(text), std::move(*facts), now);
}

void conversation::on_line_too_long(milliseconds) {
  refuse_client("", errc::body_too_large, "a line of standard input");
}

void conversation::route_client(std::shared_ptr<const std::string> line, message_facts facts,
                                milliseconds now) {
  using kind = enum message_facts::kind;
  switch (facts.kind) {
    case kind::request: return take_request(std::move(line), std::move(facts), now);
    case kind::notification: return take_notification(std::move(line), std::move(facts), now);
    case kind::response: return take_response(std::move(line), std::move(facts), now);
    case kind::batch: return take_batch(std::move(line), facts, now);
    case kind::unknown: break;
  }
  refuse_nonmessage(facts);
}

void conversation::refuse_nonmessage(const message_facts& facts) {
  refuse_client(facts.id, errc::body_malformed,
                facts.id_unusable ? "the id of a request is a number, or a string of up to 1024 bytes"
                                  : "neither a request nor a notification nor a response");
}

// What the server does not hear of; the client is told why.
bool conversation::refused_request(const message_facts& facts) {
  if (by_client_id_.contains(facts.id)) {
    refuse_client(facts.id, errc::body_malformed, "a request with this id is under way");
    return true;
  }
  if (facts.method != "tools/call") return false;
  for (const auto& pattern : options_.upstream.ignored_tools) {
    if (!matches_wildcard(pattern, facts.name)) continue;
    write_line(jsonrpc_error(facts.id, jsonrpc::internal_error,
                             options_.program + ": the tool " + facts.name + " is switched off here"));
    return true;
  }
  return false;
}

void conversation::take_request(std::shared_ptr<const std::string> line, message_facts facts,
                                milliseconds now) {
  if (refused_request(facts)) return;
  if (client_ == era::unknown || facts.method == "initialize" || says_stateless(facts)) {
    client_ = says_stateless(facts) ? era::stateless : era::sessions;
  }
  auto& t = add(purpose::client_request, std::move(line), std::move(facts), now);
  t.client_id = t.facts.id;
  by_client_id_.emplace(t.client_id, t.serial);
  if (t.facts.method == "subscriptions/listen") t.endless = true;
  dispatch(t, now);
}

void conversation::take_notification(std::shared_ptr<const std::string> line, message_facts facts,
                                     milliseconds now) {
  if (facts.method == "notifications/cancelled") {
    std::string id = facts.request_id;
    return cancel(id, std::move(line), std::move(facts), now);
  }
  bool initialized = facts.method == "notifications/initialized";
  dispatch(add(initialized ? purpose::initialized : purpose::client_notification, std::move(line),
               std::move(facts), now),
           now);
}

void conversation::take_response(std::shared_ptr<const std::string> line, message_facts facts,
                                 milliseconds now) {
  if (take_input(facts.id, *line, facts, now)) return;
  if (server_ == era::stateless) {
    return log(bridge_log_level::debug, "a response of the client to a question that nobody asked: dropped");
  }
  dispatch(add(purpose::client_response, std::move(line), std::move(facts), now), now);
}

void conversation::take_batch(std::shared_ptr<const std::string> line, const message_facts& facts,
                              milliseconds now) {
  if (facts.items.empty() || facts.items.size() > most_batch)
    return refuse_client("", errc::body_malformed, "a batch of none or too many messages");
  auto spoken = parse_revision(negotiated_);
  bool has_batches =
      spoken && mcp_oauth::has_batches(*spoken) && server_ == era::sessions && !legacy_transport_;
  std::vector<message_facts> items;
  for (const auto& place : facts.items) {
    auto item = scan_message(std::string_view(*line).substr(place.at, place.size));
    items.push_back(item ? std::move(*item) : message_facts());
  }
  if (!has_batches) {
    // One by one they mean the same; a revision that has no batches only lacks the form.
    if (negotiated_.empty() || (spoken && *spoken < revision::v2025_06_18)) {
      for (std::size_t i = 0; i < items.size(); ++i) {
        auto place = facts.items[i];
        auto text = std::make_shared<const std::string>(line->substr(place.at, place.size));
        route_client(std::move(text), std::move(items[i]), now);
      }
      return;
    }
    bool any = false;
    for (const auto& item : items) {
      if (item.kind != message_facts::kind::request) continue;
      any = true;
      refuse_client(item.id, errc::batch_refused, "revision " + negotiated_ + " has no batches");
    }
    if (!any) refuse_client("", errc::batch_refused, "revision " + negotiated_ + " has no batches");
    return;
  }
  // What is refused by itself is refused here, too: the rest goes on without it.
  auto& t = add(purpose::client_batch, line, message_facts(), now);
  std::string rest;
  std::size_t left = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    using kind = enum message_facts::kind;
    const auto& item = items[i];
    if (item.kind == kind::request) {
      if (refused_request(item)) continue;
      by_client_id_.emplace(item.id, t.serial);
      t.batch_ids.push_back(item.id);
    } else if (item.kind == kind::unknown || item.kind == kind::batch) {
      refuse_nonmessage(item);
      continue;
    }
    rest += rest.empty() ? '[' : ',';
    rest.append(*line, facts.items[i].at, facts.items[i].size);
    ++left;
  }
  if (left == 0) return finish(t, now);
  if (left < items.size()) t.body = t.line = std::make_shared<const std::string>(rest + ']');
  dispatch(t, now);
}

// ---- on the way up

void conversation::dispatch(transit& t, milliseconds now) {
  if (t.why == purpose::client_request && t.facts.method == "initialize") {
    if (opening_ == 0 || opening_ == t.serial) return begin_opening(t, now);
  }
  bool first = opening_ == t.serial;
  bool waits = (opening_ != 0 && !first) || (gate_ != 0 && gate_ != t.serial);
  // With events alone nothing is posted before their stream is open, whatever the client begins with.
  bool by_events = options_.upstream.transport == bridge_transport::sse_only && !open_;
  if (by_events && !waits && !first && t.why != purpose::cancel) {
    if (initialize_.empty()) {
      if (client_ == era::stateless) profile_ = profile_of_meta(*t.line);
      initialize_ = initialize_request(next_id(), profile_);
    }
    server_ = era::sessions;
  }
  if (!waits && (server_ == era::sessions || provisional_) && server_ != era::stateless && !open_ &&
      !initialize_.empty() && !first && t.why != purpose::cancel) {
    t.at = state::queued;
    queue_.push_back(t.serial);
    return reopen(now);
  }
  if (waits) {
    t.at = state::queued;
    queue_.push_back(t.serial);
    return;
  }
  if (t.why == purpose::initialized && (initialized_sent_ || server_ == era::stateless)) {
    if (server_ == era::stateless) listen_for_client(now);
    return finish(t, now);
  }
  if (client_ == era::stateless && server_ == era::sessions) {
    if (to_sessions(t, now)) return;
  } else if (client_ == era::sessions && server_ == era::stateless) {
    if (to_stateless(t, now)) return;
  } else if (client_ == era::stateless && server_ == era::unknown && opening_ == 0 &&
             t.why == purpose::client_request) {
    opening_ = t.serial;
  }
  if (t.why == purpose::initialized) {
    initialized_sent_ = true;
    gate_ = t.serial;
  }
  post(t, now);
}

void conversation::flush_queue(milliseconds now) {
  auto waiting = std::exchange(queue_, {});
  while (!waiting.empty()) {
    auto* t = find(waiting.front());
    waiting.pop_front();
    if (t != nullptr && t->at == state::queued) dispatch(*t, now);
  }
}

void conversation::cancel(std::string_view raw_id, std::shared_ptr<const std::string> line,
                          message_facts facts, milliseconds now) {
  for (auto at = subscriptions_.begin(); at != subscriptions_.end(); ++at) {
    if (!same_id(at->raw_id, raw_id)) continue;
    subscriptions_.erase(at);
    if (auto* t = find_client(raw_id)) finish(*t, now);
    return;
  }
  auto* t = find_client(raw_id);
  // Answered already, or never heard of. And initialize must not be cancelled.
  if (t == nullptr || t->facts.method == "initialize" || t->why == purpose::client_batch) return;
  bool sent = may_have_arrived(*t);
  bool tell = sent && server_ != era::stateless && client_ != era::stateless;
  auto wire_id = t->wire_id;
  auto sent_at = t->sent_at;
  bool parked_one = t->at == state::parked;
  auto call = t->call;
  by_client_id_.erase(t->client_id);
  t->client_id.clear();
  if (opening_ == t->serial) opening_ = 0;
  finish(*t, now);
  if (auto* x = find_exchange(call)) {
    if (x->flow_serial != 0 || line_owner_ == call) break_flow(*x, "cancelled", now);
    x = find_exchange(call);
    if (x != nullptr) x->serial = 0;
    if (x != nullptr && (tell || parked_one)) {
      // The server is told first; what it still says goes nowhere.
      x->linger_until = now + milliseconds(1'000);
      wake(x->linger_until);
    } else {
      drop_exchange(call, true);
    }
  }
  if (client_ == era::stateless && server_ == era::sessions && sent) {
    auto& told =
        add_own(purpose::cancel,
                make_notification("notifications/cancelled", "{\"requestId\":" + wire_id + "}"), now);
    told.again_at = std::max(now, sent_at + head_start);
    told.at = state::delayed;
    wake(told.again_at);
  } else if (tell) {
    auto& told = add(purpose::cancel, std::move(line), std::move(facts), now);
    if (sent_at + head_start > now) {
      told.at = state::delayed;
      told.again_at = sent_at + head_start;
      wake(told.again_at);
    } else {
      post(told, now);
    }
  }
  flush_queue(now);
}

// ---- on the way down

// One line at a time: while an answer is written in parts, others wait for its end.
void conversation::write_line(std::string_view text) {
  auto& to = line_owner_ != 0 ? held_lines_ : output_;
  to += text;
  to += '\n';
}

void conversation::answer_client(transit& t, std::string_view text) {
  if (!t.client_id.empty()) write_line(text);
}

void conversation::refuse_client(std::string_view raw_id, errc why, std::string detail) {
  bridge_failure failure;
  failure.why = {why, std::move(detail)};
  log(bridge_log_level::warn, "a message of the client is refused: " + failure_words(failure));
  write_line(failure_answer(options_.program, raw_id, failure, options_.here));
}

void conversation::fail(transit& t, const bridge_failure& failure, milliseconds now) {
  auto what = t.facts.method.empty() ? std::string("a message") : t.facts.method;
  log(t.client_id.empty() && t.batch_ids.empty() ? bridge_log_level::debug : bridge_log_level::warn,
      what + " failed: " + failure_words(failure));
  if (!t.client_id.empty()) write_line(failure_answer(options_.program, t.client_id, failure, options_.here));
  for (const auto& id : t.batch_ids) write_line(failure_answer(options_.program, id, failure, options_.here));
  if (t.serial == relisting_for_) relisting_for_ = 0;
  if (t.why == purpose::listen && failure.status >= 400 && failure.status < 500) stream_.refused = true;
  finish(t, now);
}

void conversation::finish(transit& t, milliseconds now) {
  auto serial = t.serial;
  if (!t.client_id.empty()) by_client_id_.erase(t.client_id);
  for (const auto& id : t.batch_ids) by_client_id_.erase(id);
  if (auto* x = find_exchange(t.call); x != nullptr && x->serial == serial) {
    x->serial = 0;
    // What comes behind the response is of no use; a server that ends its stream does so soon.
    x->linger_until = now + milliseconds(5'000);
    wake(x->linger_until);
  }
  rounds_.erase(serial);
  std::erase_if(asked_, [serial](const auto& one) { return one.second.serial == serial; });
  std::erase_if(parked_, [serial](const auto& one) { return one.second.serial == serial; });
  if (listen_ == serial) {
    listen_ = 0;
    if (!stream_.refused && !client_ended_) {
      // Opened again, slower and slower while it does not last.
      stream_.failures = now - t.began >= milliseconds(5'000) ? 0 : std::min(stream_.failures + 1, 7);
      stream_.again_at = now + milliseconds(500) * (1 << stream_.failures);
      wake(stream_.again_at);
    }
  }
  bool was_opening = opening_ == serial;
  if (was_opening) opening_ = 0;
  bool counted = t.counted;
  transits_.erase(serial);
  if (counted) answer_more(now);
  if (gate_ == serial) return initialized_done(now);
  if (was_opening) flush_queue(now);
  check_ended(now);
}

// ---- the end

void conversation::on_client_end(milliseconds now) {
  if (std::exchange(client_ended_, true)) return;
  abort_streams();
  // Nobody is there any more to sign in for.
  if (!waiting_for_.empty()) return on_stop(now);
  check_ended(now);
}

void conversation::check_ended(milliseconds now) {
  if (!client_ended_ || removing_) return;
  for (const auto& [serial, t] : transits_) {
    bool idle = t->why == purpose::quiet || t->why == purpose::listen ||
                (t->endless && t->why == purpose::client_request);
    if (!idle) return;
  }
  end_session(now);
}

void conversation::on_stop(milliseconds now) {
  if (std::exchange(stopping_, true)) return;
  client_ended_ = true;
  abort_streams();
  drop_legacy_stream();
  if (line_owner_ != 0) {
    if (auto* x = find_exchange(line_owner_)) break_flow(*x, "ending", now);
  }
  bridge_failure ending;
  ending.why = {errc::bridge_ending, waiting_for_.empty() ? "" : waiting_for_};
  for (const auto& [id, serial] : by_client_id_)
    write_line(failure_answer(options_.program, id, ending, options_.here));
  by_client_id_.clear();
  std::vector<std::uint64_t> open;
  for (const auto& [id, x] : exchanges_) open.push_back(id);
  for (auto id : open) drop_exchange(id, true);
  transits_.clear();
  queue_.clear();
  unanswered_.clear();
  answering_ = 0;
  gate_ = opening_ = listen_ = 0;
  end_session(now);
  end_by_ = std::min(end_by_, now + removal_time_when_stopped);
}

void conversation::end_session(milliseconds now) {
  if (std::exchange(removing_, true)) return;
  abort_streams();
  drop_legacy_stream();
  // Calls for which the client was asked something: it cannot say any more.
  for (const auto& [serial, t] : transits_) {
    if (t->client_id.empty() || t->facts.method == "subscriptions/listen") continue;
    bridge_failure ending;
    ending.why = {errc::bridge_ending, "the client closed its side before it answered"};
    write_line(failure_answer(options_.program, t->client_id, ending, options_.here));
    by_client_id_.erase(t->client_id);
    t->client_id.clear();
  }
  end_by_ = now + removal_time;
  if (session_.empty() || legacy_transport_) {
    finished_ = true;
    return;
  }
  auto& x = open_exchange(exchange::kind::remove, 0, now);
  send(x, bridge_action::method::remove, nullptr, session_fields(nullptr), "", true);
  wake(end_by_);
}

// ---- time

void conversation::on_time(milliseconds now) {
  wake_.reset();
  if (removing_ && now >= end_by_) finished_ = true;
  if (finished_) return;
  if (removing_) wake(end_by_);
  std::vector<std::uint64_t> due;
  for (const auto& [serial, t] : transits_) {
    bool pauses = t->at == state::delayed;
    auto at = pauses ? std::min(t->again_at, t->endless ? t->again_at : t->deadline) : t->deadline;
    if (!pauses && t->endless) continue;
    if (now >= at) {
      due.push_back(serial);
    } else {
      wake(at);
    }
  }
  for (auto serial : due) {
    auto* t = find(serial);
    if (t == nullptr) continue;
    if (t->at == state::delayed && now >= t->again_at) {
      t->at = state::sent;
      if (t->resuming) {
        resume(*t, now);
      } else {
        post(*t, now);
      }
      continue;
    }
    if (!waiting_for_.empty() && !t->head_seen) {
      touch(*t, now);
      continue;
    }
    bridge_failure late;
    late.why = {errc::upstream_timeout,
                std::to_string(options_.upstream.timeout.count()) + " ms without a word"};
    auto call = t->call;
    bool tell = may_have_arrived(*t) && server_ == era::sessions && !t->wire_id.empty() &&
                t->facts.method != "initialize" && t->why == purpose::client_request;
    auto wire_id = t->wire_id;
    if (auto* x = find_exchange(call); x != nullptr && (line_owner_ == call || !x->blocked.empty()))
      break_flow(*x, "timed out", now);
    t = find(serial);
    if (t != nullptr && decides(*t)) {
      opening_failed(*t, late, now);
    } else if (t != nullptr) {
      fail(*t, late, now);
    }
    drop_exchange(call, true);
    if (tell) {
      post(add_own(purpose::cancel,
                   make_notification("notifications/cancelled",
                                     "{\"requestId\":" + wire_id + R"(,"reason":"timed out"})"),
                   now),
           now);
    }
  }
  std::vector<std::uint64_t> lingering;
  for (const auto& [id, x] : exchanges_) {
    if (x->linger_until.count() == 0 || x->serial != 0) continue;
    if (now >= x->linger_until) {
      lingering.push_back(id);
    } else {
      wake(x->linger_until);
    }
  }
  for (auto id : lingering) drop_exchange(id, true);
  if (stream_.again_at.count() > 0) {
    if (now >= stream_.again_at) {
      stream_.again_at = milliseconds(0);
      open_server_stream(now);
    } else {
      wake(stream_.again_at);
    }
  }
  if (ping_at_.count() > 0 && !client_ended_) {
    if (now >= ping_at_) {
      ping_at_ = now + options_.upstream.ping_interval;
      if (open_ && gate_ == 0 && opening_ == 0)
        dispatch(add_own(purpose::quiet, make_request(next_id(), "ping", ""), now), now);
    }
    wake(ping_at_);
  }
  tell_waiting(now);
}

}  // namespace mcp_oauth
