// The messages in the server's answers, and where they go.

#include "bridge/conversation.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::size_t most_held_lines = 4 * 1024 * 1024;

}  // namespace

bool conversation::may_read(std::uint64_t call) const {
  auto at = exchanges_.find(call);
  if (at != exchanges_.end() && at->second->unanswered > 0) return false;
  if (line_owner_ == 0 || line_owner_ == call) return true;
  if (at != exchanges_.end() && !at->second->blocked.empty()) return false;
  return held_lines_.size() < most_held_lines;
}

void conversation::take_parts(std::uint64_t call, std::vector<answer_part> parts, milliseconds now) {
  for (auto& part : parts) {
    auto* x = find_exchange(call);
    if (x == nullptr) return;
    using kind = enum answer_part::kind;
    if (auto* t = find(x->serial); t != nullptr && (part.kind == kind::message || part.kind == kind::begin))
      t->heard_at = now;
    if (!x->blocked.empty()) {
      x->blocked.push_back(std::move(part));
      continue;
    }
    switch (part.kind) {
      case kind::message: route_server(*x, std::move(part.text), part.facts, now); break;
      case kind::event:
        if (part.type == "endpoint" && x->kind == exchange::kind::legacy_stream)
          legacy_endpoint(part.text, now);
        break;
      case kind::unclear:
        log(bridge_log_level::warn, "an event of the server is no JSON: " + part.text);
        if (auto* t = find(x->serial)) t->unclear = part.text;
        break;
      default: take_flow(*x, part, now); break;
    }
  }
}

// Part of a message that is too large to be held.
void conversation::take_flow(exchange& x, answer_part& part, milliseconds now) {
  using kind = enum answer_part::kind;
  if (part.kind == kind::begin) {
    if (line_owner_ != 0) {
      x.blocked.push_back(std::move(part));
      line_waiters_.push_back(x.id);
      return;
    }
    auto* t = find(x.serial);
    bool shared = x.kind == exchange::kind::server_stream || x.kind == exchange::kind::legacy_stream;
    if (t == nullptr && shared && part.facts.method.empty()) t = find_wire(part.facts.id);
    bool for_nobody = t == nullptr && (!shared || !part.facts.id.empty()) && part.facts.method.empty();
    if (for_nobody) return;  // cancelled, or answered already
    line_owner_ = x.id;
    x.flow_serial = t != nullptr ? t->serial : 0;
    auto text = std::move(part.text);
    output_ += text;
    return;
  }
  if (line_owner_ != x.id) return;
  if (part.kind == kind::broken) return break_flow(x, part.text, now);
  output_ += part.text;
  if (part.kind != kind::end) return;
  auto facts = std::move(part.facts);
  auto* t = find(x.flow_serial);
  if (t == nullptr && facts.kind == message_facts::kind::response) t = find_wire(facts.id);
  auto serial = t != nullptr ? t->serial : 0;
  end_flow(x, now);
  t = find(serial);
  if (t == nullptr) return;
  bool its_own = facts.kind == message_facts::kind::response && same_id(facts.id, t->wire_id);
  if (its_own || (facts.kind == message_facts::kind::batch && t->why == purpose::client_batch))
    finish(*t, now);
}

void conversation::end_flow(exchange& x, milliseconds now) {
  output_ += '\n';
  line_owner_ = 0;
  x.flow_serial = 0;
  output_ += std::exchange(held_lines_, {});
  while (line_owner_ == 0 && !line_waiters_.empty()) {
    auto next = line_waiters_.front();
    line_waiters_.pop_front();
    auto* y = find_exchange(next);
    if (y == nullptr) continue;
    take_parts(next, std::exchange(y->blocked, {}), now);
    y = find_exchange(next);
    if (y != nullptr && y->ended && y->blocked.empty() && line_owner_ != next) {
      end_of_body(*y, "its answer ended", now);
      continue;
    }
    bridge_action action;
    action.kind = bridge_action::kind::resume;
    action.call = next;
    actions_.push_back(std::move(action));
  }
  if (line_owner_ == 0) return;
  bridge_action action;
  action.kind = bridge_action::kind::resume;
  action.call = line_owner_;
  actions_.push_back(std::move(action));
}

