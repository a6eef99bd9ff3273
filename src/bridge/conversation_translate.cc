// Between a client and a server of different revisions: what one of them has and the other has in another
// way.

#include "bridge/conversation.h"
#include "mcp/revision.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr int most_rounds = 10;
constexpr std::size_t most_questions = 32, most_subscriptions = 64, most_resources = 256, most_parked = 64,
                      most_answering = 32;
constexpr std::string_view state_prefix = "mcp-oauth-proxy-";

const json::value* member_of(const json::value* of, std::string_view name) {
  return of != nullptr && of->is_object() ? of->as_object().if_contains(name) : nullptr;
}

bool is_true(const json::value* value) { return value != nullptr && value->is_bool() && value->as_bool(); }

// What a server may ask of a client in both kinds of revision.
bool is_question(std::string_view method) {
  return method == "elicitation/create" || method == "sampling/createMessage" || method == "roots/list";
}

bool may_be_asked_back(std::string_view method) {
  return method == "tools/call" || method == "prompts/get" || method == "resources/read";
}

}  // namespace

void conversation::answer_locally(transit& t, std::string_view raw_result, milliseconds now) {
  answer_client(t, make_result(t.client_id, raw_result));
  finish(t, now);
}

// `call` asked; 0: what a person says goes at once.
void conversation::answer_server(std::uint64_t call, std::string text, milliseconds now) {
  auto* x = find_exchange(call);
  if (x != nullptr && answering_ >= most_answering) {
    ++x->unanswered;
    unanswered_.emplace_back(call, std::move(text));
    return;
  }
  auto& t = add_own(purpose::client_response, std::move(text), now);
  t.by = route::to_sessions;
  t.counted = x != nullptr;
  if (t.counted) ++answering_;
  post(t, now);
}

// One of our answers has arrived, or never will.
void conversation::answer_more(milliseconds now) {
  --answering_;
  while (!unanswered_.empty() && answering_ < most_answering) {
    auto [call, text] = std::move(unanswered_.front());
    unanswered_.pop_front();
    auto* x = find_exchange(call);
    if (x == nullptr) continue;  // who asked is gone
    bool last = --x->unanswered == 0;
    answer_server(call, std::move(text), now);
    if (!last) continue;
    bridge_action action;
    action.kind = bridge_action::kind::resume;
    action.call = call;
    actions_.push_back(std::move(action));
  }
}

// ---- a client with sessions, a server without

bool conversation::to_stateless(transit& t, milliseconds now) {
  const auto& method = t.facts.method;
  if (t.facts.version_in_meta) return false;
  if (t.why == purpose::client_notification || t.why == purpose::client_response) {
    finish(t, now);  // there is nothing that this server would want to hear
    return true;
  }
  if (t.why == purpose::quiet) {
    finish(t, now);
    return true;
  }
  if (t.why == purpose::client_request) {
    if (method == "ping") {
      answer_locally(t, "{}", now);
      return true;
    }
    bool subscribe = method == "resources/subscribe";
    if (method == "logging/setLevel" || subscribe || method == "resources/unsubscribe") {
      auto tree = read_tree(*t.line);
      const auto* params = tree ? member_of(&*tree, "params") : nullptr;
      if (method == "logging/setLevel") {
        if (const auto* level = member_of(params, "level"); level != nullptr && level->is_string())
          profile_.log_level = std::string(level->as_string());
      } else {
        std::erase(watched_resources_, t.facts.name);
        if (subscribe && watched_resources_.size() < most_resources)
          watched_resources_.push_back(t.facts.name);
        abort_streams();
        listen_for_client(now);
      }
      answer_locally(t, "{}", now);
      return true;
    }
  }
  t.by = route::to_stateless;
  if (t.wire_id == t.facts.id)
    t.body = std::make_shared<const std::string>(with_request_meta(*t.line, t.facts, profile_));
  return false;
}

