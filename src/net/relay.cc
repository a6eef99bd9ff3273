#include "net/relay.h"

#include "base/text.h"
#include "net/http_write.h"

#include <array>
#include <charconv>

namespace mcp_oauth::net {
namespace {

constexpr std::size_t largest_response_head = 64 * 1024;
constexpr std::size_t largest_replay = 64 * 1024;
constexpr int most_interim = 16;
constexpr std::string_view keep_alive_comment = ": keep-alive\n\n";

// One content as the chunked coding has it, or as it is.
class framed {
 public:
  explicit framed(bool chunked) : chunked_(chunked) {}

  void begin() { pieces_.clear(); }
  void add_head(std::string_view head) { pieces_.push_back(piece(head)); }
  void add(const content_pieces& content, bool last) {
    std::size_t size = 0;
    for (auto c : content) size += c.size();
    if (chunked_ && size > 0) {
      auto* end = std::to_chars(size_.data(), size_.data() + 16, size, 16).ptr;
      *end++ = '\r';
      *end++ = '\n';
      pieces_.push_back(piece({size_.data(), static_cast<std::size_t>(end - size_.data())}));
    }
    for (auto c : content) {
      if (!c.empty()) pieces_.push_back(piece(c));
    }
    if (chunked_ && size > 0) pieces_.push_back(piece("\r\n"));
    if (chunked_ && last) pieces_.push_back(piece("0\r\n\r\n"));
  }
  std::span<const iovec> pieces() const { return {pieces_.data(), pieces_.size()}; }

 private:
  bool chunked_;
  std::array<char, 20> size_{};
  boost::container::small_vector<iovec, 12> pieces_;
};

class relaying {
 public:
  relaying(exchange& x, upstream_pool& pool, relay_order& order, const relay_limits& limits,
           relay_watcher& watcher)
      : x_(x),
        pool_(pool),
        order_(order),
        limits_(limits),
        watcher_(watcher),
        client_end_(*this),
        early_answer_(*this) {}

  relaying(const relaying&) = delete;
  relaying& operator=(const relaying&) = delete;
  // However it ends: nobody calls what is not there any more.
  ~relaying() {
    x_.client().listen(nullptr);
    x_.when_draining(nullptr);
  }

  task<relay_outcome> run() {
    auto done = co_await send_with_retry();
    if (done) done = co_await pass_answer();
    outcome_.ended = std::move(done);
    co_return outcome_;
  }

 private:
  // ---- the request goes up

  task<result<void>> send_with_retry() {
    build_head();
    auto wanted = upstream_pool::freshness::any;
    for (;;) {
      auto leased = co_await pool_.acquire(order_.target, wanted);
      if (!leased) co_return tl::unexpected<error>(leased.error());
      up_ = std::move(*leased);
      outcome_.reused = up_.reused();

      auto sent = co_await send_request();
      if (sent) {
        watch_client();
        sent = co_await read_answer_head();
      }
      if (sent) co_return sent;
      // A kept connection that ended before it answered with a single byte was closed by the other side while
      // idle; what it may have seen of the request decides whether asking again is safe.
      bool dead = sent.error().code == errc::upstream_closed && outcome_.reused && !answer_seen_;
      bool again =
          dead && wanted == upstream_pool::freshness::any && replayable_ && (order_.may_repeat || !sent_any_);
      up_.drop();
      if (!again) co_return sent;
      wanted = upstream_pool::freshness::fresh;
    }
  }

  void build_head() {
    head_ = std::move(order_.head);
    const auto& asked = x_.head();
    chunked_up_ = asked.body == framing::chunked;
    if (chunked_up_) {
      head_ += "Transfer-Encoding: chunked\r\n";
    } else if (asked.body == framing::length) {
      head_ += "Content-Length: ";
      append_decimal(head_, asked.length);
      head_ += "\r\n";
    } else if (asked.method == "POST" || asked.method == "PUT" || asked.method == "PATCH") {
      head_ += "Content-Length: 0\r\n";
    }
    head_ += "\r\n";
  }

