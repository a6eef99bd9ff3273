#pragma once

// For tests: a conversation, and what it wants from its surroundings.

#include "base/json.h"
#include "bridge/conversation.h"

#include <algorithm>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace mcp_oauth {

class talk {
 public:
  explicit talk(bridge_upstream_settings upstream = {}) : talk(options(std::move(upstream))) {}
  explicit talk(conversation_options made) : talk_(std::move(made), now) {}

  static conversation_options options(bridge_upstream_settings upstream) {
    conversation_options made;
    made.version = "1";
    if (upstream.url.empty()) upstream.url = "https://mcp.example.com/mcp";
    made.upstream = std::move(upstream);
    return made;
  }

  conversation& operator*() { return talk_; }

  // ---- the client
  void line(std::string text) {
    talk_.on_line(std::move(text), now);
    collect();
  }
  // What the client was told since the last call.
  std::vector<std::string> told() {
    std::vector<std::string> lines;
    std::string_view rest = written_;
    while (!rest.empty()) {
      auto end = rest.find('\n');
      lines.emplace_back(rest.substr(0, end));
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    written_.clear();
    return lines;
  }
  std::string told_one() {
    auto lines = told();
    EXPECT_EQ(lines.size(), 1U);
    return lines.empty() ? "" : lines.front();
  }
  bool told_nothing() { return told().empty(); }
  std::size_t told_so_far() const { return written_.size(); }

  // ---- the server
  // The next request that was sent and not looked at yet.
  bridge_action next() {
    EXPECT_FALSE(sent_.empty()) << "nothing was sent";
    if (sent_.empty()) return {};
    auto first = std::move(sent_.front());
    sent_.erase(sent_.begin());
    return first;
  }
  bool sent_nothing() const { return sent_.empty(); }
  const std::vector<std::uint64_t>& aborted() const { return aborted_; }
  bool was_aborted(std::uint64_t call) const {
    return std::find(aborted_.begin(), aborted_.end(), call) != aborted_.end();
  }
  std::vector<bridge_action> renewals() { return std::exchange(renewals_, {}); }
  const std::string& logged() const { return logged_; }

  // Whether it is to go, now that there are a token and a connection for it (`sends_at_once` is false).
  bool sending(std::uint64_t call) { return talk_.on_sending(call, now); }
  conversation::reading head(std::uint64_t call, int status, std::string_view type = "",
                             std::string_view session = "") {
    upstream_head h;
    h.status = status;
    h.content_type = type;
    h.session_id = session;
    return head(call, h);
  }
  conversation::reading head(std::uint64_t call, const upstream_head& h) {
    auto how = talk_.on_head(call, h, now);
    collect();
    return how;
  }
  void body(std::uint64_t call, std::string_view piece) {
    talk_.on_body(call, piece, now);
    collect();
  }
  void end(std::uint64_t call) {
    talk_.on_end(call, now);
    collect();
  }
  void broken(std::uint64_t call, errc why, std::string detail = "") {
    talk_.on_failure(call, error{why, std::move(detail)}, now);
    collect();
  }
  void renewed(std::uint64_t call, const result<void>& token) {
    talk_.on_renewed(call, token, now);
    collect();
  }
  void answer(std::uint64_t call, int status, std::string_view type, std::string_view text,
              std::string_view session = "") {
    if (head(call, status, type, session) == conversation::reading::drain) return;
    body(call, text);
    end(call);
  }
  void json(std::uint64_t call, std::string_view text, std::string_view session = "") {
    answer(call, 200, "application/json", text, session);
  }
  void events(std::uint64_t call) { head(call, 200, "text/event-stream"); }

  void pass(milliseconds time) {
    auto until = now + time;
    while (talk_.wake_at() && *talk_.wake_at() <= until) {
      now = std::max(now, *talk_.wake_at());
      talk_.on_time(now);
      collect();
    }
    now = until;
  }
  void client_ends() {
    talk_.on_client_end(now);
    collect();
  }
  void stop() {
    talk_.on_stop(now);
    collect();
  }
  void waiting(std::string_view what) {
    talk_.on_waiting(what, now);
    collect();
  }

  // A session of that revision, with `initialized` delivered; the stream of its own is opened and left open.
  std::uint64_t open(std::string_view session = "s1", std::string_view version = "2025-06-18") {
    line(R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":")" +
         std::string(version) + R"(","capabilities":{},"clientInfo":{"name":"c","version":"1"}}})");
    json(next().call,
         R"({"jsonrpc":"2.0","id":0,"result":{"protocolVersion":")" + std::string(version) +
             R"(","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"s","version":"1"}}})",
         session);
    line(R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
    head(next().call, 202);
    auto stream = next();
    EXPECT_EQ(stream.method, bridge_action::method::get);
    events(stream.call);
    told();
    return stream.call;
  }

  milliseconds now{1'000};
  bool sends_at_once = true;  // whatever is to be sent, and not only when the test says so

 private:
  void collect() {
    bool any = talk_.has_actions();
    auto actions = talk_.take_actions();
    EXPECT_EQ(any, !actions.empty());
    EXPECT_FALSE(talk_.has_actions());
    for (auto& action : actions) {
      using kind = enum bridge_action::kind;
      switch (action.kind) {
        case kind::send:
          if (sends_at_once) sending(action.call);
          sent_.push_back(std::move(action));
          break;
        case kind::abort: aborted_.push_back(action.call); break;
        case kind::renew: renewals_.push_back(std::move(action)); break;
        case kind::resume: resumed.push_back(action.call); break;
        case kind::log: logged_ += action.text + "\n"; break;
      }
    }
    written_ += std::exchange(talk_.output(), {});
  }

  conversation talk_;
  std::vector<bridge_action> sent_, renewals_;
  std::vector<std::uint64_t> aborted_;
  std::string written_, logged_;

 public:
  std::vector<std::uint64_t> resumed;
};

inline json::object read_line(std::string_view line) {
  auto read = parse_json_object(line);
  EXPECT_TRUE(read) << line;
  return read ? *read : json::object();
}
inline std::int64_t code_in(std::string_view line) {
  auto read = read_line(line);
  const auto* error = read.if_contains("error");
  if (error == nullptr) return 0;
  return error->at("code").to_number<std::int64_t>();
}
inline std::string message_in(std::string_view line) {
  auto read = read_line(line);
  const auto* error = read.if_contains("error");
  if (error == nullptr) return "";
  return std::string(error->at("message").as_string());
}

}  // namespace mcp_oauth