// The line that is out in part becomes one that no reader takes for a message; the error follows it.
void conversation::break_flow(exchange& x, const std::string& why, milliseconds now) {
  auto id = x.id;
  if (line_owner_ != id) {
    x.blocked.clear();
    std::erase(line_waiters_, id);
  }
  auto* t = find(line_owner_ == id ? x.flow_serial : x.serial);
  if (t != nullptr) {
    bridge_failure failure;
    failure.why = {errc::upstream_no_answer, "the answer broke off in the middle: " + why};
    failure.status = x.status;
    x.serial = 0;
    fail(*t, failure, now);
  }
  // With that request the session may have ended, and this exchange with it.
  if (line_owner_ != id) return;
  if (auto* still = find_exchange(id)) end_flow(*still, now);
}

void conversation::route_server(exchange& x, std::string text, const message_facts& facts, milliseconds now) {
  using kind = enum message_facts::kind;
  if (facts.kind == kind::batch) {
    auto* t = find(x.serial);
    if (t != nullptr && t->why == purpose::client_batch) {
      // An array for an array.
      bool clean = true;
      std::vector<std::string> left = t->batch_ids;
      for (const auto& place : facts.items) {
        auto item = std::string_view(text).substr(place.at, place.size);
        auto about = scan_message(item);
        if (!about) continue;
        std::erase_if(left, [&](const auto& id) { return same_id(id, about->id); });
        clean = clean && !(about->is_error && error_without_secrets(item, about->id));
      }
      if (clean && left.empty()) {
        write_line(text);
        return finish(*t, now);
      }
    }
    auto call = x.id;
    for (const auto& place : facts.items) {
      auto item = text.substr(place.at, place.size);
      auto about = scan_message(item);
      auto* y = find_exchange(call);
      if (about && y != nullptr && about->kind != kind::batch) route_server(*y, std::move(item), *about, now);
    }
    return;
  }
  if (facts.kind == kind::response) return take_answer(x, std::move(text), facts, now);
  auto* t = find(x.serial);
  if (facts.kind == kind::request) {
    if (client_ == era::stateless) {
      if (!park(x, text, facts, now)) {
        bridge_failure why;
        why.why = {errc::bridge_not_translatable, facts.method + " outside of a call"};
        answer_server(x.id, failure_answer(options_.program, facts.id, why, options_.here), now);
      }
      return;
    }
    return write_line(text);
  }
  if (facts.kind != kind::notification) {
    return log(bridge_log_level::warn, "the server said something that is no message: dropped");
  }
  if (facts.method == "notifications/progress" &&
      (t == nullptr || t->facts.progress_token != facts.progress_token)) {
    for (auto& [serial, other] : transits_) {
      if (!facts.progress_token.empty() && same_id(other->facts.progress_token, facts.progress_token))
        touch(*other, now);
    }
  }
  bool listening = t != nullptr && t->why == purpose::listen;
  if (listening && facts.method == "notifications/subscriptions/acknowledged") return;
  if (client_ == era::stateless && server_ == era::sessions &&
      facts.method.find("changed") != std::string::npos)
    return notify_subscriptions(text, facts);
  if (client_ == era::stateless && facts.method == "notifications/resources/updated" &&
      server_ == era::sessions)
    return notify_subscriptions(text, facts);
  write_line(text);
}

// An answer with the same error, where that repeats a secret. Looked at as JSON writes it, not as the server
// did: it may have escaped what it repeats.
std::optional<std::string> conversation::error_without_secrets(std::string_view answer,
                                                               std::string_view raw_id) {
  auto tree = options_.without_secrets ? read_tree(answer) : std::nullopt;
  if (!tree || !tree->is_object() || !tree->as_object().contains("error")) return std::nullopt;
  auto said = json::serialize(tree->as_object()["error"]);
  auto safe = options_.without_secrets(said);
  if (safe == said) return std::nullopt;
  if (read_tree(safe)) return R"({"jsonrpc":"2.0","id":)" + std::string(raw_id) + R"(,"error":)" + safe + '}';
  bridge_failure failure;
  failure.why = {errc::upstream_malformed, "its error repeats a secret where no text stands"};
  log(bridge_log_level::warn, "an error of the server is not passed: " + failure_words(failure));
  return failure_answer(options_.program, raw_id, failure, options_.here);
}