  task<result<void>> send_request() {
    framed out(chunked_up_);
    if (std::exchange(collected_, true)) {
      // A second attempt: from the copy, or, where nothing has been sent, the pieces as they still lie there.
      if (!replay_.empty()) content_.assign(1, replay_);
    } else {
      if (!order_.held.empty()) content_.push_back(order_.held);
      auto before = content_.size();
      x_.take_arrived(content_);
      for (auto i = before; i < content_.size(); ++i) {
        auto allowed = watcher_.on_request_piece(content_[i], false);
        if (!allowed) co_return allowed;
      }
      if (x_.body_done()) {
        auto allowed = watcher_.on_request_piece({}, true);
        if (!allowed) co_return allowed;
      }
    }
    replayable_ = x_.body_done() && keep_for_replay();
    out.begin();
    out.add_head(head_);
    out.add(content_, x_.body_done());
    for (;;) {
      for (auto c : content_) outcome_.request_bytes += c.size();
      auto sent = co_await up_.stream().write(out.pieces(), limits_.first_byte);
      if (early_) co_return stop_sending();
      if (sent == io::timeout)
        co_return fail(errc::upstream_timeout, "the upstream stopped reading the request");
      if (sent != io::ok) {
        if (outcome_.reused && !sent_any_) co_return fail(errc::upstream_closed, "while idle");
        // It may have answered and closed without reading on, as a 413 does.
        if (!x_.body_done()) x_.close_after();
        co_return result<void>();
      }
      sent_any_ = true;
      if (x_.body_done()) co_return result<void>();
      listen_for_early_answer();
      if (early_) co_return stop_sending();
      auto more = co_await x_.read_more(content_);
      if (!more) co_return more;
      if (early_) co_return stop_sending();
      for (auto c : content_) {
        auto allowed = watcher_.on_request_piece(c, false);
        if (!allowed) co_return allowed;
      }
      if (x_.body_done()) {
        auto allowed = watcher_.on_request_piece({}, true);
        if (!allowed) co_return allowed;
      }
      out.begin();
      out.add(content_, x_.body_done());
    }
  }

  // An upstream may answer, with a refusal mostly, before it has the whole request.
  void listen_for_early_answer() {
    x_.stream_body();
    up_.stream().listen(&early_answer_, channel::hearing::input_too);
    if (begins_final_answer()) early_ = true;
  }
  // Whether what has come of the answer is more than heads of interim answers, which are taken off here.
  bool begins_final_answer() {
    auto& up = up_.stream();
    constexpr std::string_view interim = "HTTP/1.1 1";
    for (;;) {
      auto input = up.input();
      if (input.empty()) return false;
      if (input.substr(0, interim.size()) != interim.substr(0, input.size())) return true;
      auto end = find_head_end(input, 0);
      if (!end) return input.size() > largest_response_head;
      if (++interim_seen_ > most_interim) return true;
      up.consume(*end);
    }
  }
  class early_answer final : public channel::listener {
   public:
    explicit early_answer(relaying& of) : of_(of) {}
    void on_gone() override { stop(); }
    void on_heard() override {
      if (of_.begins_final_answer()) stop();
    }

   private:
    void stop() {
      of_.early_ = true;
      // Waking the one or the other may end the relay, and this with it.
      auto up = of_.up_.shared_stream();
      auto client = of_.x_.client().shared_from_this();
      if (!up->interrupt()) client->interrupt();
    }

    relaying& of_;
  };

  result<void> stop_sending() {
    up_.stream().listen(nullptr);
    x_.close_after();  // the rest of the request is not read any more
    return {};
  }

  // The client's buffer is read into again once the request is out; what might be sent twice is kept aside.
  bool keep_for_replay() {
    if (!outcome_.reused || !order_.may_repeat)
      return true;  // only what was not sent at all would be repeated
    std::size_t size = 0;
    for (auto c : content_) size += c.size();
    if (size > largest_replay) return false;
    for (auto c : content_) replay_ += c;
    return true;
  }

