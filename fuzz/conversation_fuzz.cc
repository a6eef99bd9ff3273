// rooms: bridge
#include "base/json.h"
#include "bridge/conversation.h"
#include "require.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// A client and a server that say whatever the input says: lines that begin with a letter are what happens.
//   > LINE     of the client            = STATUS TYPE   head of the answer to the oldest request under way
//   + BYTES    of its body              .               its end            ! it failed
//   ~ N        time passes (100 ms · N) * renewed       w text / W         somebody is waited for, or no more
//   @ N        takes the n-th request instead of the oldest   e  the client ends
namespace {

using namespace mcp_oauth;

class play {
 public:
  play() : talk_(options(), now_) {}

  void run(std::string_view script) {
    while (!script.empty() && steps_++ < 400) {
      auto end = script.find('\n');
      step(script.substr(0, end));
      script.remove_prefix(end == std::string_view::npos ? script.size() : end + 1);
      take();
    }
    talk_.on_stop(now_);
    take();
    for (const auto& [id, asked] : asked_) {
      auto answers = std::count(answered_.begin(), answered_.end(), id);
      require(answers <= asked);
      require(answers == asked || cancelled_.contains(id));
    }
    require(talk_.waiting() == 0);
  }

 private:
  static conversation_options options() {
    conversation_options made;
    made.upstream.url = "https://a.example/mcp";
    return made;
  }

  void step(std::string_view line) {
    if (line.empty()) return;
    auto rest = line.substr(std::min<std::size_t>(2, line.size()));
    auto number = [&] {
      return static_cast<std::int64_t>(rest.empty() ? 0 : static_cast<unsigned char>(rest[0]) % 64);
    };
    auto call = open_.empty() ? 0 : open_[at_ % open_.size()];
    switch (line[0]) {
      case '>': {
        if (ended_) break;
        note(rest);
        talk_.on_line(std::string(rest), now_);
        break;
      }
      case '=': {
        upstream_head head;
        auto blank = rest.find(' ');
        auto digits = rest.substr(0, blank);
        for (char c : digits.substr(0, 3))
          head.status = head.status * 10 + (c >= '0' && c <= '9' ? c - '0' : 0);
        head.status = std::clamp(head.status, 200, 599);
        if (blank != std::string_view::npos) head.content_type = rest.substr(blank + 1);
        head.session_id = "s";
        head.retry_after = "1";
        head.location = "/moved";
        head.challenges = "Bearer error=\"insufficient_scope\"";
        if (call == 0 || !headed_.insert(call).second) break;
        // Half of them go at once, the others as late as that.
        if (call % 2 == 1 && !talk_.on_sending(call, now_)) {
          forget(call, [&] { talk_.on_failure(call, {errc::client_gone, "x"}, now_); });
          break;
        }
        if (talk_.on_head(call, head, now_) == conversation::reading::drain) drained_.insert(call);
        break;
      }
      case '+':
        if (has_body(call)) talk_.on_body(call, rest, now_);
        break;
      case '-':
        if (has_body(call)) talk_.on_body(call, std::string(rest) + "\n\n", now_);
        break;
      case '.':
        if (headed_.contains(call)) forget(call, [&] { talk_.on_end(call, now_); });
        break;
      case '!': forget(call, [&] { talk_.on_failure(call, {errc::upstream_closed, "x"}, now_); }); break;
      case '*':
        if (call != 0) talk_.on_renewed(call, {}, now_);
        break;
      case '~':
        now_ += milliseconds(100 * number());
        talk_.on_time(now_);
        break;
      case 'w': talk_.on_waiting("open https://x.example/", now_); break;
      case 'W': talk_.on_waiting("", now_); break;
      case 'e':
        ended_ = true;
        talk_.on_client_end(now_);
        break;
      case '@': at_ = static_cast<std::size_t>(number()); break;
      default: break;
    }
  }

  bool has_body(std::uint64_t call) const { return headed_.contains(call) && !drained_.contains(call); }

  template <class F>
  void forget(std::uint64_t call, F tell) {
    if (call == 0) return;
    std::erase(open_, call);
    tell();
  }

  // Requests that are to be answered. What is in a batch, or under way already, is not counted here.
  void note(std::string_view line) {
    auto facts = scan_message(line);
    if (!facts) return;
    if (facts->kind == message_facts::kind::batch) batches_ = true;
    // What is neither is answered, too: that it is neither.
    bool unknown = facts->kind == message_facts::kind::unknown && !facts->id.empty();
    if (facts->kind == message_facts::kind::request || unknown) ++asked_[known(facts->id)];
    if (facts->method == "notifications/cancelled") cancelled_.insert(known(facts->request_id));
  }

  void take() {
    for (auto& action : talk_.take_actions()) {
      if (action.kind == bridge_action::kind::send) open_.push_back(action.call);
      if (action.kind == bridge_action::kind::send && action.call % 2 == 0)
        talk_.on_sending(action.call, now_);
      if (action.kind == bridge_action::kind::abort) std::erase(open_, action.call);
    }
    written_ += std::exchange(talk_.output(), {});
    for (;;) {
      auto end = written_.find('\n');
      if (end == std::string::npos) break;
      auto facts = scan_message(std::string_view(written_).substr(0, end));
      written_.erase(0, end + 1);
      if (facts && facts->kind == message_facts::kind::response && !batches_)
        answered_.push_back(known(facts->id));
    }
    if (batches_) {
      asked_.clear();
      answered_.clear();
    }
  }

  // Ids that are one value in several spellings are one id, as the client first spelled it.
  const std::string& known(const std::string& id) {
    auto at = std::find_if(ids_.begin(), ids_.end(), [&](const auto& one) { return same_id(one, id); });
    return at != ids_.end() ? *at : ids_.emplace_back(id);
  }

  milliseconds now_{1'000};
  conversation talk_;
  std::vector<std::uint64_t> open_;
  std::map<std::string, std::int64_t> asked_;
  std::vector<std::string> ids_, answered_;
  std::set<std::string> cancelled_;
  std::set<std::uint64_t> headed_, drained_;
  std::string written_;
  std::size_t at_ = 0, steps_ = 0;
  bool batches_ = false, ended_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 8192) return 0;
  play it;
  it.run({reinterpret_cast<const char*>(data), size});
  return 0;
}