// The server wants to know something first: the client is asked as it knows it, and then the call is made
// again with the answers.
void conversation::take_input_required(transit& t, std::string_view text, milliseconds now) {
  bridge_failure failure;
  auto tree = read_tree(text);
  const auto* result = tree ? member_of(&*tree, "result") : nullptr;
  const auto* requests = member_of(result, "inputRequests");
  input_round round;
  if (const auto* given = member_of(result, "requestState")) round.state = *given;
  if (auto* x = find_exchange(t.call); x != nullptr && x->serial == t.serial) {
    x->serial = 0;
    x->linger_until = now + milliseconds(5'000);
    wake(x->linger_until);
  }
  if (++t.rounds > most_rounds || t.facts.params_at == 0) {
    failure.why = {errc::bridge_not_translatable, "the server asked more than 10 times for more input"};
    return fail(t, failure, now);
  }
  std::vector<std::pair<std::string, std::string>> questions;
  if (requests != nullptr && requests->is_object()) {
    for (const auto& [key, value] : requests->as_object()) {
      const auto* method = member_of(&value, "method");
      if (method == nullptr || !method->is_string() || questions.size() == most_questions) continue;
      const auto* params = member_of(&value, "params");
      auto id = next_id();
      questions.emplace_back(id, make_request(id, std::string_view(method->as_string()),
                                              params != nullptr ? json::serialize(*params) : std::string()));
      asked_[id] = {t.serial, std::string(key)};
    }
  }
  round.missing = questions.size();
  t.at = state::parked;
  t.endless = true;  // a person may think as long as it takes
  bool none = questions.empty();
  rounds_[t.serial] = std::move(round);
  for (const auto& [id, line] : questions) write_line(line);
  if (none) {
    asked_["\"\""] = {t.serial, ""};
    message_facts nothing;
    nothing.kind = message_facts::kind::unknown;
    take_input("\"\"", "", nothing, now);
  }
}

// Whether that was the answer to a question of `take_input_required`.
bool conversation::take_input(std::string_view raw_id, std::string_view text, const message_facts& facts,
                              milliseconds now) {
  auto at =
      std::find_if(asked_.begin(), asked_.end(), [&](const auto& one) { return same_id(one.first, raw_id); });
  if (at == asked_.end()) return false;
  auto [serial, key] = at->second;
  asked_.erase(at);
  auto* t = find(serial);
  auto found = rounds_.find(serial);
  if (t == nullptr || found == rounds_.end()) return true;
  auto& round = found->second;
  if (facts.kind == message_facts::kind::response) {
    auto tree = read_tree(text);
    if (facts.is_error) {
      // The client cannot say; its words are the end of the call.
      const auto* error = tree ? member_of(&*tree, "error") : nullptr;
      write_line(R"({"jsonrpc":"2.0","id":)" + t->client_id + R"(,"error":)" +
                 (error != nullptr ? json::serialize(*error) : std::string("{}")) + '}');
      finish(*t, now);
      return true;
    }
    const auto* result = tree ? member_of(&*tree, "result") : nullptr;
    if (result != nullptr) round.responses[key] = *result;
    if (--round.missing > 0) return true;
  }
  t->wire_id = next_id();
  auto again = with_id(*t->line, t->facts, t->wire_id);
  auto about = scan_message(again);
  if (about) again = with_input(again, *about, round.responses, round.state ? &*round.state : nullptr);
  about = scan_message(again);
  if (about) again = with_request_meta(again, *about, profile_);
  t->body = std::make_shared<const std::string>(std::move(again));
  t->endless = false;
  rounds_.erase(found);
  post(*t, now);
  return true;
}

void conversation::listen_for_client(milliseconds now) {
  if (listen_ != 0 || client_ended_ || removing_ || client_ != era::sessions || server_ != era::stateless)
    return;
  if (!options_.upstream.open_server_stream || stream_.refused || stream_.again_at > now) return;
  json::object wanted;
  const auto* capabilities = discovered_.if_contains("capabilities");
  if (is_true(member_of(member_of(capabilities, "tools"), "listChanged"))) wanted["toolsListChanged"] = true;
  if (is_true(member_of(member_of(capabilities, "prompts"), "listChanged")))
    wanted["promptsListChanged"] = true;
  const auto* resources = member_of(capabilities, "resources");
  if (is_true(member_of(resources, "listChanged"))) wanted["resourcesListChanged"] = true;
  if (!watched_resources_.empty()) {
    json::array uris;
    for (const auto& uri : watched_resources_) uris.emplace_back(json::string(uri));
    wanted["resourceSubscriptions"] = std::move(uris);
  }
  if (wanted.empty()) return;
  json::object params;
  params["notifications"] = std::move(wanted);
  auto& t =
      add_own(purpose::listen, make_request(next_id(), "subscriptions/listen", json::serialize(params)), now);
  t.endless = true;
  t.by = route::to_stateless;
  t.body = std::make_shared<const std::string>(with_request_meta(*t.line, t.facts, profile_));
  listen_ = t.serial;
  post(t, now);
}

// ---- a client without sessions, a server with them

bool conversation::to_sessions(transit& t, milliseconds now) {
  const auto& method = t.facts.method;
  if (t.why == purpose::client_request) {
    if (method == "server/discover") {
      answer_locally(t, discover_result_of(initialized_result_), now);
      return true;
    }
    if (method == "subscriptions/listen") {
      if (subscriptions_.size() >= most_subscriptions) {
        bridge_failure why;
        why.why = {errc::bridge_not_translatable, "more than 64 subscriptions"};
        fail(t, why, now);
        return true;
      }
      auto tree = read_tree(*t.line);
      const auto* filter = tree ? member_of(member_of(&*tree, "params"), "notifications") : nullptr;
      subscription s;
      s.raw_id = t.client_id;
      s.tools = is_true(member_of(filter, "toolsListChanged"));
      s.prompts = is_true(member_of(filter, "promptsListChanged"));
      s.resources = is_true(member_of(filter, "resourcesListChanged"));
      if (const auto* uris = member_of(filter, "resourceSubscriptions");
          uris != nullptr && uris->is_array()) {
        for (const auto& uri : uris->as_array()) {
          if (!uri.is_string() || s.uris.size() == most_resources) continue;
          s.uris.emplace_back(uri.as_string());
          json::object params;
          params["uri"] = uri;
          post(add_own(purpose::quiet,
                       make_request(next_id(), "resources/subscribe", json::serialize(params)), now),
               now);
        }
      }
      std::string acknowledged =
          R"({"_meta":{"io.modelcontextprotocol/subscriptionId":)" + t.client_id + R"(},"notifications":)";
      acknowledged += filter != nullptr ? json::serialize(*filter) : std::string("{}");
      write_line(make_notification("notifications/subscriptions/acknowledged", acknowledged + '}'));
      subscriptions_.push_back(std::move(s));
      t.at = state::parked;
      t.endless = true;
      return true;
    }
    if (t.facts.request_state.starts_with(state_prefix)) {
      unpark(t, now);
      return true;
    }
  }
  t.by = route::to_sessions;
  if (t.why == purpose::client_request || t.why == purpose::client_notification)
    t.body = std::make_shared<const std::string>(without_request_meta(*t.line, t.facts));
  return false;
}

// A question of the server in the middle of a call: the call ends for the client with the question, and goes
// on under the id of the call with the answer.
bool conversation::park(exchange& x, std::string_view text, const message_facts& facts, milliseconds now) {
  if (facts.method == "ping") {
    answer_server(x.id, make_result(facts.id, "{}"), now);
    return true;
  }
  if (!is_question(facts.method)) return false;
  auto* t = find(x.serial);
  if (t == nullptr) {
    // On the stream of its own it says not for which call; where there is one only, for that.
    for (auto& [serial, other] : transits_) {
      if (other->why != purpose::client_request || !may_be_asked_back(other->facts.method)) continue;
      if (t != nullptr) return false;
      t = other.get();
    }
  }
  if (t == nullptr || !may_be_asked_back(t->facts.method)) return false;
  for (auto& [token, waiting] : parked_) {
    if (waiting.serial != t->serial) continue;
    if (waiting.questions.size() >= most_questions) return false;
    waiting.questions.push_back({facts.id, std::string(text)});
    return true;
  }
  auto serial = t->serial;
  if (parked_.size() >= most_parked) forget_oldest_parked(now);
  t = find(serial);
  if (t == nullptr) return false;
  auto token = std::string(state_prefix) + options_.instance + '-' + std::to_string(++last_own_id_);
  parked_[token] = {serial, {{facts.id, std::string(text)}}, {}};
  ask_client(*t, token);
  return true;
}

// Nobody says that a question will never be answered, so the number of calls that wait for one is bounded.
void conversation::forget_oldest_parked(milliseconds now) {
  auto oldest = std::min_element(parked_.begin(), parked_.end(), [](const auto& a, const auto& b) {
    return a.second.serial < b.second.serial;
  });
  if (oldest == parked_.end()) return;
  auto* t = find(oldest->second.serial);
  parked_.erase(oldest);
  if (t == nullptr) return;
  auto call = t->call;
  auto over = make_notification("notifications/cancelled", "{\"requestId\":" + t->wire_id + "}");
  finish(*t, now);
  drop_exchange(call, true);
  post(add_own(purpose::cancel, std::move(over), now), now);
}

void conversation::ask_client(transit& t, const std::string& token) {
  auto tree = read_tree(parked_[token].questions.front().text);
  json::object question;
  if (const auto* method = tree ? member_of(&*tree, "method") : nullptr) question["method"] = *method;
  if (const auto* params = tree ? member_of(&*tree, "params") : nullptr) question["params"] = *params;
  json::object requests;
  requests["1"] = std::move(question);
  json::object result{{"resultType", "input_required"}};
  result["inputRequests"] = std::move(requests);
  result["requestState"] = json::string(token);
  answer_client(t, make_result(t.client_id, json::serialize(result)));
  by_client_id_.erase(t.client_id);
  t.client_id.clear();
  t.at = state::parked;
  t.endless = true;  // a person may think as long as it takes
}

void conversation::unpark(transit& t, milliseconds now) {
  auto at = parked_.find(t.facts.request_state);
  auto* call = at != parked_.end() ? find(at->second.serial) : nullptr;
  if (call == nullptr) {
    // What was agreed to is a call that has ended. It may have been done, so it is not made once more.
    bridge_failure over;
    over.why = {errc::body_malformed, "the call that this requestState belongs to has ended"};
    return fail(t, over, now);
  }
  auto token = at->first;
  // From here on the call answers to the id of this request.
  auto client_id = t.client_id;
  auto line = t.line;
  transits_.erase(t.serial);
  by_client_id_[client_id] = call->serial;
  call->client_id = client_id;
  call->at = state::sent;
  call->endless = false;
  touch(*call, now);
  auto tree = read_tree(*line);
  const auto* response =
      tree ? member_of(member_of(member_of(&*tree, "params"), "inputResponses"), "1") : nullptr;
  auto& waiting = at->second;
  if (response == nullptr && waiting.answer.empty()) {
    return ask_client(*call, token);
  }
  auto question = waiting.questions.front().raw_id;
  waiting.questions.pop_front();
  if (!waiting.answer.empty()) {
    auto text = std::move(waiting.answer);
    parked_.erase(at);
    if (auto facts = scan_message(text)) pass_answer(*call, std::move(text), *facts, now);
    return;
  }
  bool more = !waiting.questions.empty();
  if (!more) parked_.erase(at);
  auto serial = call->serial;
  answer_server(0, make_result(question, json::serialize(*response)), now);
  call = find(serial);
  if (more && call != nullptr) ask_client(*call, token);
}

// A change, to every subscription that asked for its kind.
void conversation::notify_subscriptions(std::string_view text, const message_facts& facts) {
  std::string uri;
  if (facts.method == "notifications/resources/updated") {
    auto tree = read_tree(text);
    const auto* named = tree ? member_of(member_of(&*tree, "params"), "uri") : nullptr;
    if (named != nullptr && named->is_string()) uri = std::string(named->as_string());
  }
  for (const auto& s : subscriptions_) {
    bool wanted = (facts.method == "notifications/tools/list_changed" && s.tools) ||
                  (facts.method == "notifications/prompts/list_changed" && s.prompts) ||
                  (facts.method == "notifications/resources/list_changed" && s.resources) ||
                  (!uri.empty() && std::find(s.uris.begin(), s.uris.end(), uri) != s.uris.end());
    if (!wanted) continue;
    write_line(with_meta_members(text, facts, R"("io.modelcontextprotocol/subscriptionId":)" + s.raw_id));
  }
}

}  // namespace mcp_oauth