  void watch_client() { x_.client().listen(&client_end_); }
  class client_end final : public channel::listener {
   public:
    explicit client_end(relaying& of) : of_(of) {}
    void on_gone() override {
      of_.client_gone_ = true;
      of_.cut_upstream();
    }

   private:
    relaying& of_;
  };
  // Wakes the relay, if it waits for the upstream, and may end it.
  void cut_upstream() {
    if (!up_) return;
    auto stream = up_.shared_stream();
    stream->abort();
  }

  // ---- the answer comes down

  task<result<void>> read_answer_head() {
    auto& up = up_.stream();
    std::size_t searched = 0;
    up.listen(nullptr);
    for (;;) {
      auto input = up.input();
      if (auto end = find_head_end(input, searched)) {
        answer_seen_ = true;
        answer_text_.assign(input.substr(0, *end));
        auto parsed = parse_response_head(answer_text_, x_.head().method, answer_);
        if (!parsed) co_return parsed;
        up.consume(*end);
        searched = 0;
        if (answer_.status == 101) co_return fail(errc::upstream_malformed, "101 without an upgrade");
        if (answer_.status >= 200) co_return result<void>();
        if (++interim_seen_ > most_interim)
          co_return fail(errc::upstream_malformed, "interim answers without end");
        continue;  // RFC 9110 §15.2: interim answers are skipped; a client that asked for 100 has had ours
      }
      searched = input.size();
      if (!input.empty()) answer_seen_ = true;
      if (input.size() > largest_response_head) co_return fail(errc::upstream_malformed, "head over 64 KiB");
      if (input.size() >= 5 && input.substr(0, 5) != "HTTP/") {
        // A TLS server answers what is none with an alert (RFC 8446 §5.1).
        bool alert = !order_.target.tls && input.substr(0, 2) == "\x15\x03";
        co_return fail(
            errc::upstream_malformed,
            alert ? "not HTTP: the server speaks TLS here, and its URL begins with http://" : "not HTTP");
      }
      auto got = co_await up.more(limits_.first_byte);
      if (client_gone_) co_return fail(errc::client_gone);
      if (got == io::timeout) {
        co_return fail(errc::upstream_timeout, "timeout of " + std::to_string(limits_.first_byte.count()) +
                                                   "ms exceeded: connected, request sent, no answer");
      }
      if (got != io::ok)
        co_return fail(errc::upstream_closed,
                       answer_seen_ ? "in the middle of the answer's head" : "before the answer");
    }
  }