void conversation::take_answer(exchange& x, std::string text, const message_facts& facts, milliseconds now) {
  auto* t = find(x.serial);
  bool its_own = t != nullptr && (same_id(facts.id, t->wire_id) ||
                                  (facts.id.empty() && facts.is_error && t->batch_ids.empty()));
  if (!its_own && t != nullptr) {
    for (const auto& id : t->batch_ids) its_own = its_own || same_id(id, facts.id);
  }
  if (!its_own) {
    auto* other = find_wire(facts.id);
    if (other == nullptr || other->at == state::queued) {
      return log(bridge_log_level::debug, "a response that nobody waits for: dropped");
    }
    t = other;
  }
  bool nameless = facts.id.empty() && t->why != purpose::client_batch;
  auto safe = facts.is_error ? error_without_secrets(text, nameless ? t->wire_id : facts.id) : std::nullopt;
  if (!nameless && !safe && facts.has_version) return pass_answer(*t, std::move(text), facts, now);
  // An error that names nobody is about the only request of its exchange; and a response that forgot to say
  // that it is one of JSON-RPC 2.0 is none to most clients.
  if (safe) {
    text = std::move(*safe);
  } else if (auto tree = nameless ? read_tree(text) : std::nullopt;
             tree && tree->as_object().contains("error")) {
    text = R"({"jsonrpc":"2.0","id":)" + t->wire_id + R"(,"error":)" +
           json::serialize(tree->as_object()["error"]) + '}';
  } else {
    text = with_members(text, text.find('{') + 1, facts.message_empty, R"("jsonrpc":"2.0")");
  }
  if (auto again = scan_message(text)) pass_answer(*t, std::move(text), *again, now);
}

void conversation::pass_answer(transit& t, std::string text, const message_facts& facts, milliseconds now) {
  if (t.why == purpose::client_batch) {
    auto id = std::find_if(t.batch_ids.begin(), t.batch_ids.end(),
                           [&](const auto& one) { return same_id(one, facts.id); });
    if (id == t.batch_ids.end()) return;
    by_client_id_.erase(*id);
    t.batch_ids.erase(id);
    write_line(text);
    if (t.batch_ids.empty()) finish(t, now);
    return;
  }
  if (t.why == purpose::opening || t.facts.method == "initialize" ||
      (opening_ == t.serial && t.why == purpose::client_request)) {
    return opened(t, std::move(text), facts, now);
  }
  if (t.why == purpose::list_tools) {
    if (auto learned = tools_.learn(text, options_.upstream.ignored_tools)) {
      for (const auto& one : learned->dropped) log(bridge_log_level::warn, "tool left out: " + one);
    }
    relisting_for_ = 0;
    finish(t, now);
    std::vector<std::uint64_t> again;
    for (const auto& [serial, other] : transits_) {
      if (other->headers_repeated && other->at == state::elsewhere) again.push_back(serial);
    }
    for (auto serial : again) {
      if (auto* other = find(serial)) post(*other, now);
    }
    return;
  }
  if (t.why == purpose::listen) {
    log(bridge_log_level::debug, "the server ended the subscription");
    stream_.refused = stream_.refused || facts.is_error;
    return finish(t, now);
  }
  if (t.client_id.empty()) {
    for (auto& [state_of_it, waiting] : parked_) {
      if (waiting.serial != t.serial) continue;
      waiting.answer = std::move(text);  // until the client asks for it
      return;
    }
    return finish(t, now);
  }
  bool listed = t.facts.method == "tools/list" && !facts.is_error;
  if (listed && (server_ == era::stateless || !options_.upstream.ignored_tools.empty())) {
    if (auto learned = tools_.learn(text, options_.upstream.ignored_tools)) {
      for (const auto& one : learned->dropped) log(bridge_log_level::warn, "tool left out: " + one);
      text = std::move(learned->text);
    }
  }
  if (t.by == route::to_stateless && facts.result_type == "input_required")
    return take_input_required(t, text, now);
  if (t.by == route::to_sessions && !facts.is_error && facts.result_at > 0 && facts.result_type.empty() &&
      text.size() > facts.result_at) {
    auto about = scan_message(text);
    if (about)
      text = with_members(text, about->result_at, about->result_empty, result_members_for(t.facts.method));
  }
  if (t.wire_id != t.client_id) {
    auto about = scan_message(text);
    if (about && about->id_place.size > 0) text = with_id(text, *about, t.client_id);
  }
  answer_client(t, text);
  finish(t, now);
}

}  // namespace mcp_oauth