  task<result<void>> pass_answer() {
    outcome_.status = answer_.status;
    std::string out;
    out.reserve(answer_text_.size() + 512);
    auto said = watcher_.on_response_head(answer_, out);
    if (said == relay_watcher::verdict::replace) {
      up_.drop();
      co_return result<void>();
    }
    if (said == relay_watcher::verdict::hold) {
      auto passed = co_await pass_held_answer(out);
      co_return passed;
    }
    auto type = answer_.find("content-type");
    bool plain = equal_ignoring_case(answer_.find("content-encoding").value_or("identity"), "identity");
    outcome_.stream = type && starts_with_ignoring_case(*type, "text/event-stream") && plain;

    bool old_client = x_.head().minor_version == 0;
    bool chunked = answer_.body == framing::chunked || answer_.body == framing::until_close ||
                   said == relay_watcher::verdict::resize;
    if (chunked && old_client) {
      chunked = false;
      ends_by_close_ = true;
      x_.close_after();
    }
    if (!x_.body_done()) x_.close_after();
    if (chunked) {
      out += "Transfer-Encoding: chunked\r\n";
    } else if (said != relay_watcher::verdict::resize &&
               (answer_.body == framing::length || (answer_.body == framing::none && answer_.status != 204 &&
                                                    answer_.status != 304 && x_.head().method != "HEAD"))) {
      out += "Content-Length: ";
      append_decimal(out, answer_.length);
      out += "\r\n";
    }
    x_.finish_head(out);
    x_.mark_answered();
    x_.status = answer_.status;

    body_decoder decoder(answer_.body, answer_.length, chunk_extensions::skip);
    auto& up = up_.stream();
    framed framing_out(chunked);
    framing_out.begin();
    framing_out.add_head(out);
    bool head_due = true;
    if (outcome_.stream) {
      up.go_lean();
      x_.client().go_lean();
      if (x_.head().method == "GET") end_when_draining();
    }
    for (;;) {
      content_.clear();
      while (!decoder.done() && !decoder.failed() && !up.input().empty()) {
        up.consume(decoder.feed(up.input(), content_));
      }
      if (decoder.failed()) co_return cut(errc::upstream_malformed, "chunked framing");
      // What may become another size is shown whatever it is: the watcher said so because it changes it.
      if ((outcome_.stream || said == relay_watcher::verdict::resize) && !content_.empty()) {
        auto shown = watcher_.on_stream_piece(joined());
        if (!shown) co_return cut(shown.error().code, shown.error().detail);
        content_.assign(1, *shown);
      }
      for (auto c : content_) outcome_.response_bytes += c.size();
      bool something = false;
      for (auto c : content_) something = something || !c.empty();
      if (head_due || something || decoder.done()) {
        framing_out.add(content_, decoder.done());
        if (!framing_out.pieces().empty()) {
          outcome_.answer_begun = true;
          head_due = false;
          auto sent = co_await x_.client().write(framing_out.pieces(), limits_.write);
          if (sent == io::timeout) co_return cut(errc::client_gone, "the client stopped reading");
          if (sent != io::ok) co_return cut(errc::client_gone, "");
        }
        framing_out.begin();
        if (outcome_.stream) release_head(out);
      }
      if (decoder.done()) break;

      auto got = co_await up.more(outcome_.stream ? limits_.stream_keep_alive : limits_.idle);
      if (client_gone_) co_return cut(errc::client_gone, "");
      if (draining_) {
        content_.clear();
        framing_out.add(content_, true);
        x_.close_after();
        if (!framing_out.pieces().empty()) co_await x_.client().write(framing_out.pieces(), limits_.write);
        co_return result<void>();
      }
      if (got == io::ok) continue;
      if (got == io::timeout) {
        if (!outcome_.stream) co_return cut(errc::upstream_timeout, "the answer stopped in the middle");
        if (watcher_.between_events()) {
          content_.clear();
          content_.push_back(keep_alive_comment);
          framing_out.add(content_, false);
          auto sent = co_await x_.client().write(framing_out.pieces(), limits_.write);
          if (sent != io::ok) co_return cut(errc::client_gone, "");
          framing_out.begin();
        }
        continue;
      }
      bool whole = up.ended_properly() && decoder.finish();
      if (up.input().empty() && whole) {
        content_.clear();
        framing_out.add(content_, true);
        if (!framing_out.pieces().empty()) {
          auto sent = co_await x_.client().write(framing_out.pieces(), limits_.write);
          if (sent != io::ok) co_return cut(errc::client_gone, "");
        }
        co_return result<void>();
      }
      if (up.input().empty()) co_return cut(errc::upstream_closed, "in the middle of the answer");
    }
    if (answer_.keep_alive && x_.body_done() && !early_) {
      pool_.release(std::move(up_), announced_keep_alive(answer_));
    }
    co_return result<void>();
  }

  // Until it is known that all of it may go out, the client sees nothing of it.
  task<result<void>> pass_held_answer(std::string& out) {
    body_decoder decoder(answer_.body, answer_.length, chunk_extensions::skip);
    auto& up = up_.stream();
    while (!decoder.done()) {
      content_.clear();
      while (!decoder.done() && !decoder.failed() && !up.input().empty()) {
        up.consume(decoder.feed(up.input(), content_));
      }
      if (decoder.failed()) co_return fail(errc::upstream_malformed, "chunked framing");
      for (auto c : content_) {
        auto taken = watcher_.on_held_piece(c);
        if (!taken) co_return taken;
      }
      if (decoder.done()) break;
      auto got = co_await up.more(limits_.idle);
      if (client_gone_) co_return fail(errc::client_gone);
      if (got == io::timeout) co_return fail(errc::upstream_timeout, "the answer stopped in the middle");
      if (got == io::ok) continue;
      bool whole = up.ended_properly() && decoder.finish();
      if (up.input().empty() && whole) break;
      if (up.input().empty()) co_return fail(errc::upstream_closed, "in the middle of the answer");
    }
    auto content = watcher_.on_held_end();
    if (!content) co_return tl::unexpected<error>(content.error());
    out += "Content-Length: ";
    append_decimal(out, content->size());
    out += "\r\n";
    if (!x_.body_done()) x_.close_after();
    x_.finish_head(out);
    x_.mark_answered();
    x_.status = answer_.status;
    outcome_.answer_begun = true;
    outcome_.response_bytes = content->size();
    content_.assign(1, *content);
    framed whole(false);
    whole.begin();
    whole.add_head(out);
    whole.add(content_, true);
    auto sent = co_await x_.client().write(whole.pieces(), limits_.write);
    if (sent != io::ok)
      co_return cut(errc::client_gone, sent == io::timeout ? "the client stopped reading" : "");
    bool ended = answer_.keep_alive && decoder.done();
    if (ended && x_.body_done() && !early_) pool_.release(std::move(up_), announced_keep_alive(answer_));
    co_return result<void>();
  }

  // A stream that waits for whatever may come has no end of its own; clients open the next one elsewhere.
  void end_when_draining() {
    x_.when_draining([this] {
      draining_ = true;
      cut_upstream();
    });
  }

  // The client has part of an answer; only a connection that ends early tells it so, and where its end is the
  // answer's, one that ends badly.
  tl::unexpected<error> cut(errc why, std::string detail) {
    x_.close_after();
    if (ends_by_close_) {
      x_.client().reset();
    } else {
      x_.client().abort();
    }
    return fail(why, std::move(detail));
  }

  // What one read brought, as one piece: usually it is one.
  std::string_view joined() {
    if (content_.size() == 1) return content_.front();
    joined_.clear();
    for (auto c : content_) joined_ += c;
    return joined_;
  }

  // A stream may last for hours; what its head needed does not.
  void release_head(std::string& out) {
    if (answer_text_.empty()) return;
    std::string().swap(out);
    std::string().swap(head_);
    std::string().swap(answer_text_);
    std::string().swap(replay_);
    std::vector<field>().swap(answer_.fields);
  }

  exchange& x_;
  upstream_pool& pool_;
  relay_order& order_;
  const relay_limits& limits_;
  relay_watcher& watcher_;
  relay_outcome outcome_;
  client_end client_end_;
  early_answer early_answer_;
  upstream_pool::lease up_;
  std::string head_;
  std::string replay_;
  std::string answer_text_;
  std::string joined_;
  response_head answer_;
  content_pieces content_;
  int interim_seen_ = 0;
  bool collected_ = false;
  bool chunked_up_ = false;
  bool ends_by_close_ = false;  // the answer to the client
  bool sent_any_ = false;
  bool replayable_ = false;
  bool answer_seen_ = false;
  bool client_gone_ = false;
  bool draining_ = false;
  bool early_ = false;
};

}  // namespace

task<relay_outcome> relay(exchange& x, upstream_pool& pool, relay_order& order, const relay_limits& limits,
                          relay_watcher& watcher) {
  relaying work(x, pool, order, limits, watcher);
  co_return co_await work.run();
}

}  // namespace mcp_oauth::net
